"""Turn what each connector should have into what it may be told now: down at once, up only into current seen free.

A connector counts at its claim: the largest of what it was last allowed until it obeys and what it is told (what it
draws above that is taken out of the tree beforehand). Nothing is raised unless the claims of all, with the raise, fit
every line of every circuit. So what is commanded never exceeds a limit, not even while commands are on their way
(promise 1).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .model import ConnectorSeen, Demand, Timing
from .track import Track, round_down, round_up
from .tree import Tree, take

DUST_A = 1e-6


@dataclass(slots=True)
class Turn:
    """Hold what one decision is about to do with one connector."""

    seen: ConnectorSeen
    track: Track
    demand: Demand
    places: tuple[int, ...]
    target: float
    """A per phase it should have, rounded down to its step."""

    def claim(self) -> float:
        """Return the A per phase it counts at."""
        return self.track.in_force()


def lower(turns: Iterable[Turn], tree: Tree, now: float, timing: Timing, *, may_lift: bool) -> None:
    """Send the decreases that are needed: where a place is too full, a maximum fell, or somebody is to have more.

    A correction below `min_increase_a` that nobody needs waits until nothing changed for `settle_s`.
    """
    turns = list(turns)
    told = [0.0] * len(tree.room)
    for turn in turns:
        for place in turn.places:
            told[place] += turn.track.told
    is_needed = any(load > room + DUST_A for load, room in zip(told, tree.room, strict=True)) or (
        may_lift and any(turn.target - turn.track.told >= timing.min_increase_a for turn in turns)
    )
    for turn in turns:
        track = turn.track
        if turn.target < track.told - DUST_A and (
            is_needed or track.told > turn.demand.maximum + DUST_A or (may_lift and _is_due(turn, now, timing))
        ):
            track.tell(turn.target, now)


def _is_due(turn: Turn, now: float, timing: Timing) -> bool:
    is_large = turn.track.told - turn.target >= timing.min_increase_a
    return is_large or not turn.target or _has_settled(turn.track, now, timing)


def lift(turns: Iterable[Turn], tree: Tree, unproven: Sequence[float], now: float, timing: Timing) -> None:
    """Give the increases for which there is room: first the minimum of whoever starts, then the rest in proportion.

    `unproven`, A per line: rises of the meter that are put down to earlier raises, and may be the building's.
    """
    turns = list(turns)
    free = list(tree.room)
    for line, guessed in enumerate(unproven):
        free[line] -= guessed
    for turn in turns:
        claim = turn.claim()
        for place in turn.places:
            free[place] -= claim
    starts = sorted(
        (turn for turn in turns if turn.target and not turn.track.told),
        key=lambda turn: (-turn.demand.priority, turn.demand.waiting_since),
    )
    bases = {id(turn): base for turn in starts if (base := _start(turn, free)) is not None}
    wants = [turn for turn in turns if turn.target > turn.track.told and (turn.track.told or id(turn) in bases)]
    rests = [turn.target - max(bases.get(id(turn), 0.0), min(turn.claim(), turn.target)) for turn in wants]
    wanted = [0.0] * len(free)
    for turn, rest in zip(wants, rests, strict=True):
        for place in turn.places:
            wanted[place] += rest
    if not wants:
        return
    part = [
        1.0 if want <= max(0.0, room) + DUST_A else max(0.0, room) / want
        for want, room in zip(wanted, free, strict=True)
    ]
    pending = any(turn.track.ceiling > turn.track.told for turn in turns)
    for turn, rest in zip(wants, rests, strict=True):
        share = min(part[place] for place in turn.places)
        limit_a = turn.target if share == 1.0 else round_down(turn.target - rest * (1 - share), turn.seen.step)
        if id(turn) in bases:
            turn.track.tell(max(limit_a, bases[id(turn)]), now)
        elif (share == 1.0 or not pending) and _is_worth(turn.track, limit_a, now, timing):
            turn.track.tell(limit_a, now)


def _start(turn: Turn, free: list[float]) -> float | None:
    """Take the minimum out of what is free and return it; None: there is no room."""
    minimum = min(turn.demand.minimum, turn.target)
    cost = max(0.0, minimum - turn.claim())
    return None if cost > 0 and take(free, turn.places, cost, DUST_A) >= 0 else minimum


def round_up_minimum(seen: ConnectorSeen) -> float:
    """Return the smallest current of a connector that its step can express."""
    return max(0.0, round_up(seen.minimum, seen.step))


def _is_worth(track: Track, limit_a: float, now: float, timing: Timing) -> bool:
    """Hold a raise back for `ramp_hold_s` after any change, and a small one for `settle_s` after the last raise.

    Small decreases, as a restless building causes them, do not put it off: they would add up.
    """
    if limit_a <= track.told + DUST_A:
        return False
    if track.changed_at is not None and now - track.changed_at < timing.ramp_hold_s:
        return False
    is_large = limit_a - track.told >= timing.min_increase_a - DUST_A
    return is_large or track.raised_at is None or now - track.raised_at >= timing.settle_s


def _has_settled(track: Track, now: float, timing: Timing) -> bool:
    return track.changed_at is None or now - track.changed_at >= timing.settle_s
