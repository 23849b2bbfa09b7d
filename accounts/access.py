"""Who may use a page or the REST API: a user's token, or a signed-in browser; and what role is needed."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from accounts.addresses import client_address
from accounts.models import Role, User
from accounts.secrets import keyed_hash
from accounts.tries import TooManyTries, admit_token, fail_token

View = TypeVar("View", bound=Callable[..., Any])


def has_role(user: User | AnonymousUser, role: Role) -> bool:
    """Say whether somebody has a role, or one above it."""
    roles = list(Role)
    return isinstance(user, User) and roles.index(Role(user.role)) >= roles.index(role)


def role_required(role: Role) -> Callable[[View], View]:
    """Open a view, sync or async, to a role and those above it.

    Who is not signed in comes to the sign-in page and from there on; who may not is told who may, with status 403.
    """

    def guard(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def async_guarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
                turned_away = _turned_away(request, await request.auser(), role)
                return turned_away or await view(request, *args, **parameters)

            return cast(View, async_guarded)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
            return _turned_away(request, request.user, role) or view(request, *args, **parameters)

        return cast(View, guarded)

    return guard


def _turned_away(request: HttpRequest, user: User | AnonymousUser, role: Role) -> HttpResponse | None:
    """Send a visitor to the sign-in page; raises PermissionDenied where their role is too little. None: come in."""
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    check_role(user, role)
    return None


def check_role(user: User | AnonymousUser, role: Role) -> None:
    """Raise PermissionDenied, with which profile is needed, where a signed-in user has less."""
    if isinstance(user, User) and not has_role(user, role):
        raise PermissionDenied(
            _("This page is for users with the profile “%(needed)s” or above; yours is “%(own)s”.")
            % {"needed": role.label, "own": user.get_role_display()}
        )


class AccessDenied(Exception):
    """A request may not have what it asks for; `status` is the HTTP status, the message says what to do.

    `wait_s` is how long to wait before the next try, where that is what to do.
    """

    def __init__(self, status: int, message: str, wait_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.wait_s = status, wait_s


def _with_role(user: User, role: Role) -> User:
    """Return the user; raises AccessDenied where the role is less than what is needed."""
    if not has_role(user, role):
        raise AccessDenied(403, f"this needs the profile {role.value}, {user.username} has {user.role}")
    return user


class Token(HttpBearer):
    """`Authorization: Bearer <token>`, as `manage.py api_token` makes them."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Find the active user of a token; wrong ones from one address have to wait longer and longer."""
        token_hash, address = keyed_hash(token), client_address(request)
        user = User.objects.filter(api_token_hash=token_hash, is_active=True).first()
        try:
            if user is None:
                fail_token(address=address)
            else:
                admit_token(token_hash=token_hash, address=address)
        except TooManyTries as held:
            message = f"too many wrong tokens came from this address; try again in {held.wait_s} s"
            raise AccessDenied(429, message, held.wait_s) from None
        if user is None:
            raise AccessDenied(
                401, "the token is unknown or its user is not active; `manage.py api_token` makes a new one"
            )
        request.user = user
        return _with_role(user, self._role)


class SignedIn(APIKeyCookie):
    """The session of a signed-in browser; whatever changes something needs its CSRF token."""

    param_name = "sessionid"

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the user of the session; None where nobody is signed in."""
        if not isinstance(request.user, User):
            return None
        if check_csrf(request) is not None:
            raise AccessDenied(403, "a signed-in browser must send the header X-CSRFToken; programs use a token")
        return _with_role(request.user, self._role)

    def authenticate(self, request: HttpRequest, key: str | None) -> None:
        """Take no cookie by itself: Django's session has said already who it is."""


STANDARD, ADVANCED, ADMINISTRATOR = ([Token(role), SignedIn(role)] for role in Role)
