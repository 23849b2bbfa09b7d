"""What goes out: the newest limits of one station, one call at a time.

The functions run anywhere and publish; `Limits` lives in the process that holds the socket.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from django.utils import timezone

from stations.errors import NoAnswer, StationAway
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.profiles import Purpose, charging_profile
from stations.ocpp16.sockets import publish
from stations.services import record_limit, record_standing

logger = logging.getLogger(__name__)

LiveLimit = tuple[int, int, int, int, float]
"""Station, connector (primary keys), connector number, open transaction, A per phase."""
Standing = tuple[int, list[int], float]
"""Station (primary key), numbers of its connectors, fail-safe A per phase."""


def send_limits(limits: Iterable[LiveLimit]) -> None:
    """Publish live limits; they go on the wire in the order given."""
    publish({"type": "stations.limits", "limits": [list(limit) for limit in limits]})


def send_standing(standing: Iterable[Standing]) -> None:
    """Publish standing fail-safe currents."""
    publish({"type": "stations.standing", "standing": [list(entry) for entry in standing]})


class Limits:
    """The limits one station still has to be told; a newer one replaces one that waits."""

    def __init__(self, station_id: int, call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
        self._station_id = station_id
        self._call = call
        self._live: dict[int, tuple[int, int, float]] = {}
        self._standing: tuple[list[int], float] | None = None
        self._sending: asyncio.Task[None] | None = None

    def set_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Let a connector be told `limit_a` as soon as the station is free to hear it."""
        self._live[connector_id] = (number, transaction_id, limit_a)
        self._go()

    def set_standing(self, numbers: list[int], fail_safe_a: float) -> None:
        """Let every connector be told its standing fail-safe current; live limits go first."""
        self._standing = (numbers, fail_safe_a)
        self._go()

    def stop(self) -> None:
        """Send no more: the socket is closing."""
        if self._sending is not None:
            self._sending.cancel()

    def _go(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        while self._live or self._standing:
            try:
                await self._send_next()
            except Exception:
                logger.exception("Station %s: a limit could not be sent or kept", self._station_id)

    async def _send_next(self) -> None:
        """Send one live limit, or where none waits the standing current."""
        if self._live:
            connector_id = next(iter(self._live))
            await self._send_live(connector_id, *self._live.pop(connector_id))
        elif self._standing:
            numbers, fail_safe_a = self._standing
            self._standing = None
            await self._send_standing(numbers, fail_safe_a)

    async def _send_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Tell one connector its limit and keep the answer."""
        refusal = await self._set_profile(number, Purpose.TRANSACTION, limit_a, transaction_id)
        if refusal is not None:
            await in_database(
                record_limit,
                connector_id=connector_id,
                transaction_id=transaction_id,
                limit_a=limit_a,
                refusal=refusal,
            )

    async def _send_standing(self, numbers: list[int], fail_safe_a: float) -> None:
        """Tell every connector its fail-safe current and keep that all took it."""
        refusals = [await self._set_profile(number, Purpose.DEFAULT, fail_safe_a, None) for number in numbers]
        if all(refusal == "" for refusal in refusals):
            await in_database(record_standing, station_id=self._station_id, fail_safe_a=fail_safe_a)

    async def _set_profile(
        self, number: int, purpose: Purpose, limit_a: float, transaction_id: int | None
    ) -> str | None:
        """Send SetChargingProfile; returns "" when accepted, why not otherwise, None when the socket closed."""
        profile = charging_profile(purpose=purpose, limit_a=limit_a, now=timezone.now(), transaction_id=transaction_id)
        try:
            answer = await self._call("SetChargingProfile", {"connectorId": number, "csChargingProfiles": profile})
        except StationAway:
            return None
        except (NoAnswer, OcppError) as error:
            logger.warning("Station %s, connector %s: limit %s A: %s", self._station_id, number, limit_a, error)
            return str(error)
        status = str(answer.get("status", ""))
        return "" if status == "Accepted" else status or "an answer without a status"
