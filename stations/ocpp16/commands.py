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
from stations.ocpp16.ladder import Climb, Role, standing_climb, takes_place_of
from stations.ocpp16.normalise import text
from stations.ocpp16.profiles import Purpose, Rung, charging_profile, live_profile_id, standing_profile_id
from stations.ocpp16.sockets import publish
from stations.preconfiguration import drop_lasting, keep_climb, lasting_limits, load_climbs, want_standing
from stations.services import note_cleared, record_limit, record_standing

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


CANNOT_BE_LIMITED = "cannot be limited"
NO_SMART_CHARGING = f"{CANNOT_BE_LIMITED}: no SmartCharging"


class Limits:
    """The limits one station still has to be told; a newer one replaces one that waits.

    Which form of profile carries them is found on the ladder of their role (`ladder.py`).
    """

    def __init__(self, station_id: int, call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
        self._station_id = station_id
        self._call = call
        self._live: dict[int, tuple[int, int, float]] = {}
        self._standing: tuple[list[int], float] | None = None
        self._must_release = False
        self._has_lasting = True
        self._knows_station = False
        self._climbs: dict[Role, Climb] = {}
        self._phases = 3
        self._transactions: dict[int, int] = {}
        self._fallen: dict[int, int] = {}
        self._sending: asyncio.Task[None] | None = None

    def set_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Let a connector be told `limit_a` as soon as the station is free to hear it."""
        self._live[connector_id] = (number, transaction_id, limit_a)
        self._go()

    def set_standing(self, numbers: list[int], fail_safe_a: float) -> None:
        """Let every connector be told its standing fail-safe current; live limits go first."""
        self._standing = (numbers, fail_safe_a)
        self._go()

    def release(self) -> None:
        """Let live limits that outlived their transaction be taken back, if there are any."""
        if self._has_lasting:
            self._must_release = True
            self._go()

    def forget(self) -> None:
        """Look up anew what the station can before the next limit."""
        self._knows_station = False

    def stop(self) -> None:
        """Send no more: the socket is closing."""
        if self._sending is not None:
            self._sending.cancel()

    def _go(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        while self._live or self._standing or self._must_release:
            try:
                await self._send_next()
            except Exception:
                logger.exception("Station %s: a limit could not be sent or kept", self._station_id)

    async def _send_next(self) -> None:
        """Send one live limit, or where none waits take back what must go, then the standing current."""
        if self._live:
            connector_id = next(iter(self._live))
            await self._send_live(connector_id, *self._live.pop(connector_id))
        elif self._must_release:
            self._must_release = False
            await self._release_ended()
        elif self._standing:
            numbers, fail_safe_a = self._standing
            self._standing = None
            await self._send_standing(numbers, fail_safe_a)

    async def _climb(self, role: Role) -> Climb:
        """Return where the station is on the ladder of a role."""
        while not self._knows_station:
            self._knows_station = True
            self._climbs, self._phases = await in_database(load_climbs, station_id=self._station_id)
        return self._climbs[role]

    async def _send_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Tell one connector its limit and keep the answer; a refusal is kept, and the next form tried at once."""
        climb = await self._climb(Role.LIVE)
        if self._transactions.get(connector_id) != transaction_id:
            self._transactions[connector_id] = transaction_id
            climb.begin()
        rung = climb.rung()
        lasts = rung is not None and rung.purpose is not Purpose.TRANSACTION
        refusal: str | None = NO_SMART_CHARGING
        again = False
        if rung is not None:
            refusal, again = await self._give(climb, rung, connector_id, number, transaction_id, limit_a)
        if refusal is None:
            return
        if climb.is_exhausted:
            refusal = f"{CANNOT_BE_LIMITED}: {refusal}"
        self._has_lasting = self._has_lasting or (lasts and not refusal)
        still_runs = await in_database(
            record_limit,
            connector_id=connector_id,
            transaction_id=transaction_id,
            limit_a=limit_a,
            lasts=lasts,
            refusal=refusal,
        )
        if again and still_runs:
            self._live.setdefault(connector_id, (number, transaction_id, limit_a))
        elif not refusal and not still_runs:
            self.release()

    async def _give(
        self, climb: Climb, rung: Rung, connector_id: int, number: int, transaction_id: int, limit_a: float
    ) -> tuple[str | None, bool]:
        """Send a live limit in one form; returns what `_set_profile` does.

        A TxProfile that the transaction already has would win over any other purpose (§3.13.3): it is cleared first.
        """
        has_fallen = climb.proven is not None and climb.proven.purpose is Purpose.TRANSACTION is not rung.purpose
        if has_fallen and self._fallen.get(connector_id) != transaction_id:
            if not await self._clear(number):
                return "its TxProfile cannot be taken back", climb.refuse(rung)
            self._fallen[connector_id] = transaction_id
            await in_database(note_cleared, connector_id=connector_id)
        elif rung.purpose is Purpose.TRANSACTION:
            self._fallen.pop(connector_id, None)
        shares_place = takes_place_of(rung, await self._standing_rung())
        profile_id = standing_profile_id(number) if shares_place else live_profile_id(number)
        return await self._set_profile(climb, rung, number, profile_id, limit_a, transaction_id)

    async def _standing_climb(self) -> Climb:
        """Return the place on the ladder that leads to the standing current."""
        return standing_climb(await self._climb(Role.LIVE), await self._climb(Role.STANDING))

    async def _standing_rung(self) -> Rung | None:
        """Return the form of the standing current."""
        climb = await self._standing_climb()
        return climb.proven if climb.role is Role.LIVE else climb.rung()

    async def _share_place(self) -> list[bool]:
        """Say of two forms whether they lie where the standing current does: the live limit's, and the best that lasts.

        They differ where a form that lasts was used only until its transaction ended.
        """
        standing = await self._standing_rung()
        live = await self._climb(Role.LIVE)
        return [rung is not None and takes_place_of(rung, standing) for rung in (live.rung(), live.lasting_rung())]

    async def _send_standing(self, numbers: list[int], fail_safe_a: float) -> None:
        """Tell every connector its fail-safe current and keep that all took it.

        Where a live limit lies in its place, that is what the station holds until the transaction ends.
        """
        shares_place = any(await self._share_place())
        lasting = await in_database(lasting_limits, station_id=self._station_id)
        taken = {number for number, is_over in lasting if shares_place and not is_over}
        told = [number for number in numbers if number not in taken]
        if not all([await self._stand(number, fail_safe_a) for number in told]):
            return
        if shares_place:
            await in_database(drop_lasting, station_id=self._station_id, numbers=told)
        await in_database(record_standing, station_id=self._station_id, fail_safe_a=fail_safe_a)

    async def _stand(self, number: int, fail_safe_a: float) -> bool:
        """Tell one connector its fail-safe current, in whatever form it takes; returns whether it did."""
        climb = await self._standing_climb()
        profile_id = standing_profile_id(number)
        again = True
        while again and (rung := await self._standing_rung()) is not None:
            refusal, again = await self._set_profile(climb, rung, number, profile_id, fail_safe_a, None)
            if refusal == "":
                return True
            again = again and climb.role is Role.STANDING
        return False

    async def _release_ended(self) -> None:
        """Take back live limits that outlived their transaction: clear them, or put the standing current in place."""
        lasting = await in_database(lasting_limits, station_id=self._station_id)
        self._has_lasting = bool(lasting)
        ended = [number for number, is_over in lasting if is_over]
        shares_place = await self._share_place()
        if ended and any(shares_place):
            await in_database(want_standing, station_id=self._station_id)
        if all(shares_place):
            return
        cleared = [number for number in ended if await self._clear(number)]
        if cleared and not any(shares_place):
            await in_database(drop_lasting, station_id=self._station_id, numbers=cleared)

    async def _clear(self, number: int) -> bool:
        """Take the live profile of a connector back; returns whether it is gone."""
        try:
            answer = await self._call("ClearChargingProfile", {"id": live_profile_id(number)})
        except (StationAway, NoAnswer, OcppError) as error:
            logger.warning("Station %s, connector %s: limit not taken back: %s", self._station_id, number, error)
            return False
        return answer.get("status") in ("Accepted", "Unknown")

    async def _set_profile(
        self, climb: Climb, rung: Rung, number: int, profile_id: int, limit_a: float, transaction_id: int | None
    ) -> tuple[str | None, bool]:
        """Send SetChargingProfile; returns "" when accepted, why not otherwise, None when the socket closed.

        With it, whether another form, or this one again, is to be tried at once.
        """
        profile = charging_profile(
            rung=rung,
            profile_id=profile_id,
            limit_a=limit_a,
            now=timezone.now(),
            transaction_id=transaction_id,
            phases=self._phases,
        )
        connector = 0 if rung.purpose is Purpose.STATION else number
        before = climb.dump()
        try:
            answer = await self._call("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": profile})
            status = text(answer.get("status"), 200) or "an answer without a status"
        except StationAway:
            return None, False
        except NoAnswer as error:
            status, again = str(error), climb.miss(rung)
        except OcppError as error:
            status, again = str(error), climb.refuse(rung)
        else:
            again = status != "Accepted" and climb.refuse(rung)
        if status == "Accepted":
            climb.accept(rung)
        else:
            logger.warning("Station %s, connector %s: %s A as %s: %s", self._station_id, number, limit_a, rung, status)
        if climb.dump() != before and self._knows_station:
            await in_database(keep_climb, station_id=self._station_id, climb=climb)
        return "" if status == "Accepted" else status, again
