"""Nothing but the new password is reachable while the old one must be changed (SPEC S3, S29)."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware

GetResponse = Callable[[HttpRequest], Any]


def _redirect_to_password(request: HttpRequest) -> HttpResponse | None:
    """Send a user with a temporary password to the page that changes it."""
    if not getattr(request.user, "must_change_password", False):
        return None
    if request.path.startswith("/api/"):
        return JsonResponse(
            {"message": f"Change the temporary password first: {reverse('change-password')}"}, status=403
        )
    allowed = {reverse("change-password"), reverse("sign-out"), reverse("set_language")}
    return None if request.path in allowed or request.path.startswith("/static/") else redirect("change-password")


@sync_and_async_middleware
def password_change_first(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike (live pages are async)."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            diverted = await sync_to_async(_redirect_to_password)(request)
            return diverted or await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return _redirect_to_password(request) or get_response(request)

    return middleware
