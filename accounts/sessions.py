"""Signed-in browsers: Django's session engine in the database, which also knows whose, from where, and seen when.

A session ends after 12 h without a request for those who administer, after 30 days for others.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.addresses import client_address
from accounts.models import Session, User
from accounts.secrets import keyed_hash

LOOKING_IDLE_S = 30 * 24 * 3600  # of those who administer: SESSION_COOKIE_AGE
SEEN_EACH = timedelta(minutes=5)
VISIT = "visit"  # where a session keeps how it began: [address, agent, seconds since 1970]

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class SessionStore(DatabaseSession):
    """The engine. Being seen is written at most every five minutes, with the new end of the session and its cookie."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """Name the table."""
        return Session

    def _get_session_from_db(self) -> Session | None:
        """Read the row; have it written again where it was last seen a while ago."""
        row: Session | None = super()._get_session_from_db()  # type: ignore[misc]  # the stubs leave it out
        if row is not None and row.seen_at < timezone.now() - SEEN_EACH:
            self.modified = True
        return row

    async def _aget_session_from_db(self) -> Session | None:
        """Read the row, from async views."""
        return await sync_to_async(self._get_session_from_db)()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """Make the row of a session."""
        row = super().create_model_instance(data)
        assert isinstance(row, Session), "the table named above"
        now = timezone.now()
        address, agent, began = data.get(VISIT, ("", "", now.timestamp()))
        row.user_id = data.get("_auth_user_id")
        row.address, row.agent = address, agent
        row.started_at, row.seen_at = datetime.fromtimestamp(began, now.tzinfo), now
        return row

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        """Make the row of a session, from async views."""
        return await sync_to_async(self.create_model_instance)(data)


def begin_session(sender: type[User], request: HttpRequest, user: User, **_signal: Any) -> None:  # noqa: ARG001
    """Note in a new session where it began, and give it the idle time of its user (signal user_logged_in)."""
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")[:300]
    request.session[VISIT] = [(client_address(request) or "")[:45], agent, timezone.now().timestamp()]
    request.session.set_expiry(settings.SESSION_COOKIE_AGE if user.is_staff else LOOKING_IDLE_S)


@dataclass(frozen=True, slots=True)
class Described:
    """A session as a page shows it."""

    handle: str
    browser: str
    address: str
    started_at: datetime
    seen_at: datetime
    is_own: bool


def open_sessions(user: User) -> QuerySet[Session]:
    """List the sessions of a user, the last seen first."""
    return Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen_at")


def is_open(session_key: str | None) -> bool:
    """Say whether a session is still that of an active user."""
    return Session.objects.filter(
        session_key=session_key, user__is_active=True, expire_date__gt=timezone.now()
    ).exists()


def handle_of(session: Session) -> str:
    """Name a session on a page: its key itself would let in whoever reads it."""
    return keyed_hash(f"session:{session.session_key}")[:16]


def describe_sessions(user: User, *, own_key: str | None = None) -> list[Described]:
    """Describe the sessions of a user; the one with the key `own_key` is marked."""
    return [
        Described(
            handle=handle_of(row),
            browser=describe_agent(row.agent),
            address=row.address,
            started_at=row.started_at,
            seen_at=row.seen_at,
            is_own=row.session_key == own_key,
        )
        for row in open_sessions(user)
    ]


def end_session(*, user: User, handle: str) -> bool:
    """End one session of a user; False where it had ended."""
    keys = [session.session_key for session in open_sessions(user) if handle_of(session) == handle]
    return bool(Session.objects.filter(session_key__in=keys).delete()[0])


def end_sessions(*, user: User, but: str | None = None) -> int:
    """End the sessions of a user, all but the one with the key `but`; return how many."""
    return Session.objects.filter(user=user).exclude(session_key=but or "").delete()[0]


@transaction.atomic
def sign_out_elsewhere(*, user: User, but: str | None) -> int:
    """End the sessions of a user because somebody asks to, which is kept; return how many. `but`: as `end_sessions`."""
    audit.record(user, {}, note=gettext_noop("Signed out of every other browser."))
    return end_sessions(user=user, but=but)


def forget_ended_sessions() -> None:
    """Delete the sessions that have run out."""
    SessionStore.clear_expired()


def describe_agent(agent: str) -> str:
    """Name browser and system as people do."""
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


def end_when_password_changed(sender: type[User], instance: User, **_signal: Any) -> None:  # noqa: ARG001
    """End the sessions of a user who was saved with a new password or as not active (signal post_save).

    A signal, so that no way to save a user forgets it. Django tells a new password by `_password`, until the save is
    done; the session that changes its own password is made anew after this by `update_session_auth_hash`.
    """
    if not instance.is_active or instance._password is not None:  # type: ignore[attr-defined]  # the stubs leave it out
        end_sessions(user=instance)
