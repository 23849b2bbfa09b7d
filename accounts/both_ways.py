"""Middleware for sync and async views alike (live pages are async): what comes before a view, and after it."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

GetResponse = Callable[[HttpRequest], Any]


def before(
    act: Callable[[HttpRequest, Any], HttpResponse | None], *, look: Callable[[HttpRequest], Any] | None = None
) -> Callable[[GetResponse], GetResponse]:
    """Make a middleware that acts before the view, or answers in its place.

    `look` may ask the database, which an async view may not; `act` is given what it found and runs where the view does.
    """

    @sync_and_async_middleware
    def middleware(get_response: GetResponse) -> GetResponse:
        if iscoroutinefunction(get_response):

            async def async_answer(request: HttpRequest) -> Any:
                found = None if look is None else await sync_to_async(look)(request)
                return act(request, found) or await get_response(request)

            return async_answer

        def answer(request: HttpRequest) -> Any:
            return act(request, None if look is None else look(request)) or get_response(request)

        return answer

    return middleware


def after(change: Callable[[HttpRequest, HttpResponse], HttpResponse]) -> Callable[[GetResponse], GetResponse]:
    """Make a middleware that changes what the view answered."""

    @sync_and_async_middleware
    def middleware(get_response: GetResponse) -> GetResponse:
        if iscoroutinefunction(get_response):

            async def async_answer(request: HttpRequest) -> Any:
                return change(request, await get_response(request))

            return async_answer

        def answer(request: HttpRequest) -> Any:
            return change(request, get_response(request))

        return answer

    return middleware
