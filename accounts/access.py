"""Who may use the REST API: a user's token, or a signed-in browser; and what role is needed."""

from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from accounts.models import Role, User
from accounts.secrets import keyed_hash


class AccessDenied(Exception):
    """A request may not have what it asks for; `status` is the HTTP status, the message says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _with_role(user: User, role: Role) -> User:
    """Return the user; raises AccessDenied where the role is less than what is needed."""
    roles = list(Role)
    if roles.index(Role(user.role)) < roles.index(role):
        raise AccessDenied(403, f"this needs the profile {role.value}, {user.username} has {user.role}")
    return user


class Token(HttpBearer):
    """`Authorization: Bearer <token>`, as `manage.py api_token` makes them."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Find the active user of a token."""
        user = User.objects.filter(api_token_hash=keyed_hash(token), is_active=True).first()
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
