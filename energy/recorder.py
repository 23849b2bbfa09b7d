"""Record what every decision saw and said, about a minute at a time, so that any minute can be looked at and replayed.

A block holds, for each decision, what changed since the one before: JSON, packed by zlib with each decision, so that
none costs much more than another. It is written when a minute is over, after the decision was sent: one insert a
minute, and a process that is killed loses no more than that. The first block of a process, and one each quarter of an
hour, hold the controller's memory too: there a replay may begin.
"""

import json
import logging
import math
import zlib
from collections.abc import Hashable, Iterator
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from energy.allocation import (
    Circuit,
    ConnectorSeen,
    Controller,
    Cut,
    Decision,
    Observation,
    Reason,
    SurplusRule,
    Timing,
)
from energy.models import Recording

logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=14)
MINUTE_S = 60
MEMORY_EACH_S = 900
_row_of = attrgetter(*(each.name for each in fields(ConnectorSeen)))


@dataclass(frozen=True, slots=True)
class Cycle:
    """One decision as it was recorded: what was seen, what was said (A and reason by connector) and left for charging.

    `is_fallback`: the controller failed, and every station was told its fail-safe current.
    """

    seen: Observation
    allocations: dict[Hashable, float]
    reasons: dict[Hashable, tuple[str, dict[str, Any]]]
    limit: tuple[float, float, float]
    state: str
    is_fallback: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A recorded minute, unpacked. `is_first`: it does not follow on the block before; `state` None: no memory."""

    timing: dict[str, float]
    dynamic: bool
    is_first: bool
    state: dict[str, Any] | None
    cycles: list[dict[str, Any]]


@dataclass
class Recorder:
    """Gather the decisions of the minute that runs."""

    controller: Controller | None = None
    fresh: tuple[Controller, str] | None = None
    """A controller that was made anew, and its memory before it decided."""
    count: int = 0
    began_at: float = 0.0
    """When the first decision of the block was made (Unix time, s)."""
    has_memory: bool = False
    packed: list[bytes] = field(default_factory=list)
    packer: Any = None
    """The zlib stream that the block goes through; what has come out of it is in `packed`."""
    seen: Observation | None = None
    decision: Decision | None = None

    def prepare(self, controller: Controller) -> None:
        """Note the memory of a controller that was made anew, before it decides for the first time; nothing waits."""
        if controller is not self.controller:
            self.fresh = (controller, _json(controller.dump()))

    def record(self, seen: Observation, decision: Decision, *, is_fallback: bool) -> None:
        """Note a decision that was sent, and write the block when its minute is over."""
        if self.fresh is not None:
            self.flush()
            self._begin(*self.fresh, is_first=True)
            self.fresh = None
        if not self.count:
            self.began_at = seen.now
        cycle = _json(_packed(seen, decision, self.seen, self.decision, is_fallback=is_fallback))
        self._pack(f",{cycle}" if self.count else cycle)
        self.count += 1
        self.seen, self.decision = seen, decision
        if self.began_at // MINUTE_S != seen.now // MINUTE_S:
            was_kept = self.flush()
            if self.controller is not None:
                is_memory_due = not was_kept or seen.now % MEMORY_EACH_S < MINUTE_S
                memory = _json(self.controller.dump()) if is_memory_due else "null"
                self._begin(self.controller, memory, is_first=not was_kept)

    def flush(self) -> bool:
        """Write what was gathered; False where it could not be kept. The loop goes on without it."""
        if self.seen is None:
            return True
        self._pack("]}")
        try:
            Recording.objects.create(
                begins_at=_moment(self.began_at),
                ends_at=_moment(self.seen.now),
                cycles=self.count,
                has_memory=self.has_memory,
                data=b"".join([*self.packed, self.packer.flush()]),
            )
        except DatabaseError:
            logger.exception("The flight recorder lost a minute: it could not be written")
            return False
        return True

    def _begin(self, controller: Controller, memory: str, *, is_first: bool) -> None:
        """Begin a block."""
        self.controller, self.has_memory = controller, memory != "null"
        self.count, self.seen, self.decision = 0, None, None
        self.packer, self.packed = zlib.compressobj(), []
        head = {"timing": asdict(controller.timing), "dynamic": controller.dynamic, "first": is_first}
        self._pack(f'{json.dumps(head)[:-1]},"state":{memory},"cycles":[')

    def _pack(self, text: str) -> None:
        """Let a piece of the block's JSON through the stream."""
        self.packed.append(self.packer.compress(text.encode()))


