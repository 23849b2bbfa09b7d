"""A fail-safe test, carried out beside the socket: lend the limit for a while, and watch what the car draws then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from stations.errors import NoAnswer, StationAway
from stations.fail_safe import end_fail_safe_test
from stations.ocpp16.database import in_database
from stations.ocpp16.falling_back import Finding, has_fallen, is_back
from stations.ocpp16.frames import OcppError
from stations.ocpp16.normalise import Sample

if TYPE_CHECKING:
    from stations.ocpp16.commands import Limits

logger = logging.getLogger(__name__)

LIMIT_S = 30  # how long the limit is lent
SETTLE_S = 10.0  # a car follows within 5 s (IEC 61851-1), the station tells it some seconds late
REPORT_S = 75.0  # within which a station reports what is drawn

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Subject(NamedTuple):
    """What is tested; the limit and the standing current in A per phase."""

    test_id: int
    connector_id: int
    number: int
    transaction_id: int
    limit_a: float
    standing_a: float


class FailSafeTrial:
    """One running test. `Limits` shows it every sample, and asks it before a limit of its connector is sent."""

    def __init__(self, subject: Subject, limits: "Limits", call: Call) -> None:
        self.subject = subject
        self._limits, self._call = limits, call
        self._drawn_a: asyncio.Queue[float] = asyncio.Queue()
        self._newest_a = subject.limit_a
        self._has_lent = self._has_fallen = False
        self._watching = asyncio.get_running_loop().create_task(self._run())

    def hear(self, connector_id: int, transaction_id: int, sample: Sample) -> None:
        """Take what the tested connector draws; what it merely offers proves nothing."""
        is_meant = (connector_id, transaction_id) == (self.subject.connector_id, self.subject.transaction_id)
        if is_meant and sample.has_currents:
            self._drawn_a.put_nowait(max(current for current in sample.currents_a if current is not None))

    def keeps(self, connector_id: int, transaction_id: int, limit_a: float) -> bool:
        """Keep a limit back until the car has fallen; one that is lower must be sent, and ends the test.

        From then on limits go as they come: the rise shows all the same.
        """
        subject = self.subject
        if connector_id != subject.connector_id:
            return False
        is_same = transaction_id == subject.transaction_id
        if is_same and (self._has_fallen or limit_a >= subject.limit_a):
            self._newest_a = limit_a
            return not self._has_fallen
        self.give_up(Finding.NEEDED if is_same else Finding.ENDED)
        return False

    def give_up(self, finding: Finding) -> None:
        """End the test without a result, and give the car its limit again."""
        if not self._watching.done():
            self._watching.cancel()
            self._limits.end_trial(self)
            self._keeping = asyncio.get_running_loop().create_task(self._keep(finding))
            if finding is Finding.STOPPED:
                self._restore()

    async def leave(self) -> None:
        """End the test: the socket is closing, and the limit may have run out."""
        self._watching.cancel()
        await self._keep(Finding.ENDED, left_unlimited=self._has_lent and not self._has_fallen)

    async def _run(self) -> None:
        try:
            finding, drawn_a = await self._watch()
        except StationAway:
            return  # `leave` keeps the end
        self._limits.end_trial(self)
        if self._has_lent and not self._has_fallen:
            self._restore()
        await self._keep(finding, drawn_a)

    async def _watch(self) -> tuple[Finding, float | None]:
        """Carry the test out; returns what it found, and what was drawn after the limit had run out, A."""
        subject = self.subject
        self._has_lent = True  # from now on it may have been
        refusal = await self._limits.lend(subject, LIMIT_S)
        if refusal is not None:
            self._has_lent = refusal is Finding.NOT_MEASURED
            return refusal, None
        await asyncio.sleep(LIMIT_S + SETTLE_S)
        drawn_a, fell = await self._await_draw(lambda drawn: has_fallen(drawn, subject.standing_a))
        if drawn_a is None or not fell:
            return Finding.NOT_MEASURED if drawn_a is None else Finding.STAYED, drawn_a
        self._has_fallen = True
        self._restore()
        _again_a, rose = await self._await_draw(lambda drawn: is_back(drawn, subject.standing_a))
        return Finding.PASSED if rose else Finding.NOT_BACK, drawn_a

    async def _await_draw(self, is_so: Callable[[float], bool]) -> tuple[float | None, bool]:
        """Wait for a report that shows something; returns the last one's A (None: none came), and whether it did."""
        while not self._drawn_a.empty():
            self._drawn_a.get_nowait()
        await self._ask_for_report()
        drawn_a = None
        try:
            async with asyncio.timeout(REPORT_S):
                while drawn_a is None or not is_so(drawn_a):
                    drawn_a = await self._drawn_a.get()
        except TimeoutError:
            return drawn_a, False
        return drawn_a, True

    async def _ask_for_report(self) -> None:
        """Have what is drawn reported at once, where the station can (OCPP 1.6 §5.17)."""
        asked = {"requestedMessage": "MeterValues", "connectorId": self.subject.number}
        try:
            await self._call("TriggerMessage", asked)
        except (OcppError, NoAnswer) as error:
            logger.info("Station of test %s: TriggerMessage: %s", self.subject.test_id, error)

    def _restore(self) -> None:
        """Let the car have its limit again, or the newest that came meanwhile."""
        subject = self.subject
        self._limits.tell(subject.connector_id, subject.number, subject.transaction_id, self._newest_a)

    async def _keep(self, finding: Finding, drawn_a: float | None = None, *, left_unlimited: bool = False) -> None:
        logger.info("Fail-safe test %s: %s", self.subject.test_id, finding)
        try:
            await in_database(
                end_fail_safe_test,
                test_id=self.subject.test_id,
                finding=finding,
                drawn_after_a=drawn_a,
                left_unlimited=left_unlimited,
            )
        except Exception:
            logger.exception("The end of fail-safe test %s could not be kept", self.subject.test_id)
