"""Group write: meter values of many stations become one statement.

A report waits no longer than `GATHER_S` since the last one began; after a quiet moment it is written at once.
"""

import asyncio
import logging
from weakref import WeakKeyDictionary

from stations.metering import Belonging, Report, record_meter_values
from stations.ocpp16.database import in_database
from stations.ocpp16.normalise import MeterValues

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500
GATHER_S = 0.03

Waiting = tuple[Report, "asyncio.Future[Belonging | None]"]


class _Batch:
    """The reports of one event loop that wait for the next write."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.writer: asyncio.Task[None] | None = None
        self.begun_at = 0.0

    async def keep(self, report: Report) -> Belonging | None:
        """Keep a report; returns once it is on disk."""
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[Belonging | None] = loop.create_future()
        self.waiting.append((report, kept))
        if self.writer is None or self.writer.done():
            self.writer = loop.create_task(self._write(loop))
        return await kept

    async def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write batches until nothing waits."""
        while self.waiting:
            await asyncio.sleep(self.begun_at + GATHER_S - loop.time())
            self.begun_at = loop.time()
            batch, self.waiting = self.waiting[:MOST_AT_ONCE], self.waiting[MOST_AT_ONCE:]
            try:
                await self._commit(batch)
            except Exception:
                logger.exception("A batch of %d reports failed; each is tried alone", len(batch))
                await self._commit_singly(batch)

    async def _commit(self, batch: list[Waiting]) -> None:
        found = await in_database(record_meter_values, reports=[report for report, _ in batch])
        for (_, kept), belonging in zip(batch, found, strict=True):
            if not kept.done():
                kept.set_result(belonging)

    async def _commit_singly(self, batch: list[Waiting]) -> None:
        for waiting in batch:
            try:
                await self._commit([waiting])
            except Exception as error:
                if not waiting[1].done():
                    waiting[1].set_exception(error)


_batches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch] = WeakKeyDictionary()


async def keep_meter_values(station_id: int, values: MeterValues) -> Belonging | None:
    """Keep what a station reported; returns the transaction it belongs to, once it is on disk."""
    return await _batches.setdefault(asyncio.get_running_loop(), _Batch()).keep((station_id, values))
