"""Share the current of one moment: who gets what, and what holds each back.

Two steps. *Admission* decides who gets at least the minimum: first fit in serving order, on every line of every
circuit above a connector. *Filling* raises all who were admitted on one common level, like water: a connector whose
minimum lies above the level stays at the minimum until the level reaches it; it stops at its maximum or when a line
of a circuit it loads is full. Of the promises of LOAD_MANAGEMENT.md this keeps 1 (never over: no step ever adds more
than a place has room), 2 (zero or enough: admission is at the minimum, filling only raises), 3 (fair: the common level
is max-min) and 4 (no waste: filling ends for a connector only at its maximum or a full line; first fit tries all).

Tolerance is absolute, 1e-6 A.
"""

from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

from .model import Circuit, Demand, Reason, ReasonCode
from .tree import Tree, take

TOLERANCE_A = 1e-6


class Share(NamedTuple):
    """Give a connector's current, A per phase, and what keeps it from having more."""

    current_a: float
    reason: Reason


def allocate(
    limit: tuple[float, float, float], demands: Sequence[Demand], circuits: Sequence[Circuit] = ()
) -> dict[Hashable, float]:
    """Amperes per phase for every demand.

    A broken structure raises ValueError naming the culprit; a number never does (see `Demand` and `Circuit`).
    """
    return {key: share.current_a for key, share in explain(limit, demands, circuits).items()}


def explain(
    limit: tuple[float, float, float], demands: Sequence[Demand], circuits: Sequence[Circuit] = ()
) -> dict[Hashable, Share]:
    """Give the amperes per phase for every demand together with its reason, by the same computation as `allocate`."""
    return share_out(Tree(limit, circuits), demands)


def share_out(tree: Tree, demands: Sequence[Demand]) -> dict[Hashable, Share]:
    """Share the room of a tree that stands already."""
    groups, group_of = _group(tree, demands)
    refused = _admit(tree.room, demands, groups, group_of)
    _fill(tree.room, demands, groups, group_of, refused)
    return _shares(tree, demands, groups, group_of, refused)


class _Group:
    """Gather the connectors of the same circuit and lines: they stop together."""

    __slots__ = ("full_place", "least_refused", "level", "lines", "members", "places", "rising", "tight")

    def __init__(self, places: tuple[int, ...], lines: int) -> None:
        self.places = places
        self.tight: tuple[int, ...] = ()  # the places that can get full at all
        self.lines = lines
        self.level = inf  # where it stopped
        self.rising = 0  # how many members rise with the level
        self.full_place = -1  # what stopped it, or what refused a member
        self.least_refused = inf  # the smallest minimum that found no room
        self.members = 0  # how many were admitted


def _group(tree: Tree, demands: Sequence[Demand]) -> tuple[list[_Group], list[int]]:
    """Return the groups and, for each demand, the number of its group."""
    groups: list[_Group] = []
    number_by_places: dict[tuple[int, ...], int] = {}
    number_by_spelling: dict[tuple[str | None, tuple[int, ...], tuple[int, ...] | None], int] = {}
    group_of: list[int] = []
    keys: set[Hashable] = set()
    for demand in demands:
        keys.add(demand.key)
        if len(keys) == len(group_of):
            raise ValueError(f"keys must differ, but {demand.key!r} comes twice")
        spelling = (demand.circuit, demand.lines, demand.loads)
        number = number_by_spelling.get(spelling, -1)
        if number < 0:
            try:
                places = tree.places_of(demand)
            except ValueError as error:
                raise ValueError(f"demand {demand.key!r}: {error}") from None
            number = number_by_places.setdefault(places, len(groups))
            if number == len(groups):
                groups.append(_Group(places, len(set(demand.lines))))
            number_by_spelling[spelling] = number
        group_of.append(number)
    return groups, group_of


