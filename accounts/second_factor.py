"""The second factor: a code of an app (TOTP, RFC 6238), or one of ten recovery codes, each good for once."""

import base64
import secrets
from datetime import timedelta
from urllib.parse import quote, urlencode

from django.db import transaction
from django.utils import timezone
from django.utils.safestring import SafeString
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from accounts import audit
from accounts.models import AccessSettings, Authenticator, Role, User
from accounts.qr_code import draw_qr_code
from accounts.secrets import keyed_hash

RECOVERY_CODES = 10
RECOVERY_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
SET_UP_WITHIN = timedelta(minutes=30)


def has_second_factor(user: User) -> bool:
    """Say whether a user signs in with a code."""
    return bool(Authenticator.objects.filter(user=user, confirmed=True).exists())


def lacks_second_factor(user: User) -> bool:
    """Say whether a user must set up a second factor before anything else."""
    return (
        user.role == Role.ADMINISTRATOR
        and AccessSettings.get_solo().administrators_need_second_factor
        and not has_second_factor(user)
    )


@transaction.atomic
def begin_set_up(*, user: User) -> Authenticator:
    """Return the authenticator to be confirmed, the same one for half an hour."""
    _lock(user)
    unconfirmed = Authenticator.objects.filter(user=user, confirmed=False)
    fresh = unconfirmed.filter(created_at__gt=timezone.now() - SET_UP_WITHIN).first()
    if fresh is None:
        unconfirmed.delete()
        fresh = Authenticator.objects.create(user=user, name="app", confirmed=False)
    return fresh  # type: ignore[no-any-return]  # django-otp has no types


@transaction.atomic
def confirm_set_up(*, user: User, code: str) -> list[str] | None:
    """Switch the second factor on with a code of the new authenticator; return recovery codes, None: wrong code."""
    _lock(user)
    device = Authenticator.objects.filter(user=user, confirmed=False).first()
    if device is None or not _is_code(code) or not device.verify_token(_plain(code)):
        return None
    Authenticator.objects.filter(user=user).exclude(pk=device.pk).delete()
    device.confirmed = True
    device.save()
    audit.record(user, {"second_factor": (False, True)})
    return renew_recovery_codes(user=user)


@transaction.atomic
def renew_recovery_codes(*, user: User) -> list[str]:
    """Make ten new recovery codes and return them; only their keyed hashes are kept, the old ones end."""
    audit.record(user, {"recovery_codes": (audit.HIDDEN, audit.HIDDEN)})
    codes = ["".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes")
    StaticToken.objects.bulk_create([StaticToken(device=device, token=_recovery_hash(code)) for code in codes])
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def count_recovery_codes(user: User) -> int:
    """Return how many recovery codes are left."""
    return StaticToken.objects.filter(device__user=user).count()  # type: ignore[no-any-return]


@transaction.atomic
def use_code(*, user: User, code: str) -> bool:
    """Use up a code of the app or a recovery code; False where it is wrong or was used."""
    _lock(user)
    device = Authenticator.objects.filter(user=user, confirmed=True).first()
    if device is None:
        return False
    if _is_code(code):
        return bool(device.verify_token(_plain(code)))
    recovery = StaticDevice.objects.filter(user=user).first()
    return recovery is not None and bool(recovery.verify_token(_recovery_hash(code)))


@transaction.atomic
def remove_second_factor(*, user: User) -> None:
    """Let a user sign in with the password alone."""
    _lock(user)
    if has_second_factor(user):
        audit.record(user, {"second_factor": (True, False)})
    Authenticator.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()


def key_as_text(device: Authenticator) -> str:
    """Write the key in groups of four (base32), to be typed into an app."""
    text = base64.b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr_code(device: Authenticator, *, site: str) -> SafeString:
    """Draw the QR code (SVG) that an app reads the key from; `site` names this installation in the app."""
    secret = base64.b32encode(device.bin_key).decode()
    query = urlencode({"secret": secret, "issuer": site}, quote_via=quote)
    address = f"otpauth://totp/{quote(f'{site}:{device.user.username}')}?{query}"
    return draw_qr_code(address)


def _lock(user: User) -> None:
    """Have others who use a code of this user at this moment wait until the transaction is over."""
    User.objects.select_for_update().get(pk=user.pk)


def _plain(code: str) -> str:
    """Drop what people put between the characters."""
    return "".join(code.split()).replace("-", "").upper()


def _is_code(code: str) -> bool:
    """Say whether this is a code of an app, not a recovery code."""
    plain = _plain(code)
    return len(plain) == 6 and plain.isascii() and plain.isdecimal()


def _recovery_hash(code: str) -> str:
    """Return what is kept of a recovery code; django-otp keeps 16 characters."""
    return keyed_hash(f"recovery:{_plain(code)}")[:16]
