"""What goes out: the newest limits of one station, one call at a time.

The functions run anywhere and publish; `Limits` lives in the process that holds the socket.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from django.utils import timezone

from stations.errors import NoAnswer, StationAway
from stations.metering import LIVE_FOR
from stations.ocpp16.database import in_database
from stations.ocpp16.fail_safe import FailSafeTrial, Subject
from stations.ocpp16.falling_back import Finding
from stations.ocpp16.frames import OcppError
from stations.ocpp16.ladder import Climb, Role, has_room, standing_climb, takes_place_of
from stations.ocpp16.normalise import Sample, text
from stations.ocpp16.obeying import Promise
from stations.ocpp16.profiles import Purpose, Rung, charging_profile, live_profile_id, standing_profile_id
from stations.ocpp16.sockets import publish
from stations.preconfiguration import drop_lasting, keep_climb, lasting_limits, load_climbs, want_standing
from stations.services import held_limit, note_cleared, record_disobeyed, record_limit, record_standing

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
NOT_OBEYED = "accepted but not obeyed"

Told = tuple[int, int, float]
"""Connector number, transaction, A per phase."""


class CallAhead(Protocol):
    """`StationConsumer.call_ahead`."""

    async def __call__(
        self, action: str, payload: dict[str, Any], *, on_late: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """Call the station and return its answer."""


class Limits:
    """The limits one station still has to be told; a newer one replaces one that waits.

    Which form of profile carries them is found on the ladder of their role (`ladder.py`), by what the station answers
    and by what it does then (`obeying.py`).
    """

    def __init__(self, station_id: int, call: CallAhead) -> None:
        self._station_id = station_id
        self._call = call
        self._live: dict[int, Told] = {}
        self._underway: tuple[int, Told] | None = None
        self._told: dict[int, Told] = {}
        self._late: deque[tuple[int | None, Role, Rung, Told]] = deque()
        self._promises: dict[int, Promise] = {}
        self._broken: dict[int, tuple[Promise, float, float]] = {}
        self._recalled: set[int] = set()
        self._to_recall: list[tuple[int, int]] = []
        self._remarks: dict[int, tuple[int, str]] = {}
        self._standing: tuple[list[int], float] | None = None
        self._must_release = False
        self._has_lasting = True
        self._knows_station = False
        self._climbs: dict[Role, Climb] = {}
        self._phases = 3
        self._transactions: dict[int, int] = {}
        self._fallen: dict[int, int] = {}
        self._sending: asyncio.Task[None] | None = None
        self.trial: FailSafeTrial | None = None

    def set_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Let a connector be told `limit_a` as soon as the station is free to hear it, and no test keeps it back.

        What it is being told at this moment comes again where the loop has to fear that it was lost.
        """
        if self.trial is not None and self.trial.keeps(connector_id, transaction_id, limit_a):
            return
        is_underway = self._underway == (connector_id, (number, transaction_id, limit_a))
        if not is_underway or connector_id in self._live:
            self.tell(connector_id, number, transaction_id, limit_a)

    def tell(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Let a connector be told `limit_a`, whatever is tested."""
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

    def hear(self, connector_id: int, transaction_id: int, sample: Sample) -> None:
        """Compare a sample with what its connector accepted; one that was kept while offline says nothing."""
        promise = self._promises.get(connector_id)
        if promise is None:
            self._recall_once(connector_id, transaction_id)
        if promise is None or promise.transaction_id != transaction_id or timezone.now() - sample.at > LIVE_FOR:
            return
        if self.trial is not None:
            self.trial.hear(connector_id, transaction_id, sample)
        verdict = promise.hear(sample, time.monotonic())
        if verdict is not None:
            self._broken[connector_id] = (promise, *verdict)
            self._go()

    def _recall_once(self, connector_id: int, transaction_id: int) -> None:
        """Let it be looked up what a connector accepted on the socket before this one."""
        if connector_id not in self._told and connector_id not in self._recalled:
            self._recalled.add(connector_id)
            self._to_recall.append((connector_id, transaction_id))
            self._go()

    def forget(self) -> None:
        """Look up anew what the station can before the next limit."""
        self._knows_station = False

    def begin_trial(self, subject: list[Any]) -> None:
        """Test whether the station falls back by itself; one test at a time."""
        if self.trial is None:
            self.trial = FailSafeTrial(Subject(*subject), self, self._call)

    def stop_trial(self) -> None:
        """End a running test: a person has had enough of it."""
        if self.trial is not None:
            self.trial.give_up(Finding.STOPPED)

    def end_trial(self, trial: FailSafeTrial) -> None:
        """Send limits as they come again."""
        if self.trial is trial:
            self.trial = None

    def stop(self) -> None:
        """Send no more: the socket is closing."""
        if self._sending is not None:
            self._sending.cancel()

    def _go(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        while self._to_recall or self._late or self._broken or self._live or self._standing or self._must_release:
            try:
                await self._send_next()
            except Exception:
                logger.exception("Station %s: a limit could not be sent or kept", self._station_id)

    async def _send_next(self) -> None:
        """Keep what came of limits already sent; then send one live limit; then take back what must go; then stand."""
        if self._to_recall:
            await self._recall(*self._to_recall.pop())
        elif self._late:
            await self._keep_late(*self._late.popleft())
        elif self._broken:
            connector_id, broken = self._broken.popitem()
            await self._note_broken(connector_id, *broken)
        elif self._live:
            connector_id = next(iter(self._live))
            self._underway = connector_id, self._live.pop(connector_id)
            try:
                await self._send_live(connector_id, *self._underway[1])
            finally:
                self._underway = None
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
            try:
                self._climbs, self._phases = await in_database(load_climbs, station_id=self._station_id)
            except BaseException:
                self._knows_station = False
                raise
        return self._climbs[role]

    async def _send_live(self, connector_id: int, number: int, transaction_id: int, limit_a: float) -> None:
        """Tell one connector its limit and keep the answer; a refusal is kept, and the next form tried at once."""
        climb = await self._climb(Role.LIVE)
        if self._transactions.get(connector_id) != transaction_id:
            if connector_id in self._transactions:  # it has no TxProfile yet; the first on a socket may have one
                self._fallen[connector_id] = transaction_id
            self._transactions[connector_id] = transaction_id
            climb.begin()
        rung = climb.rung()
        refusal: str | None = NO_SMART_CHARGING
        again = False
        told = self._told[connector_id] = (number, transaction_id, limit_a)
        if rung is not None:
            refusal, again = await self._give(climb, rung, connector_id, *told)
        if refusal is None:
            return
        if rung is not None and not refusal:
            still_runs = await self._keep_accepted(connector_id, rung, told)
        else:
            refusal = f"{CANNOT_BE_LIMITED}: {refusal}" if climb.is_exhausted else refusal
            still_runs = await in_database(
                record_limit,
                connector_id=connector_id,
                transaction_id=transaction_id,
                limit_a=limit_a,
                is_beyond_limits=rung is None or climb.is_exhausted,
                refusal=refusal,
            )
        if again and still_runs:
            self._live.setdefault(connector_id, told)
        elif not refusal and not still_runs:
            self.release()

    async def _keep_accepted(self, connector_id: int, rung: Rung, told: Told, *, is_overtaken: bool = False) -> bool:
        """Keep that a limit was accepted, and wait for it to be kept; returns whether its transaction still runs.

        `is_overtaken`: a newer one was sent since, and may be in force as well. A station that keeps none and measures
        nothing is counted at what it says it offers. What it did not keep is shown until the transaction ends.
        """
        _number, transaction_id, limit_a = told
        promise = self._promises.get(connector_id)
        if promise is None or (promise.transaction_id, promise.rung) != (transaction_id, rung):
            promise = Promise(transaction_id, rung)
        if not is_overtaken:
            self._promises[connector_id] = promise
            promise.accept(limit_a, time.monotonic())
        lasts = rung.purpose is not Purpose.TRANSACTION
        self._has_lasting = self._has_lasting or lasts
        remarked_on, remark = self._remarks.get(connector_id, (0, ""))
        return await in_database(
            record_limit,
            connector_id=connector_id,
            transaction_id=transaction_id,
            limit_a=max(limit_a, promise.offered_a) if promise.is_moot else limit_a,
            lasts=lasts,
            replaces_standing=lasts and takes_place_of(rung, await self._standing_rung()),
            is_overtaken=is_overtaken,
            remark=remark if remarked_on == transaction_id else "",
        )

    async def _recall(self, connector_id: int, transaction_id: int) -> None:
        """Take what a connector holds as accepted in the form that is in use."""
        rung = (await self._climb(Role.LIVE)).rung()
        held = await in_database(held_limit, connector_id=connector_id, transaction_id=transaction_id)
        if rung is not None and held is not None and connector_id not in self._told:
            number, limit_a = held
            self._told[connector_id] = (number, transaction_id, limit_a)
            self._promises[connector_id] = Promise(transaction_id, rung, [(time.monotonic(), limit_a)])

    async def _keep_late(self, connector_id: int | None, role: Role, rung: Rung, told: Told) -> None:
        """Keep an acceptance that came after it was waited for: the station holds that limit all the same."""
        climb = await self._climb(role)
        climb.accept(rung)
        await in_database(keep_climb, station_id=self._station_id, climb=climb)
        if connector_id is not None:
            is_overtaken = self._told.get(connector_id) != told
            await self._keep_accepted(connector_id, rung, told, is_overtaken=is_overtaken)

    async def _note_broken(self, connector_id: int, promise: Promise, shown_a: float, allowed_a: float) -> None:
        """Keep that a station accepted a limit and does not keep it, and try the next form, if there is another."""
        if self._promises.get(connector_id) is not promise:
            return
        climb = await self._climb(Role.LIVE)
        is_another_left = climb.disobey(promise.rung)
        await in_database(keep_climb, station_id=self._station_id, climb=climb)
        promise.is_moot = not is_another_left
        what = f"{NOT_OBEYED}{'' if is_another_left else ', in any form'}: {shown_a:g} A instead of {allowed_a:g} A"
        logger.warning("Station %s: %s: %s", self._station_id, promise.rung, what)
        self._remarks[connector_id] = (promise.transaction_id, what)
        still_runs = await in_database(
            record_disobeyed,
            connector_id=connector_id,
            transaction_id=promise.transaction_id,
            refusal=what,
            offered_a=promise.offered_a or None,
        )
        if is_another_left and still_runs:
            del self._promises[connector_id]
            self._live.setdefault(connector_id, self._told[connector_id])

    async def _give(
        self, climb: Climb, rung: Rung, connector_id: int, number: int, transaction_id: int, limit_a: float
    ) -> tuple[str | None, bool]:
        """Send a live limit in one form; returns what `_set_profile` does.

        A TxProfile that the transaction already has would win over any other purpose (§3.13.3): it is cleared first.
        """
        has_fallen = rung.purpose is not Purpose.TRANSACTION and climb.has_transaction_profile
        if has_fallen and self._fallen.get(connector_id) != transaction_id:
            if not await self._clear(number):
                return "its TxProfile cannot be taken back", climb.refuse(rung)
            self._fallen[connector_id] = transaction_id
            await in_database(note_cleared, connector_id=connector_id)
        elif rung.purpose is Purpose.TRANSACTION:
            self._fallen.pop(connector_id, None)
        shares_place = takes_place_of(rung, await self._standing_rung())
        profile_id = standing_profile_id(number) if shares_place else live_profile_id(number)
        return await self._set_profile(climb, rung, profile_id, connector_id, (number, transaction_id, limit_a))

    async def lend(self, subject: Subject, duration_s: float) -> Finding | None:
        """Give a connector its limit for a while only; None: it took it. What it is counted with stays as it is.

        One that did not answer may have taken it.

        That needs a form with an end on the clock, below which the standing current lies.
        """
        rung = (await self._climb(Role.LIVE)).proven
        is_relative = rung is not None and rung.kind != "Absolute"
        if rung is None or is_relative or rung.purpose is Purpose.STATION:
            return Finding.NO_ROOM
        if takes_place_of(rung, await self._standing_rung()):
            return Finding.NO_ROOM
        profile = charging_profile(
            rung=rung,
            profile_id=live_profile_id(subject.number),
            limit_a=subject.limit_a,
            now=timezone.now(),
            transaction_id=subject.transaction_id,
            phases=self._phases,
            duration_s=duration_s,
        )
        payload = {"connectorId": subject.number, "csChargingProfiles": profile}
        try:
            answer = await self._call("SetChargingProfile", payload)
        except (NoAnswer, OcppError) as error:
            logger.warning("Station %s: a limit with an end: %s", self._station_id, error)
            return Finding.NOT_MEASURED if isinstance(error, NoAnswer) else Finding.REFUSED
        return None if answer.get("status") == "Accepted" else Finding.REFUSED

    async def _standing_climb(self) -> Climb:
        """Return the place on the ladder that leads to the standing current."""
        return standing_climb(await self._climb(Role.LIVE), await self._climb(Role.STANDING))

    async def _standing_rung(self) -> Rung | None:
        """Return the form of the standing current."""
        climb = await self._standing_climb()
        return climb.proven if climb.role is Role.LIVE else climb.rung()

    async def _send_standing(self, numbers: list[int], fail_safe_a: float) -> None:
        """Tell every connector its fail-safe current and keep that all took it.

        Where a live limit lies in its place, that is what the station holds until the transaction ends.
        """
        lasting = await in_database(lasting_limits, station_id=self._station_id)
        taken = {place.number for place in lasting if place.replaces_standing and not place.is_over}
        told = [number for number in numbers if number not in taken]
        if not all([await self._stand(number, fail_safe_a) for number in told]):
            return
        replaced = [place.number for place in lasting if place.replaces_standing and place.is_over]
        await in_database(drop_lasting, station_id=self._station_id, numbers=replaced)
        await in_database(record_standing, station_id=self._station_id, numbers=numbers, fail_safe_a=fail_safe_a)

    async def _stand(self, number: int, fail_safe_a: float) -> bool:
        """Tell one connector its fail-safe current, in whatever form it takes; returns whether it did."""
        climb = await self._standing_climb()
        profile_id = standing_profile_id(number)
        again = True
        while again and (rung := await self._standing_rung()) is not None:
            refusal, again = await self._set_profile(climb, rung, profile_id, None, (number, 0, fail_safe_a))
            if refusal == "":
                return True
            again = again and climb.role is Role.STANDING
        return False

    async def _release_ended(self) -> None:
        """Take back live limits that outlived their transaction: clear them, or put the standing current in place."""
        lasting = await in_database(lasting_limits, station_id=self._station_id)
        self._has_lasting = bool(lasting)
        ended = [place for place in lasting if place.is_over]
        if any(place.replaces_standing for place in ended):
            await in_database(want_standing, station_id=self._station_id)
        may_lie_above = has_room((await self._climb(Role.LIVE)).can)
        above = [place for place in ended if may_lie_above or not place.replaces_standing]
        cleared = [place.number for place in above if await self._clear(place.number) and not place.replaces_standing]
        if cleared:
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
        self, climb: Climb, rung: Rung, profile_id: int, connector_id: int | None, told: Told
    ) -> tuple[str | None, bool]:
        """Send SetChargingProfile; returns "" when accepted, why not otherwise, None when the socket closed.

        With it, whether another form, or this one again, is to be tried at once. No `connector_id`, no transaction: it
        is the standing current.
        """
        number, transaction_id, limit_a = told
        profile = charging_profile(
            rung=rung,
            profile_id=profile_id,
            limit_a=limit_a,
            now=timezone.now(),
            transaction_id=transaction_id,
            phases=self._phases,
        )
        connector = 0 if rung.purpose is Purpose.STATION else number
        payload = {"connectorId": connector, "csChargingProfiles": profile}
        on_late = partial(self._hear_late, (connector_id, climb.role, rung, told))
        before = climb.dump()
        try:
            answer = await self._call("SetChargingProfile", payload, on_late=on_late)
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

    def _hear_late(self, late: tuple[int | None, Role, Rung, Told], answer: dict[str, Any]) -> None:
        """Take an answer that came after it was waited for."""
        if answer.get("status") == "Accepted":
            self._late.append(late)
            self._go()
