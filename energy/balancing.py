"""One turn of the loop: read the meter, observe, decide, tell, keep, record."""

import logging
import math
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from energy.allocation import Controller, Decision, LinesFault, Observation, ReasonCode, Timing, fall_back
from energy.dashboard import GROUP
from energy.lines_fault import keep_lines_fault
from energy.models import Allocation, ControllerState, Installation, Meter, Mode, Reading
from energy.observing import TOP_CIRCUIT, Place, StationPlace, observe
from energy.reading import read_meter
from energy.recorder import Recorder
from energy.wiring_checks import Follower
from stations.ocpp16.commands import send_limits, send_standing
from stations.ocpp16.sockets import publish

logger = logging.getLogger(__name__)

SAVE_STATE_EACH_S = 10.0
RESEND_AFTER_S = 20.0
LOST_AFTER_S = 2.0
"""What no station has answered by then may have been lost with a process that died: the broker or the web."""
SAME_A = 0.05
ALLOCATIONS_AT_ONCE = 500


@dataclass
class Loop:
    """What one control worker remembers between two turns; all of it can be found again in the database."""

    controller: Controller | None = None
    controller_for: tuple[object, ...] = ()
    last_tick_at: float = -math.inf
    state_saved_at: float = 0.0
    kept: dict[Hashable, tuple[float, str, dict[str, Any]]] = field(default_factory=dict)
    told: dict[Hashable, tuple[float, int, float]] = field(default_factory=dict)
    stood: dict[int, tuple[float, float]] = field(default_factory=dict)
    recorder: Recorder = field(default_factory=Recorder)
    follower: Follower = field(default_factory=Follower)
    is_operational: bool = True
    lines_fault: LinesFault | None = None


_loop = Loop()


def balance(*, is_tick: bool = False) -> Decision | None:
    """Do one turn; returns its decision, None where a beat longer than the tick lets this one pass."""
    installation, meter = Installation.get_solo(), Meter.get_solo()
    timing = installation.times
    if is_tick and time.monotonic() - _loop.last_tick_at < timing.beat_s - 0.5:
        return None
    sample, grid_at = read_meter(installation, meter) if meter.is_present else (None, 0.0)
    now = time.time()
    if is_tick:
        _loop.last_tick_at = time.monotonic()
    grid = sample.currents_a if sample else None
    seen, places, station_places = observe(installation, now=now, grid=grid, grid_at=grid_at)
    seen = _with_check(seen)
    controller = _controller(installation, timing)
    with _recording():
        _loop.recorder.prepare(controller)
    is_fallback = False
    try:
        decision = controller.decide(seen)
    except Exception:
        logger.exception("No decision could be made: every station is told its fail-safe current")
        decision, is_fallback = fall_back(seen), True
    try:
        _tell(decision, places, station_places, now)
        _loop.is_operational = decision.state == "operational"
        _watch_lines(controller, meter)
        _keep_decision(controller, decision, places, now)
        if is_tick:
            top_a = [circuit.limit[0] for circuit in seen.circuits if circuit.name == TOP_CIRCUIT]
            _keep_reading(decision, min(top_a, default=math.inf), grid, seen_charging(seen.connectors), now)
        publish({"type": "dashboard.changed"}, group=GROUP)
    finally:  # the controller remembers a decision that could not be sent, so a replay must know it
        with _recording():
            _loop.recorder.record(seen, decision, is_fallback=is_fallback)
    return decision


def _with_check(seen: Observation) -> Observation:
    """Let a wiring check that runs lower its car; the loop goes on whatever becomes of it."""
    try:
        return _loop.follower.before(seen, is_operational=_loop.is_operational)
    except Exception:
        logger.exception("The wiring check met a fault; nobody is lowered for it")
        _loop.follower = Follower()
        return seen


def _watch_lines(controller: Controller, meter: Meter) -> None:
    """Keep what is found out about the lines of the meter; who says that it is mended has all of it forgotten."""
    fault = controller.transformers.fault
    if fault is not None and fault == _loop.lines_fault and meter.lines_fault is None:
        controller.transformers.forget()
        fault = None
    if fault != _loop.lines_fault or (fault is None and meter.lines_fault is not None):
        keep_lines_fault(fault=fault)
    _loop.lines_fault = fault


@contextmanager
def _recording() -> Iterator[None]:
    """Let the loop go on whatever the flight recorder meets; that begins anew then."""
    try:
        yield
    except Exception:
        logger.exception("The flight recorder missed a decision")
        _loop.recorder = Recorder()


def seen_charging(connectors: Any) -> tuple[float, float, float]:
    """Add up what the stations say they draw, A on L1, L2, L3."""
    lines = [0.0, 0.0, 0.0]
    for connector in connectors:
        for line, amperes in zip(connector.wiring, connector.drawn or (), strict=False):
            lines[line] += amperes
    return (lines[0], lines[1], lines[2])


def _controller(installation: Installation, timing: Timing) -> Controller:
    """Return the controller; made anew, with its memory, at the first turn and when its settings changed."""
    settings = (timing, installation.mode)
    if _loop.controller is None or settings != _loop.controller_for:
        last = _loop.controller
        memory = last.dump() if last else ControllerState.get_solo().state
        _loop.controller = Controller(timing, dynamic=installation.mode == Mode.DYNAMIC)
        _loop.controller_for = settings
        if memory:
            _loop.controller.restore(memory)
        if last is None:  # it was kept for people too: where it is not any more, it was mended meanwhile
            _loop.lines_fault = _loop.controller.transformers.fault
    return _loop.controller


