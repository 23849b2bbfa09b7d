"""Nothing but the next step is reachable while a password must be changed (SPEC S3, S29) or a second factor set up."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware

from accounts.models import User
from accounts.second_factor import lacks_second_factor

GetResponse = Callable[[HttpRequest], Any]


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


@sync_and_async_middleware
def password_change_first(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike (live pages are async)."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            diverted = await sync_to_async(_divert)(request)
            return diverted or await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return _divert(request) or get_response(request)

    return middleware


@sync_and_async_middleware
def secure_session_cookie(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware: a session that begins over https is never sent without it."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            return _secured(request, await get_response(request))

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return _secured(request, get_response(request))

    return middleware


def _secured(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
    if cookie is not None and request.is_secure():
        cookie["secure"] = True
    return response
