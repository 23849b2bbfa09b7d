"""Who a station must show itself to be: security profiles, passwords, and what it reports of its security.

OCPP 1.6 security whitepaper, edition 3. The handshake costs one keyed hash or two and no query more than without, but
for a client certificate.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.secrets import keyed_hash, matches
from stations.certificates import flaw_of_certificate
from stations.errors import CommandUnfit, StationRefused
from stations.models import (
    Certificate,
    CertificateState,
    Command,
    CommandState,
    SecurityEvent,
    SecurityProfile,
    Station,
)
from stations.ocpp16.handshake import Offer

logger = logging.getLogger(__name__)

KEY_BYTES = 20  # 40 hexadecimal digits, the most a station takes (security whitepaper, AuthorizationKey)
PASSWORD_KEY, PROFILE_KEY = "authorizationkey", "securityprofile"
EVENTS_KEPT_FOR, MOST_EVENTS = timedelta(days=366), 10_000


# --- the handshake


def hold_to_profile(station: Station, offer: Offer) -> list[str]:
    """Let a connection in that satisfies its station's security profile; returns the fields that changed with it.

    A new password counts from its first use, a wanted profile from the first connection that satisfies it. Raises
    StationRefused with the HTTP status of the handshake.
    """
    reached, used = satisfy(station, offer)
    station.connection_profile = reached
    changed = ["connection_profile"]
    if used == station.next_password_hash != "":
        station.password_hash, station.next_password_hash = used, ""
        changed += ["password_hash", "next_password_hash"]
        logger.info("%s came back with its new password", station.identity)
    if station.wanted_security_profile is not None and reached >= station.wanted_security_profile:
        station.security_profile = max(station.security_profile, station.wanted_security_profile)
        station.wanted_security_profile = None
        changed += ["security_profile", "wanted_security_profile"]
        logger.info("%s came back with security profile %s", station.identity, station.security_profile)
    return changed


def satisfy(station: Station, offer: Offer) -> tuple[SecurityProfile, str]:
    """Return the profile that a connection reaches and the kept hash its password fits; raises StationRefused."""
    needed = station.security_profile
    if needed >= SecurityProfile.TLS and not offer.is_encrypted:
        raise StationRefused(403, f"{station.identity}: security profile {needed} needs TLS, it came without")
    flaw = "TLS is needed for it" if not offer.is_encrypted else _flaw_of_offered(station, offer)
    used = _password_used(station, offer.password)
    if needed == SecurityProfile.CERTIFICATE and flaw:
        raise StationRefused(403, f"{station.identity}: security profile 3 needs a client certificate: {flaw}")
    if flaw and not used and (station.password_hash or needed >= SecurityProfile.BASIC):
        raise StationRefused(401, f"{station.identity}: the password is missing or wrong")
    if not flaw:
        return SecurityProfile.CERTIFICATE, used
    if not used:
        return SecurityProfile.NONE, used
    return SecurityProfile.TLS if offer.is_encrypted else SecurityProfile.BASIC, used


def _flaw_of_offered(station: Station, offer: Offer) -> str:
    """Say why the client certificate of a connection does not stand for its station; empty: it does."""
    if offer.certificate_flaw:
        return f"the one offered is not verified: {offer.certificate_flaw}"
    return flaw_of_certificate(station, offer.certificate)


def _password_used(station: Station, offered: bytes | None) -> str:
    """Return the kept hash that a password fits; empty where none does.

    A station sends an AuthorizationKey as the digits it was given, or as the bytes they stand for.
    """
    kept_hashes = [kept for kept in (station.password_hash, station.next_password_hash) if kept]
    if offered is None or not kept_hashes:
        return ""
    try:
        as_text = offered.decode()
    except UnicodeDecodeError:
        as_text = offered.decode("latin1")
    spellings = (as_text, offered.hex(), offered.hex().upper())
    return next((kept for kept in kept_hashes if any(matches(spelling, kept) for spelling in spellings)), "")


# --- profiles


def flaw_of_profile(station: Station, profile: int) -> str:
    """Say what keeps a station from being held to a security profile; empty: nothing."""
    if profile < station.security_profile:
        return _("The security profile is %(now)d and can only be raised.") % {"now": station.security_profile}
    if profile not in SecurityProfile.values:
        return _("There are security profiles 0 to 3.")
    has_password = station.password_hash or station.next_password_hash
    if profile in (SecurityProfile.BASIC, SecurityProfile.TLS) and not has_password:
        return _("The station has no password yet: set one first.")
    if profile >= SecurityProfile.TLS and not (settings.TLS_CERT or settings.TRUSTED_PROXIES):
        return _("No TLS is served: set LLM_TLS_CERT and LLM_TLS_KEY, or LLM_TRUSTED_PROXIES.")
    has_shown_one = station.connection_profile == SecurityProfile.CERTIFICATE
    if profile == SecurityProfile.CERTIFICATE and not settings.TLS_CLIENT_CA and not has_shown_one:
        valid = Certificate.objects.filter(station_id=station.pk, not_after__gt=timezone.now())
        if not valid.filter(state=CertificateState.ACCEPTED).exists():
            return _("The station has accepted no certificate yet: ask it for a request first.")
    return ""


# --- passwords


def new_key() -> str:
    """Make an AuthorizationKey: random bytes as hexadecimal digits."""
    return secrets.token_hex(KEY_BYTES)


@transaction.atomic
def make_password(*, station_id: int) -> str:
    """Make a password to be typed into a station and return it, this once; the one before counts until it is used.

    It replaces another that is not in use yet only while the station is away: it may have lost that one, and has to
    be visited now. Raises CommandUnfit.
    """
    station = Station.objects.select_for_update().get(pk=station_id)
    flaw = _flaw_of_next_password(station)
    if flaw and (station.socket_id or _is_being_told(station)):
        raise CommandUnfit(flaw)
    key = new_key()
    audit.update_recorded(Station.objects.filter(pk=station_id), next_password_hash=keyed_hash(key))
    return key


def _flaw_of_next_password(station: Station) -> str:
    """Say why a station may hold a password that it has not come with yet; empty: it does not."""
    if _is_being_told(station):
        return _("The station is being told a new password just now.")
    if station.next_password_hash:
        return _(
            "The station may have taken a new password and has not come back with it: restart it first. "
            "If it has lost it, make one to enter by hand while the station is not connected."
        )
    return ""


def _is_being_told(station: Station) -> bool:
    changes = Command.objects.filter(station_id=station.pk, action="ChangeConfiguration", state__in=Command.OPEN)
    return changes.filter(payload__key__iexact=PASSWORD_KEY).exists()


# --- what is told to stations and changes how they connect


def key_of(action: str, payload: dict[str, Any]) -> str:
    """Return which of the two keys that change how a station connects a command writes; empty: neither."""
    key = str(payload.get("key", "")).strip().lower() if action == "ChangeConfiguration" else ""
    return key if key in (PASSWORD_KEY, PROFILE_KEY) else ""


def check_change(*, station: Station, action: str, payload: dict[str, Any]) -> None:
    """Raise CommandUnfit where a change of password or profile would lock the station out, or lower its profile."""
    key, value = key_of(action, payload), str(payload.get("value", ""))
    if key == PROFILE_KEY:
        is_number = value.isascii() and value.isdigit()
        flaw = flaw_of_profile(station, int(value)) if is_number else _("There are security profiles 0 to 3.")
    elif key == PASSWORD_KEY:
        flaw = _flaw_of_new_password(station, value)
    else:
        return
    if flaw:
        raise CommandUnfit(f"{station.identity}: {flaw}")


def _flaw_of_new_password(station: Station, value: str) -> str:
    """Say what keeps a station from being told another password; empty: nothing."""
    if not value:
        return _("A password cannot be taken away from a station, only changed.")
    return _flaw_of_next_password(Station.objects.select_for_update().get(pk=station.pk))


def note_change_asked(*, station_id: int, action: str, payload: dict[str, Any]) -> None:
    """Let a new password count from before it is sent: a station may come back with it before its answer is kept."""
    if key_of(action, payload) == PASSWORD_KEY:
        Station.objects.filter(pk=station_id).update(next_password_hash=keyed_hash(str(payload["value"])))


def note_change_settled(command: Command) -> None:
    """Forget a new password that was refused or never sent; want a profile that was accepted."""
    key = key_of(command.action, command.payload)
    was_not_taken = command.sent_at is None or command.state in (CommandState.REJECTED, CommandState.REFUSED)
    if key == PASSWORD_KEY and was_not_taken:
        Station.objects.filter(pk=command.station_id).update(next_password_hash="")
    elif key == PROFILE_KEY and command.state == CommandState.ACCEPTED:
        Station.objects.filter(pk=command.station_id).update(wanted_security_profile=int(command.payload["value"]))


# --- events


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A SecurityEventNotification; `at` is its own time, or that of receipt where it has none."""

    type: str
    at: datetime
    tech_info: str


def record_security_event(*, station_id: int, event: ReportedEvent) -> bool:
    """Keep what a station reports; False if it has reported that before (stations repeat themselves)."""
    kept = {"station_id": station_id, "type": event.type, "at": event.at, "tech_info": event.tech_info}
    return SecurityEvent.objects.get_or_create(**kept, defaults={"received_at": timezone.now()})[1]


def tidy_security_events() -> None:
    """Delete the events of more than a year ago, and the oldest of a station that reports without end."""
    SecurityEvent.objects.filter(received_at__lt=timezone.now() - EVENTS_KEPT_FOR).delete()
    counted = SecurityEvent.objects.order_by().values("station_id").annotate(count=Count("pk"))
    for station_id in counted.filter(count__gt=MOST_EVENTS).values_list("station_id", flat=True):
        events = SecurityEvent.objects.filter(station_id=station_id).order_by("-pk")
        events.filter(pk__lte=events.values_list("pk", flat=True)[MOST_EVENTS]).delete()