def _tell(decision: Decision, places: dict[Hashable, Place], station_places: list[StationPlace], now: float) -> None:
    """Send what changed, decreases first, then the standing currents that are not yet held."""
    due = [
        (limit_a - (places[key].accepted_a or 0.0), key, limit_a)
        for key, limit_a in decision.allocations.items()
        if not _falls_in_test(places[key], decision.reasons[key].code)
        and _is_due(places[key], limit_a, _loop.told.get(key), now)
    ]
    due.sort(key=lambda entry: entry[0])
    if due:
        send_limits(
            (places[key].station_id, places[key].connector_id, places[key].number, places[key].transaction_id, limit_a)
            for _change, key, limit_a in due
        )
        _loop.told.update({key: (limit_a, places[key].transaction_id, now) for _change, key, limit_a in due})
    standing = [
        place
        for place in station_places
        if place.is_reachable
        and place.standing_a != place.fail_safe_a
        and not _is_recent(_loop.stood.get(place.station_id), place.fail_safe_a, now)
    ]
    if standing:
        send_standing((place.station_id, list(place.numbers), place.fail_safe_a) for place in standing)
        _loop.stood.update({place.station_id: (place.fail_safe_a, now) for place in standing})


def _is_due(place: Place, limit_a: float, told: tuple[float, int, float] | None, now: float) -> bool:
    """Say whether a limit must be sent: it can be, is not in force, and was not just sent.

    A new transaction is always told: what held for the last one may have gone with it. So is a station that may have
    lost its limit since it was told. One that refused it is told again less often than one that said nothing: while it
    is being told, the socket takes no second limit of the same.
    """
    if not place.is_reachable or not place.is_charging:
        return False
    if told is None or told[1] != place.transaction_id:
        return True
    if place.accepted_a is not None and abs(place.accepted_a - limit_a) < SAME_A:
        return False
    if place.accepted_a is None and place.accepted_at is not None and place.accepted_at > told[2]:
        return True
    again_after_s = RESEND_AFTER_S if place.has_refused else LOST_AFTER_S
    return abs(told[0] - limit_a) >= SAME_A or not 0 <= now - told[2] < again_after_s


def _falls_in_test(place: Place, reason: str) -> bool:
    """Say whether a car takes less because its station is being tested: that is what the test is to show."""
    return place.is_tested and reason == ReasonCode.CAR_TAKES_NO_MORE


def _is_recent(stood: tuple[float, float] | None, fail_safe_a: float, now: float) -> bool:
    """Say whether a standing current was sent so lately that its answer may still come."""
    return stood is not None and stood[0] == fail_safe_a and 0 <= now - stood[1] < RESEND_AFTER_S


@transaction.atomic
def _keep_decision(controller: Controller, decision: Decision, places: dict[Hashable, Place], now: float) -> None:
    """Write the allocations that changed, with their reasons, and the controller's memory."""
    changed = {}
    for key, limit_a in decision.allocations.items():
        kept = (limit_a, str(decision.reasons[key].code), dict(decision.reasons[key].params))
        before = _loop.kept.get(key)
        if not _says_the_same(kept, before) and (places[key].is_charging or (before is not None and before[0] > 0)):
            changed[key] = kept
    Allocation.objects.bulk_create(
        (
            Allocation(
                connector_id=places[key].connector_id,
                decided_at=_moment(now),
                limit_a=limit_a,
                reason=code,
                reason_params=params,
            )
            for key, (limit_a, code, params) in changed.items()
        ),
        batch_size=ALLOCATIONS_AT_ONCE,
    )
    if changed or not 0 <= now - _loop.state_saved_at < SAVE_STATE_EACH_S:
        ControllerState.objects.update_or_create(
            pk=ControllerState.singleton_instance_id, defaults={"state": controller.dump()}
        )
        _loop.state_saved_at = now
    _loop.kept.update(changed)


def _says_the_same(kept: tuple[float, str, dict[str, Any]], before: tuple[float, str, dict[str, Any]] | None) -> bool:
    """Say whether an allocation is as before; that a limit was renewed, and ends later, makes no new one."""
    return before is not None and kept[:2] == before[:2] and _without_end(kept[2]) == _without_end(before[2])


def _without_end(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "until"}


def _keep_reading(
    decision: Decision,
    most_a: float,
    grid: tuple[float, float, float] | None,
    charging: tuple[float, float, float],
    now: float,
) -> None:
    """Write what this tick saw; `most_a`: what charging may have per line, whatever the building leaves."""
    grid_l1_a, grid_l2_a, grid_l3_a = grid or (None, None, None)
    limit_l1_a, limit_l2_a, limit_l3_a = (min(limit_a, most_a) for limit_a in decision.limit)
    Reading.objects.create(
        at=_moment(now),
        state=decision.state,
        grid_l1_a=grid_l1_a,
        grid_l2_a=grid_l2_a,
        grid_l3_a=grid_l3_a,
        charging_l1_a=charging[0],
        charging_l2_a=charging[1],
        charging_l3_a=charging[2],
        limit_l1_a=limit_l1_a,
        limit_l2_a=limit_l2_a,
        limit_l3_a=limit_l3_a,
    )


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, tz=UTC)
