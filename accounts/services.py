"""Writes on users."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from accounts import audit
from accounts.models import Role, User
from accounts.secrets import keyed_hash
from accounts.sessions import end_sessions

TOKEN_BYTES = 32
FIRST_USERNAME, FIRST_PASSWORD = "admin", "1234"


def apply_role(user: User) -> None:
    """Give a user the rights of the role, unsaved."""
    user.is_superuser = user.role == Role.ADMINISTRATOR
    user.is_staff = user.role != Role.STANDARD


def hold_administrators() -> None:
    """Have others who demote, deactivate or delete an administrator wait until the transaction is over."""
    list(User.objects.select_for_update().filter(role=Role.ADMINISTRATOR).order_by("pk"))


def is_last_administrator(user: User) -> bool:
    """Say whether nobody could administer any more without this user."""
    administrators = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True)
    return administrators.filter(pk=user.pk).exists() and not administrators.exclude(pk=user.pk).exists()


@transaction.atomic
def save_user(
    *,
    username: str,
    role: str | None = None,
    email: str | None = None,
    password: str | None = None,
    is_temporary: bool = False,
    token: str | None = None,
) -> User:
    """Create or change a user; None keeps what is there. A temporary password must be changed at first sign-in (S29).

    Raises ValidationError where the password breaks a rule or a value does not fit.
    """
    user: User = User.objects.filter(username=username).first() or User(username=username)
    if role is not None:
        user.role = role
    apply_role(user)
    if email is not None:
        user.email = email
    if password is not None and not (user.pk and user.check_password(password)):
        validate_password(password, user)
        user.set_password(password)
        user.must_change_password = is_temporary
    elif not user.password:
        user.set_unusable_password()
    if token is not None:
        user.api_token_hash = keyed_hash(token)
    user.full_clean(exclude=["password"])
    save_with_role(user)
    return user


@transaction.atomic
def save_with_role(user: User) -> None:
    """Save a user; another role ends the sessions, whose idle time is that of the old one."""
    role_before = User.objects.filter(pk=user.pk).values_list("role", flat=True).first()
    user.save()
    if role_before not in (None, user.role):
        end_sessions(user=user)


def renew_token(*, username: str) -> str:
    """Give a user a new token for the REST API and return it; only its keyed hash is kept, the old one ends.

    Raises User.DoesNotExist.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    if not audit.update_recorded(User.objects.filter(username=username), api_token_hash=keyed_hash(token)):
        raise User.DoesNotExist(f"there is no user {username!r}")
    return token


def end_token(*, user: User) -> None:
    """Take a user's token for the REST API away: programs that use it are let in no longer."""
    audit.update_recorded(User.objects.filter(pk=user.pk), api_token_hash=None)


def create_first_user() -> None:
    """Create `admin` with the delivered password, once, where there is no user yet (SPEC S3)."""
    if User.objects.exists():
        return
    user = User(
        username=FIRST_USERNAME, role=Role.ADMINISTRATOR, is_staff=True, is_superuser=True, must_change_password=True
    )
    user.set_password(FIRST_PASSWORD)
    user.save()
