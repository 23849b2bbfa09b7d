"""Group commit: meter values that arrive while a commit runs share the next one.

A commit costs milliseconds of disk, a row microseconds. Nothing waits on a clock: the first report is written at once,
and the more arrive meanwhile, the larger the next batch. Each is answered when its own batch is on disk.
"""

import asyncio
import logging
from weakref import WeakKeyDictionary

from stations.metering import Report, record_meter_values
from stations.models import Transaction
from stations.ocpp16.database import in_database
from stations.ocpp16.normalise import MeterValues

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500

Waiting = tuple[Report, "asyncio.Future[Transaction | None]"]


class _Batch:
    """The reports of one event loop that wait for the next commit."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.writer: asyncio.Task[None] | None = None

    async def keep(self, report: Report) -> Transaction | None:
        """Keep a report; returns once it is on disk."""
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[Transaction | None] = loop.create_future()
        self.waiting.append((report, kept))
        if self.writer is None or self.writer.done():
            self.writer = loop.create_task(self._write())
        return await kept

    async def _write(self) -> None:
        """Write batches until nothing waits."""
        while self.waiting:
            batch, self.waiting = self.waiting[:MOST_AT_ONCE], self.waiting[MOST_AT_ONCE:]
            try:
                await self._commit(batch)
            except Exception:
                logger.exception("A batch of %d reports failed; each is tried alone", len(batch))
                await self._commit_singly(batch)

    async def _commit(self, batch: list[Waiting]) -> None:
        found = await in_database(record_meter_values, reports=[report for report, _ in batch])
        for (_, kept), transaction in zip(batch, found, strict=True):
            if not kept.done():
                kept.set_result(transaction)

    async def _commit_singly(self, batch: list[Waiting]) -> None:
        for waiting in batch:
            try:
                await self._commit([waiting])
            except Exception as error:
                if not waiting[1].done():
                    waiting[1].set_exception(error)


_batches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch] = WeakKeyDictionary()


async def keep_meter_values(station_id: int, values: MeterValues) -> Transaction | None:
    """Keep what a station reported; returns the transaction it belongs to, once it is on disk."""
    return await _batches.setdefault(asyncio.get_running_loop(), _Batch()).keep((station_id, values))
