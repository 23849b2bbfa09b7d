"""Nothing but the next step is reachable while a password must be changed (SPEC S3, S29) or a second factor set up."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.both_ways import after, before
from accounts.models import User
from accounts.second_factor import lacks_second_factor


def _next_step(user: Any) -> tuple[str, str] | None:
    """Name the page that a user must go to first, with what to do there; None: go on."""
    if getattr(user, "must_change_password", False):
        return "change-password", "Change the temporary password first"
    if isinstance(user, User) and lacks_second_factor(user):
        return "second-factor", "Set up the second factor first"
    return None


def _divert(request: HttpRequest) -> HttpResponse | None:
    """Send a user to the page that comes first."""
    step = _next_step(request.user)
    if step is None:
        return None
    page, words = step
    if request.path.startswith("/api/"):
        return JsonResponse({"message": f"{words}: {reverse(page)}"}, status=403)
    allowed = {reverse(page), reverse("sign-out"), reverse("set_language")}
    return None if request.path in allowed or request.path.startswith("/static/") else redirect(page)


def _secured(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Never send a session without https that began over it."""
    cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
    if cookie is not None and request.is_secure():
        cookie["secure"] = True
    return response


password_change_first = before(lambda _request, diverted: diverted, look=_divert)
secure_session_cookie = after(_secured)
