"""Bring a station's local list up to date (OCPP 1.6 §5.10, §5.15): a task of the socket, one call at a time.

What was acknowledged is kept after each piece; what is broken off goes on at the next check.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from stations.errors import NoAnswer, StationAway
from stations.local_lists import Step, take_step
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 8

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


async def bring_up_to_date(station_id: int, call: Call) -> None:
    """Ask and send until the station holds the list it is to hold, or is given up."""
    try:
        step = await _take(station_id)
        while step is not None:
            step = await _take(station_id, step, await _ask(call, step))
    except (StationAway, NoAnswer) as error:
        logger.warning("Station %s: its local list is broken off: %s", station_id, error)
    except Exception:
        logger.exception("Station %s: its local list could not be sent or kept", station_id)


@lru_cache(maxsize=1)
def _turns(loop: asyncio.AbstractEventLoop) -> asyncio.Semaphore:  # noqa: ARG001 (each loop has its own)
    """Return what lets a few lists at a time into the database: what stations say must not wait for a thousand."""
    return asyncio.Semaphore(MOST_AT_ONCE)


async def _take(station_id: int, last: Step | None = None, answer: dict[str, Any] | None = None) -> Step | None:
    """Keep an answer, and say what is next."""
    async with _turns(asyncio.get_running_loop()):
        return await in_database(take_step, station_id=station_id, last=last, answer=answer)


async def _ask(call: Call, step: Step) -> dict[str, Any]:
    """Make the call; a CALLERROR becomes an answer with its code as status."""
    try:
        return await call(step.call.action, step.call.payload)
    except OcppError as error:
        logger.warning("%s refused: %s", step.call.action, error)
        return {"status": error.code}
