"""Let cars charge from what the building feeds back: how much that is, who may begin on it, and who may stay.

What counts is the sum of the lines, as the meter of a supplier forms it: a roof on L1 may feed a car on L2. So the
surplus is one more place of the tree, which a car loads once for each of its lines; the kernel and the two steps treat
it as any other, and a line or circuit that is full still holds a car back, whatever the sun does.

Slowly up, down at once: what is above the minimums follows the least of the last seconds. A contactor moves rarely: to
begin, a minimum needs a surplus that was never less for `surplus_start_s`; to stay, one that was once as much within
`surplus_stop_s`.
"""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Sequence
from math import inf
from typing import Any

from .kernel import TOLERANCE_A, Share, share_out
from .model import Demand, Reason, ReasonCode, Timing
from .tree import Tree

PLACE = "\nsurplus"
"""What the place is called in the tree: a name that no circuit of an installer can have."""

WAITING = Share(0.0, Reason(ReasonCode.WAITING_SURPLUS))

History = deque[tuple[float, float]]
"""When the surplus was how much (A, sum of the lines): only what is the least, or the most, of all since."""


class Surplus:
    """Follow the surplus: the current that flows out on all lines together, cars left out; imports count against it."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.forget()

    def forget(self) -> None:
        """Begin with no memory."""
        self.began_at: float | None = None
        self.newest_at = 0.0
        self.least: History = deque()
        self.most: History = deque()

    def dump(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {
            "began_at": self.began_at,
            "newest_at": self.newest_at,
            "least": list(self.least),
            "most": list(self.most),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.began_at, self.newest_at = state["began_at"], state["newest_at"]
        self.least = deque((at, surplus_a) for at, surplus_a in state["least"])
        self.most = deque((at, surplus_a) for at, surplus_a in state["most"])

    def update(self, building: Iterable[float], now: float) -> None:
        """Take in what the building draws on each line, A; after a time without readings, begin anew."""
        if self.began_at is None or now - self.newest_at > self.timing.stale_meter_s:
            self.forget()
            self.began_at = now
        surplus_a = -sum(building)
        _append(self.least, surplus_a, now, 1)
        _append(self.most, surplus_a, now, -1)
        self.newest_at = now
        oldest_at = now - max(self.timing.surplus_start_s, self.timing.surplus_stop_s)
        for history in (self.least, self.most):
            while history[0][0] < oldest_at:
                history.popleft()

    def least_since(self, since: float) -> float:
        """Return the least surplus since then, A; 0 before anything was seen."""
        return next((surplus_a for at, surplus_a in self.least if at >= since), self._newest())

    def to_begin(self, now: float) -> float:
        """Return the surplus on which a car may begin, A; 0 until it was followed for `surplus_start_s`."""
        since = now - self.timing.surplus_start_s
        return 0.0 if self.began_at is None or self.began_at > since else self.least_since(since)

    def to_stay(self, now: float) -> float:
        """Return the surplus on which a car may go on, A; infinite until it was followed for `surplus_stop_s`."""
        since = now - self.timing.surplus_stop_s
        if self.began_at is None or self.began_at > since:
            return inf
        return next((surplus_a for at, surplus_a in self.most if at >= since), self._newest())

    def _newest(self) -> float:
        return self.least[-1][1] if self.least else 0.0


def _append(history: History, surplus_a: float, now: float, sign: int) -> None:
    """Add the newest figure and drop the older ones that it makes superfluous."""
    while history and sign * history[-1][1] >= sign * surplus_a:
        history.pop()
    history.append((now, surplus_a))


def admit(
    tree: Tree,
    demands: Sequence[Demand],
    has_place: Collection[Hashable],
    begin_a: float,
    stay_a: float,
    *,
    swaps: bool,
) -> set[Hashable]:
    """Make room for the minimums of those who stay, and return who may not begin yet (`SurplusRule.ONLY`).

    `has_place`: who charges, or was given a place. `begin_a`, `stay_a`: the surplus on which one may begin and go on.
    `swaps`: places change hands now, so anybody may come in, but no more than before.
    """
    kept_a = taken_a = 0.0
    too_early = set()
    wanting = [demand for demand in demands if demand.maximum >= demand.minimum]
    for demand in sorted(wanting, key=lambda each: (-each.priority, each.waiting_since, len(each.lines))):
        needed_a = needs(demand)
        if demand.key in has_place:
            if kept_a + needed_a <= stay_a + TOLERANCE_A:
                kept_a += needed_a
                taken_a += needed_a
        elif taken_a + needed_a <= begin_a + TOLERANCE_A:
            taken_a += needed_a
        else:
            too_early.add(demand.key)
    if swaps:
        tree.room[tree.pool] = max(kept_a, min(tree.room[tree.pool], begin_a))
        return set()
    tree.room[tree.pool] = max(kept_a, tree.room[tree.pool])
    return too_early


def share_above_minimums(tree: Tree, demands: Sequence[Demand], surplus_a: float) -> dict[Hashable, Share]:
    """Share the surplus among those who have a minimum, and give them that besides (`SurplusRule.MINIMUM`)."""
    tree.room[tree.pool] = surplus_a + sum(map(needs, demands))
    return share_out(tree, demands)


def needs(demand: Demand) -> float:
    """Return what a minimum takes of the surplus, A: of all lines together."""
    return demand.minimum * len(demand.lines)


def explain_waiting(tree: Tree, demands: Sequence[Demand], shares: dict[Hashable, Share]) -> dict[Hashable, Share]:
    """Say of those who wait that they wait for the sun, where what is left of it is too little for their minimum."""
    left_a = tree.room[tree.pool] - sum(shares[each.key].current_a * len(each.lines) for each in demands)
    return {
        each.key: WAITING
        for each in demands
        if shares[each.key].reason.code == ReasonCode.WAITING and needs(each) > left_a + TOLERANCE_A
    }
