"""Where a change comes from: the request in which it is made, or the way that needs none. The audit trail asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.db.models import TextChoices
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext_lazy as _

GetResponse = Callable[[HttpRequest], Any]


class Way(TextChoices):
    """By which way a change came in."""

    PAGE = "page", _("Page")
    API = "api", _("REST API")
    SITE_FILE = "site_file", _("Site file")
    COMMAND_LINE = "command_line", _("Command line")
    ITSELF = "itself", _("The load manager itself")


class Origin(NamedTuple):
    """Where a change comes from that no request makes; `who` and `address` are known where a page has asked for it."""

    way: Way
    who: str = ""
    address: str | None = None


_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_named: ContextVar[Origin | None] = ContextVar("origin", default=None)


def present_request() -> HttpRequest | None:
    """Return the request that is being answered; None outside of one."""
    return _request.get()


def named_origin() -> Origin | None:
    """Return what was named for what happens now (`changes_come_by`)."""
    return _named.get()


def present_way() -> Way:
    """Return the way by which what happens now came in."""
    request, named = _request.get(), _named.get()
    if named is not None:
        return named.way
    if request is None:
        return Way.ITSELF
    return Way.API if request.path.startswith("/api/") else Way.PAGE


@contextmanager
def changes_come_by(way: Way, *, who: str = "", address: str | None = None) -> Iterator[None]:
    """Name the way for what happens within, and who asked for it from where."""
    before = _named.set(Origin(way, who, address))
    try:
        yield
    finally:
        _named.reset(before)


@sync_and_async_middleware
def note_request(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike: it keeps the request at hand and asks the database nothing.

    The user is looked up when something changes: a token of the REST API names its user only within the view.
    """
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            before = _request.set(request)
            try:
                return await get_response(request)
            finally:
                _request.reset(before)

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        before = _request.set(request)
        try:
            return get_response(request)
        finally:
            _request.reset(before)

    return middleware