def _json(value: Any) -> str:
    """Write plain values without spaces; infinities and what is no number too, and all exactly as they are."""
    return json.dumps(value, separators=(",", ":"))


def _packed(
    seen: Observation, decision: Decision, before: Observation | None, said: Decision | None, *, is_fallback: bool
) -> dict[str, Any]:
    """Return what is new in a cycle since the one before."""
    cycle: dict[str, Any] = {
        "t": seen.now,
        "g": seen.grid,
        "ga": seen.grid_at,
        "s": decision.state,
        "l": [round(left_a, 2) for left_a in decision.limit],
    }
    if is_fallback:
        cycle["f"] = True
    if before is None or seen.limit != before.limit:
        cycle["m"] = seen.limit
    if before is None or seen.circuits != before.circuits:
        cycle["c"] = [astuple(circuit) for circuit in seen.circuits]
    if seen.unbalance_a != (math.inf if before is None else before.unbalance_a):
        cycle["b"] = None if seen.unbalance_a == math.inf else seen.unbalance_a
    if seen.cuts != (() if before is None else before.cuts):
        cycle["k"] = [(cut.circuit, cut.carries, cut.reason.code, dict(cut.reason.params)) for cut in seen.cuts]
    if seen.surplus != (None if before is None else before.surplus):
        cycle["u"] = seen.surplus
    if before is None or [one.key for one in seen.connectors] != [one.key for one in before.connectors]:
        cycle["all"] = [_row_of(one) for one in seen.connectors]
    else:
        pairs = zip(seen.connectors, before.connectors, strict=True)
        cycle["ch"] = [_row_of(one) for one, old in pairs if one is not old and one != old]
    allocations, reasons = (said.allocations, said.reasons) if said else ({}, {})
    cycle["a"] = [(key, limit_a) for key, limit_a in decision.allocations.items() if allocations.get(key) != limit_a]
    cycle["r"] = [
        (key, str(reason.code), dict(reason.params))
        for key, reason in decision.reasons.items()
        if reasons.get(key) != reason
    ]
    return cycle


def unpack(recording: Recording) -> Block:
    """Read a block."""
    found = json.loads(zlib.decompress(bytes(recording.data)))
    return Block(found["timing"], found["dynamic"], found["first"], found["state"], found["cycles"])


def cycles_of(block: Block) -> Iterator[Cycle]:
    """Put the decisions of a block together again, oldest first."""
    seen: Observation | None = None
    allocations: dict[Hashable, float] = {}
    reasons: dict[Hashable, tuple[str, dict[str, Any]]] = {}
    for cycle in block.cycles:
        seen = _seen(cycle, seen)
        keys = {one.key for one in seen.connectors}
        allocations = {key: told for key, told in allocations.items() if key in keys} | dict(cycle["a"])
        kept = {key: reason for key, reason in reasons.items() if key in keys}
        reasons = kept | {key: (code, params) for key, code, params in cycle["r"]}
        first, second, third = cycle["l"]
        yield Cycle(seen, allocations, reasons, (first, second, third), cycle["s"], "f" in cycle)


