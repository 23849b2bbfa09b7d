"""Times are shown in the installation's time zone."""

import zoneinfo
from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from energy.models import Installation

GetResponse = Callable[[HttpRequest], HttpResponse]


def activate_installation_time_zone() -> None:
    """Make the installation's time zone the current one; UTC while it is unknown."""
    try:
        timezone.activate(zoneinfo.ZoneInfo(Installation.get_solo().time_zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        timezone.deactivate()


@sync_and_async_middleware
def installation_time_zone(get_response: GetResponse):  # type: ignore[no-untyped-def]
    """Middleware, for sync and async views alike."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            await sync_to_async(activate_installation_time_zone)()
            return await get_response(request)

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponse:
        activate_installation_time_zone()
        return get_response(request)

    return middleware