def _admit(room: list[float], demands: Sequence[Demand], groups: list[_Group], group_of: list[int]) -> dict[int, int]:
    """Decide who may have the minimum; return who may not, with the full place (-1: it wants nothing).

    First fit: whoever does not fit is passed over and the next one tried, so that nobody waits for current that
    only somebody before him could not use. `refused` is in serving order.
    """
    refused: dict[int, int] = {}
    wanting: list[int] = []
    sums = [0.0] * len(groups)
    for number, demand in enumerate(demands):
        if demand.minimum <= demand.maximum and demand.maximum > 0 and demand.minimum < inf:  # NaN fails these
            wanting.append(number)
            sums[group_of[number]] += max(demand.minimum, 0.0)
            groups[group_of[number]].members += 1
        else:
            refused[number] = -1
    used = [0.0] * len(room)
    for group, minimum in zip(groups, sums, strict=True):
        for place in group.places:
            used[place] += minimum
    if all(load <= capacity + TOLERANCE_A for load, capacity in zip(used, room, strict=True)):
        return refused
    _first_fit(room, demands, groups, group_of, wanting, refused)
    return refused


def _first_fit(
    room: list[float],
    demands: Sequence[Demand],
    groups: list[_Group],
    group_of: list[int],
    wanting: list[int],
    refused: dict[int, int],
) -> None:
    def serving_order(number: int) -> tuple[int, float, int]:
        demand = demands[number]
        since = demand.waiting_since
        return -demand.priority, since if since == since else inf, groups[group_of[number]].lines

    left = [capacity + TOLERANCE_A for capacity in room]
    for number in sorted(wanting, key=serving_order):
        group = groups[group_of[number]]
        minimum = max(demands[number].minimum, 0.0)
        if minimum < group.least_refused:  # room only shrinks: who needs as much as one refused needs no look
            full_place = take(left, group.places, minimum)
            if full_place < 0:
                continue
            group.least_refused, group.full_place = minimum, full_place
        refused[number] = group.full_place
        group.members -= 1


def _fill(
    room: list[float],
    demands: Sequence[Demand],
    groups: list[_Group],
    group_of: list[int],
    refused: dict[int, int],
) -> None:
    """Raise the common level and note where each group stops: a sweep over the sorted break-points, O(n log n).

    The slope of a group changes where a member's minimum is reached (it begins to rise) and where its maximum
    is (it stops). Places that cannot get full even with everybody at the maximum take no part.
    """
    used, most = [0.0] * len(room), [0.0] * len(room)
    turns: dict[tuple[float, int], int] = {}
    lows, highs = [0.0] * len(groups), [0.0] * len(groups)
    for number, demand in enumerate(demands):
        if number in refused:
            continue
        of, low, high = group_of[number], max(demand.minimum, 0.0), demand.maximum
        lows[of] += low
        highs[of] += high
        turns[low, of] = turns.get((low, of), 0) + 1
        turns[high, of] = turns.get((high, of), 0) - 1
    for group, low, high in zip(groups, lows, highs, strict=True):
        for place in group.places:
            used[place] += low
            most[place] += high
    can_fill = [load > capacity for load, capacity in zip(most, room, strict=True)]
    for group in groups:
        group.tight = tuple(place for place in group.places if can_fill[place])
    sweep = _Sweep(room, used, groups)
    for (level, number), change in sorted(turns.items()):
        if level > sweep.level:
            sweep.fill_up_to(level)
        if change and groups[number].tight and level < inf:
            sweep.turn(groups[number], change)
    sweep.fill_up_to(inf)