def _seen(cycle: dict[str, Any], before: Observation | None) -> Observation:
    if "all" in cycle:
        connectors = tuple(map(_connector, cycle["all"]))
    else:
        assert before is not None
        changed = {row[0]: _connector(row) for row in cycle["ch"]}
        connectors = tuple(changed.get(one.key, one) for one in before.connectors)
    grid = None if cycle["g"] is None else (cycle["g"][0], cycle["g"][1], cycle["g"][2])
    if before is None:
        before = Observation(0.0, (0.0, 0.0, 0.0), None, 0.0, (), ())
    limit, circuits = before.limit, before.circuits
    if "m" in cycle:
        limit = (cycle["m"][0], cycle["m"][1], cycle["m"][2])
    if "c" in cycle:
        circuits = tuple(Circuit(name, (most[0], most[1], most[2]), parent) for name, most, parent in cycle["c"])
    return replace(
        before,
        now=cycle["t"],
        limit=limit,
        grid=grid,
        grid_at=cycle["ga"],
        circuits=circuits,
        connectors=connectors,
        cuts=tuple(map(_cut, cycle["k"])) if "k" in cycle else before.cuts,
        surplus=SurplusRule(cycle["u"]) if cycle.get("u") else None if "u" in cycle else before.surplus,
        unbalance_a=before.unbalance_a if "b" not in cycle else math.inf if cycle["b"] is None else cycle["b"],
    )


def _cut(row: list[Any]) -> Cut:
    circuit, carries, code, params = row
    return Cut(circuit, (carries[0], carries[1], carries[2]), Reason(code, params))


def _connector(row: list[Any]) -> ConnectorSeen:
    key, wiring, minimum, maximum, charging, drawn, *others = row
    return ConnectorSeen(
        key, tuple(wiring), minimum, maximum, charging, None if drawn is None else (drawn[0], drawn[1], drawn[2]),
        *others,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """A connector that today's controller would have told something else than it was told."""

    at: float
    key: Hashable
    told_a: float
    would_tell_a: float
    reason: str


def replay(recordings: Iterator[Recording]) -> Iterator[Difference | int]:
    """Let today's controller decide over what was recorded; yield each difference, and the decisions of each block.

    It begins with the memory of the first block that has one, goes on with its own, and takes the recorded one up where
    a block does not follow on the one before. What the stations did is as recorded, so a difference tends to go on.
    """
    controller: Controller | None = None
    for recording in recordings:
        block = unpack(recording)
        if controller is None and block.state is None:
            continue
        if block.state is not None and (controller is None or block.is_first):
            known = {each.name for each in fields(Timing)}
            timing = Timing(**{name: value for name, value in block.timing.items() if name in known})
            controller = Controller(timing, dynamic=block.dynamic)
            controller.restore(block.state)
        assert controller is not None
        count = 0
        for cycle in cycles_of(block):
            count += 1
            decision = controller.decide(cycle.seen)
            if cycle.is_fallback:
                continue
            for key, told_a in cycle.allocations.items():
                would_tell_a = decision.allocations[key]
                if would_tell_a != told_a:
                    yield Difference(cycle.seen.now, key, told_a, would_tell_a, str(decision.reasons[key]))
        yield count


def recorded_between(since: datetime, until: datetime) -> QuerySet[Recording]:
    """Return the blocks of a time, oldest first, from where a replay can begin: up to a quarter of an hour before."""
    found = Recording.objects.filter(ends_at__gte=since, begins_at__lte=until)
    start = Recording.objects.filter(has_memory=True, begins_at__lte=since).order_by("-begins_at").first()
    if start is not None and found and (since - start.begins_at).total_seconds() < 2 * MEMORY_EACH_S:
        found = Recording.objects.filter(begins_at__gte=start.begins_at, begins_at__lte=until)
    return found.order_by("begins_at")


def forget_old_recordings() -> int:
    """Delete what is older than 14 days; returns how many blocks went."""
    deleted, _rows = Recording.objects.filter(begins_at__lt=timezone.now() - KEPT_FOR).delete()
    return deleted


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, tz=UTC)
