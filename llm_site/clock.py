"""Times are shown in the installation's time zone."""

import zoneinfo
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from accounts.both_ways import before
from energy.models import Installation
from stations.ocpp16.database import in_database


def installation_zone() -> zoneinfo.ZoneInfo:
    """Return the installation's time zone; UTC where it is none."""
    try:
        return zoneinfo.ZoneInfo(Installation.get_solo().time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def activate_installation_time_zone() -> None:
    """Make the installation's time zone the current one of this request or task."""
    timezone.activate(installation_zone())


def _zone_of_request(_request: HttpRequest) -> zoneinfo.ZoneInfo:
    """Return the installation's time zone; UTC while the database is away, so that a page can say so."""
    try:
        return installation_zone()
    except DatabaseError:
        return zoneinfo.ZoneInfo("UTC")


installation_time_zone = before(lambda _request, zone: timezone.activate(zone), look=_zone_of_request)


class InstallationTimeZone:
    """ASGI wrapper for sockets: what runs within one has the time zone that was set when it opened."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Activate the time zone and run the application."""
        timezone.activate(await in_database(installation_zone))
        await self._inner(scope, receive, send)
