"""The pre-configuration: learn what a station can, then write what load management needs (OCPP 1.6 §5.8, §5.3).

A task of the socket, one call at a time. Each step is kept before it is taken, so that a station that restarts on it is
not asked again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from stations.errors import NoAnswer, StationAway
from stations.ocpp16.configuration import (
    MOST_KEYS,
    Reported,
    capabilities,
    next_change,
    pieces,
    read_answer,
    tells_all,
    worth_keeping,
)
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.normalise import text
from stations.preconfiguration import Known, begin_onboarding, keep_reported, keep_tried

logger = logging.getLogger(__name__)

SETTLE_S = 5.0  # after a boot, in which stations are busy
QUIET_S = 10.0  # after a connect: a station that reconnects need not boot

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


async def onboard(
    station_id: int, call: Call, delay_s: float, on_learned: Callable[[], None], *, is_return: bool = False
) -> None:
    """Learn and write, in `delay_s`; `on_learned` is told when the abilities of the station have become known.

    `is_return`: it came back without a boot, and is asked what it does now.
    """
    await asyncio.sleep(delay_s)
    try:
        known = await in_database(begin_onboarding, station_id=station_id)
        if known is None:
            return
        reported = known.reported
        if not known.is_read:
            reported = worth_keeping(await _read(call))
            await in_database(keep_reported, station_id=station_id, reported=reported)
            on_learned()
        await _write(station_id, call, reported, known)
        if is_return and "RemoteTrigger" in capabilities(reported).feature_profiles:
            await _catch_up(call)
    except (StationAway, NoAnswer) as error:
        logger.warning("Station %s: pre-configuration broken off: %s", station_id, error)
    except Exception:
        logger.exception("Station %s: pre-configuration failed", station_id)


async def _catch_up(call: Call) -> None:
    """Let a station say what may have happened while it was away (OCPP 1.6 §5.17)."""
    for requested in ("StatusNotification", "MeterValues"):
        try:
            await call("TriggerMessage", {"requestedMessage": requested})
        except OcppError as error:
            logger.info("TriggerMessage of %s refused: %s", requested, error)


async def _read(call: Call) -> dict[str, Reported]:
    """Ask for the whole configuration, and in pieces for what that did not bring; refusals leave a part unknown.

    Raises NoAnswer at the second silence: a third silence would cost the socket.
    """
    try:
        reported = await _ask(call, [])
    except NoAnswer:
        reported = {}
    if tells_all(reported):
        return reported
    if not reported:
        reported = await _ask(call, [MOST_KEYS])
    for piece in pieces(reported):
        reported |= await _ask(call, piece)
    return reported


async def _ask(call: Call, names: list[str]) -> dict[str, Reported]:
    """Ask for some keys, for none: all; a refusal tells nothing."""
    try:
        return read_answer(await call("GetConfiguration", {"key": names} if names else {}))
    except OcppError as error:
        logger.info("GetConfiguration of %s refused: %s", names or "everything", error)
        return {}


async def _write(station_id: int, call: Call, reported: dict[str, Reported], known: Known) -> None:
    """Write what differs, each value once; raises NoAnswer at the first silence."""
    tried = known.tried
    while (change := next_change(reported, tried, known.vendor)) is not None:
        await in_database(keep_tried, station_id=station_id, change=change)
        try:
            answer = await call("ChangeConfiguration", {"key": change.key, "value": change.value})
            outcome = text(answer.get("status"), 200) or "an answer without a status"
        except OcppError as error:
            outcome = text(str(error), 200)
        except NoAnswer:
            await in_database(keep_tried, station_id=station_id, change=change, outcome="no answer")
            raise
        tried = await in_database(keep_tried, station_id=station_id, change=change, outcome=outcome)
        logger.info("Station %s: %s = %s: %s", station_id, change.key, change.value, outcome)
