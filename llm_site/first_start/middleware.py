"""An administrator is led through the first start until it is done (SPEC S3–S5)."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware

from llm_site.first_start.services import is_first_start

GetResponse = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def lead_through_first_start(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike.

    It leads away from the pages where people arrive, and from them alone: who opens any other page knows where to go.
    """
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            led = await sync_to_async(_lead)(request) if _is_arrival(request) else None
            return led or await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return (_is_arrival(request) and _lead(request)) or get_response(request)

    return middleware


def _is_arrival(request: HttpRequest) -> bool:
    return request.method == "GET" and request.path in (reverse("overview"), reverse("admin:index"))


def _lead(request: HttpRequest) -> HttpResponse | None:
    return redirect("first-start-place") if is_first_start(request.user) else None
