"""Times are shown in the installation's time zone."""

import asyncio
import contextlib
import zoneinfo
from typing import Any

from django.db import DatabaseError, Error
from django.http import HttpRequest
from django.utils import timezone

from accounts.both_ways import before
from energy.models import Installation
from stations.ocpp16.database import in_database

READ_EVERY_S = 5.0


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
    """ASGI wrapper for sockets: each message is taken in the installation's time zone, also after that has changed.

    A station stays connected for weeks. The zone is read every few seconds for all sockets together, beside them: a
    message costs no query, and waits for none.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._zone = zoneinfo.ZoneInfo("UTC")
        self._open = 0
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Run the application, and activate the time zone before each message."""
        self._zone = await in_database(installation_zone)
        timezone.activate(self._zone)

        async def hear() -> Any:
            message = await receive()
            timezone.activate(self._zone)
            return message

        self._open += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        try:
            await self._inner(scope, hear, send)
        finally:
            self._open -= 1
            if not self._open:
                self._reading.cancel()
                self._reading = None

    async def _read_on(self) -> None:
        """Read the zone again and again; while the database is away it stays as it was."""
        while True:
            await asyncio.sleep(READ_EVERY_S)
            with contextlib.suppress(Error):
                self._zone = await in_database(installation_zone)