class _Sweep:
    """Follow the load of every place while the level rises, and stop the groups of a place that gets full."""

    def __init__(self, room: list[float], used: list[float], groups: list[_Group]) -> None:
        self.room = room
        self.used = used  # A at level `at`
        self.at = [0.0] * len(room)
        self.slope = [0] * len(room)  # connectors that rise
        self.level = 0.0
        self.expected: list[tuple[float, int]] = []  # (level not after the one where it is full, place)
        self.steeper: set[int] = set()  # places that more load from this level on
        self.loading: dict[int, list[_Group]] = {}
        for group in groups:
            for place in group.tight:
                self.loading.setdefault(place, []).append(group)

    def turn(self, group: _Group, change: int) -> None:
        """Let `change` more connectors of a group rise from this level on (negative: stop)."""
        if group.level < inf:
            return
        group.rising += change
        for place in group.tight:
            self._change_slope(place, self.level, change)
        if change > 0:  # a smaller slope only puts the level off; that is seen when its turn comes
            self.steeper.update(group.tight)

    def fill_up_to(self, level: float) -> None:
        """Go on to this level, and stop the groups of every place that is full at or below it."""
        for place in self.steeper:
            if self.slope[place]:
                heappush(self.expected, (self._full_at(place), place))
        self.steeper.clear()
        self.level = level
        while self.expected and self.expected[0][0] <= level:
            expected, place = heappop(self.expected)
            if not self.slope[place]:
                continue
            full_at = self._full_at(place)
            if full_at > expected:
                heappush(self.expected, (full_at, place))
                continue
            for group in self.loading[place]:
                if group.level == inf:
                    group.level, group.full_place = full_at, place
                    for loaded in group.tight:
                        self._change_slope(loaded, full_at, -group.rising)

    def _full_at(self, place: int) -> float:
        return self.at[place] + max(0.0, self.room[place] - self.used[place]) / self.slope[place]

    def _change_slope(self, place: int, level: float, change: int) -> None:
        self.used[place] += self.slope[place] * (level - self.at[place])
        self.at[place] = level
        self.slope[place] += change


def _shares(
    tree: Tree, demands: Sequence[Demand], groups: list[_Group], group_of: list[int], refused: dict[int, int]
) -> dict[Hashable, Share]:
    loads = [0] * len(tree.room)
    for group in groups:
        for place in group.places:
            loads[place] += group.members
    maximum = Reason(ReasonCode.STATION_MAXIMUM)
    full = [_full(tree, group.full_place, loads) for group in groups]
    ahead: dict[int, int] = {}
    waiting: dict[int, Share] = {}
    for number, place in refused.items():
        if place < 0:
            reason = maximum
        elif tree.pair(place) is not None:
            reason = _full(tree, place, loads)
        else:
            reason = _waiting(tree, place, ahead.get(place, 0))
        waiting[number] = Share(0.0, reason)
        ahead[place] = ahead.get(place, 0) + 1
    shares: dict[Hashable, Share] = {}
    for number, demand in enumerate(demands):
        if number in waiting:
            shares[demand.key] = waiting[number]
            continue
        level = groups[group_of[number]].level
        if level >= demand.maximum:
            shares[demand.key] = Share(demand.maximum, maximum)
        else:
            shares[demand.key] = Share(max(level, demand.minimum), full[group_of[number]])
    return shares


def _waiting(tree: Tree, place: int, ahead: int) -> Reason:
    """Name the circuit that is full, not its line: with a building that moves, that would be another each second."""
    name = tree.names[place // 3]
    return Reason(ReasonCode.WAITING, {"ahead": ahead} if name is None else {"ahead": ahead, "circuit": name})


def _full(tree: Tree, place: int, loads: list[int]) -> Reason:
    pair = tree.pair(place)
    if pair is not None:
        said = {"line": f"L{pair[0] + 1}", "other": f"L{pair[1] + 1}"}
        return Reason(ReasonCode.UNBALANCE, {**said, "above_a": tree.unbalance_a})
    circuit, line = divmod(place, 3)
    params: dict[str, str | int | float] = {"line": f"L{line + 1}", "shared_by": loads[place]}
    name = tree.names[circuit] if circuit > 0 else None
    if name is None:
        return Reason(ReasonCode.LINE_FULL, params)
    return Reason(ReasonCode.CIRCUIT_FULL, {**params, "circuit": name})
