"""Addresses that no page has."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def refuse_nul(get_response: Callable[[HttpRequest], Any]):  # type: ignore[no-untyped-def]
    """Middleware: refuse a NUL character in path or query, which PostgreSQL keeps in no text and looks for in none."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            return _refusal(request) or await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return _refusal(request) or get_response(request)

    return middleware


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
        return JsonResponse({"message": "expected an address without NUL characters"}, status=400)
    return None
