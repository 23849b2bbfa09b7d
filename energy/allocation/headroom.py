"""Find out what the building takes, from a fast meter and slow stations.

The meter reads G, the sum of building and cars, each second. Stations report their draw each 5 to 60 s, older than
that. The building is B = G - sum(d) with d the true draws *now*, of which only estimates exist. The rule of this
module: **B has not changed where a command explains the change.** Per line it keeps B and for each station an estimate
d, always with

    B + sum(d) = G                                                                   (1)

A new sample replaces that station's d. If it shows that a rise or fall was another station's than guessed, the guesses
about the others, made since their last samples, are taken back by as much. Then the difference r = G - B - sum(d) is
accounted for:

* r < 0: first to stations that were told less and may be following now (d down to what they were told), or that are not
  charging any more or not connected (d down to 0), then to rises that were only guessed. Only the rest lowers B.
* r > 0: first to stations that were raised in the last seconds and have not reported since (d up to what they were
  told), or that are not connected (d up to what stays reserved for them). All the rest raises B.
* A decrease that the meter did not show `free_after_s` after it was accepted is taken as done (d = the limit), so
  by (1) what is missing raises B and the others give way.

Why nobody is cut twice: after a cut from d to the limit, G falls by what the stations obey; that is r < 0, goes to d,
and B stays. Why nothing is given away: the fall of G that is the cars' obeying never lowers B. Why an overload is
always answered in full: the kernel keeps sum(told) <= usable - B, so with (1)

    G - usable = B + sum(d) - usable <= sum(d) - sum(told),

the part of commanded decreases that has not been seen yet. Nothing else of an overload can be left over, and that part
becomes B at the latest `free_after_s` after acceptance. As B is formed anew from G each time, no error adds up.

The one case that cannot be told apart is a rise of the building in the very second in which cars obey: the two cancel
in G. So where a line gets over the usable current, decreases accepted before that reading are taken as done at once,
rises that were only guessed are taken back by as much as it is over, and while it is over, nothing is put down to
raises, unless all lines rose just as cars were raised or have begun (`_fits`). If that was wrong, too much is cut by
that part, and given back after `ramp_hold_s`.

A car that takes less by itself looks like the building falling until its station reports. So current is *given* only by
the largest B of a window that reaches back to the oldest sample in use. And as it may hide a rise of the building in
the same seconds, nothing is given on its line before every station has reported since, and of a car that takes less and
less, as much is kept as it did from one sample to the next (`unproven`).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from math import inf, isfinite
from typing import Any

from .model import ConnectorSeen, Lines, Observation, Timing
from .track import Track

Pairs = Sequence[tuple[ConnectorSeen, Track]]
DUST_A = 1e-9
OVER_A = 1.0  # further above the usable current than stations measure wrong
RAISED_A = 5.0  # smaller raises than this are not looked for in the meter
MOVED_A = 3.0  # what the building may have moved by while cars rose
MOST_TIMES = 3  # the usable current: no meter of the installation reads more
COARSE_S = 15.0  # older history is kept as the largest of so long


class Headroom:
    """Follow the building's current on each line."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.building: list[float] | None = None
        self.estimated = [0.0, 0.0, 0.0]
        """Sum of the stations' estimates after the last reading."""
        self.is_over = [False, False, False]
        """Which lines were over the usable current at the last reading."""
        self.fell_at: list[float | None] = [None, None, None]
        """When each line last fell by so much without a command that a car may have done it."""
        self.usable_at: float | None = None
        """When the newest usable reading was taken."""
        self.still: Lines | None = None
        self.still_since = 0.0
        self.history: deque[tuple[float, list[float]]] = deque()
        """When the building took what: each reading of the last `admission_hold_s`."""
        self.coarse: deque[tuple[float, list[float]]] = deque()
        """What is older, up to `rotation_s`: the newest time and the largest of each `COARSE_S`."""

    def dump(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {
            "building": self.building,
            "estimated": self.estimated,
            "is_over": self.is_over,
            "fell_at": self.fell_at,
            "usable_at": self.usable_at,
            "still": self.still,
            "still_since": self.still_since,
            "history": list(self.history),
            "coarse": list(self.coarse),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `dump` returned."""
        self.building, self.estimated = state["building"], state["estimated"]
        self.is_over, self.usable_at = state["is_over"], state["usable_at"]
        self.fell_at = state.get("fell_at", [None, None, None])
        self.still = None if state["still"] is None else tuple(state["still"])
        self.still_since = state["still_since"]
        self.history = deque((at, building) for at, building in state["history"])
        self.coarse = deque((at, building) for at, building in state.get("coarse", ()))

    def update(self, seen: Observation, pairs: Pairs) -> None:
        """Take in a reading, if it is one."""
        grid = seen.grid
        if grid is None or not self._is_plausible(seen, grid, pairs):
            return
        self.usable_at = seen.grid_at if self.usable_at is None else max(self.usable_at, seen.grid_at)
        if self.building is None:
            self.building = [reading - taken for reading, taken in zip(grid, _sums(pairs), strict=True)]
        else:
            self._account(seen, grid, pairs, self.building)
        self.estimated = _sums(pairs)
        self._remember(seen.now, list(self.building))

    def _account(self, seen: Observation, grid: Lines, pairs: Pairs, building: list[float]) -> None:
        """Put down what the meter moved by, on each line: to cars, or else to the building."""
        rests = []
        for line, taken in enumerate(_sums(pairs)):
            moved = taken - self.estimated[line]
            taken += _move(-moved, line, list(_guesses(pairs, line, moved, seen.now, self.timing)))
            rests.append(grid[line] - building[line] - taken)
        rising = [
            (connector, track)
            for connector, track in pairs
            if connector.charging and (not connector.connected or track.is_rising(seen.now, self.timing))
        ]
        rises = [list(_rises(rising, line)) for line in range(3)]
        have_risen = _fits(rests, rises)
        for line, rest in enumerate(rests):
            over = grid[line] - seen.limit[line]
            is_over = over > OVER_A
            if is_over and not self.is_over[line]:
                rest += _finish_falls(pairs, line, seen.now)
                if not have_risen:
                    rest -= _move(-over, line, list(_guesses(pairs, line, over, seen.now, self.timing)))
            if rest < 0:
                rest -= _move(rest, line, list(_falls(pairs, line)))
                rest -= _move(rest, line, list(_guesses(pairs, line, -rest, seen.now, self.timing)))
                if rest <= -MOVED_A:
                    self.fell_at[line] = seen.now
            elif have_risen or not is_over:
                rest -= _move(rest, line, rises[line])
            building[line] += rest
            self.is_over[line] = is_over

    def _remember(self, now: float, building: list[float]) -> None:
        """Keep what the building takes; what is old, in less detail."""
        self.history.append((now, building))
        while self.history[0][0] < now - self.timing.admission_hold_s:
            at, old = self.history.popleft()
            if self.coarse and at // COARSE_S == self.coarse[-1][0] // COARSE_S:
                self.coarse[-1] = (at, [max(pair) for pair in zip(self.coarse[-1][1], old, strict=True)])
            else:
                self.coarse.append((at, old))
        while self.coarse and self.coarse[0][0] < now - self.timing.rotation_s:
            self.coarse.popleft()

    def age_s(self, now: float) -> float | None:
        """Return the age of the newest usable reading; None: there never was one."""
        return None if self.usable_at is None else max(0.0, now - self.usable_at)

    def largest(self, since: float) -> list[float]:
        """Return the building's largest current on each line since then, or the newest one if none is as young."""
        if self.building is None:
            raise ValueError("a usable reading expected before the building is asked for, none came yet")
        first, second, third = self.building
        for at, building in chain(reversed(self.history), reversed(self.coarse)):
            if at < since:
                break
            first, second, third = max(first, building[0]), max(second, building[1]), max(third, building[2])
        return [first, second, third]

    def unproven(self, pairs: Pairs, now: float) -> list[float]:
        """Return what the building may take on each line besides, A: no sample has shown yet that cars take it.

        That is what the meter rose by and was put down to raises, and what cars near their end take less by the next
        sample; no end of it while a larger fall may hide a rise.
        """
        found = [0.0, 0.0, 0.0]
        oldest_at = now
        for seen, track in pairs:
            if track.estimate != track.sampled and track.is_rising(now, self.timing):
                for line, (guessed, sampled) in enumerate(zip(track.estimate, track.sampled, strict=True)):
                    found[line] += max(0.0, guessed - sampled)
            if seen.charging and seen.connected and seen.drawn is not None:
                oldest_at = min(oldest_at, seen.drawn_at)
                if track.fading_a > 0:
                    for line in track.lines(seen):
                        found[line] += track.fading_a
        for line, fell_at in enumerate(self.fell_at):
            if fell_at is not None and fell_at > max(oldest_at, now - self.timing.report_s):
                found[line] = inf
        return found

    def _is_plausible(self, seen: Observation, grid: Lines, pairs: Pairs) -> bool:
        """Refuse what no meter of this installation can mean.

        A reading that stays the same to the last digit is refused after `frozen_s`, if a station's own samples show
        that the load moved meanwhile: a quiet installation may well read the same for a minute.
        """
        if not all(map(isfinite, grid)) or is_too_high(grid, _carries(seen)):
            return False
        if self.still is None or tuple(grid) != self.still:
            self.still, self.still_since = (grid[0], grid[1], grid[2]), seen.now
        if seen.now - self.still_since < self.timing.frozen_s:
            return True
        return not any(track.moved_after is not None and track.moved_after >= self.still_since for _, track in pairs)


def _carries(seen: Observation) -> Lines:
    """Return what the installation carries, whatever holds it below that for a time: the building may be above."""
    return next((cut.carries for cut in seen.cuts if cut.circuit is None), seen.limit)


def is_too_high(grid: Sequence[float], limits: Sequence[float]) -> bool:
    """Say whether a line reads more than the installation can take, A; a line without a limit says nothing."""
    return any(limit > 0 and abs(value) > MOST_TIMES * limit for value, limit in zip(grid, limits, strict=True))


def _sums(pairs: Pairs) -> list[float]:
    sums = [0.0, 0.0, 0.0]
    for _, track in pairs:
        first, second, third = track.estimate
        sums[0] += first
        sums[1] += second
        sums[2] += third
    return sums


def _move(rest: float, line: int, rooms: Sequence[tuple[Track, float]]) -> float:
    """Move the estimates of stations by as much of a difference as they have room for; return that much."""
    whole = sum(room for _, room in rooms)
    if whole <= 0 or abs(rest) < DUST_A:
        return 0.0
    part = min(1.0, abs(rest) / whole) * (1.0 if rest > 0 else -1.0)
    for track, room in rooms:
        track.estimate[line] += part * room
    return part * whole


def _guesses(pairs: Pairs, line: int, moved: float, now: float, timing: Timing) -> Iterable[tuple[Track, float]]:
    """Yield whose estimate was moved the same way since its last sample, without proof, and by how much."""
    if abs(moved) < DUST_A:
        return
    for _, track in pairs:
        guess = track.estimate[line] - track.sampled[line]
        if moved < 0 and guess < 0 and track.drawn_at is not None:
            yield track, max(0.0, min(-guess, track.in_force() - track.estimate[line]))
        elif moved > 0 and guess > 0 and (track.drawn_at is not None or track.is_rising(now, timing)):
            yield track, guess


def _fits(rests: Sequence[float], rises: Sequence[Sequence[tuple[Track, float]]]) -> bool:
    """Tell whether the meter rose on all lines as cars that were raised would make it rise, and little more.

    That a building does the same, on each line and by as much, in the same seconds, is not likely. Whoever may still
    follow an older limit than the one it was told, as a car that has just begun at its standing current, need not.
    """
    raised = []
    for rest, rooms in zip(rests, rises, strict=True):
        most = sum(room for _, room in rooms)
        if most >= RAISED_A:
            raised.append((rest, most, sum(room for track, room in rooms if track.ceiling <= track.told)))
    highest = max((rest for rest, _, _ in raised), default=0.0)
    return bool(raised) and all(
        max(sure - OVER_A, highest - MOVED_A if sure < most else 0.0) <= rest <= most + MOVED_A
        for rest, most, sure in raised
    )


def _falls(pairs: Pairs, line: int) -> Iterable[tuple[Track, float]]:
    """Yield who may draw less on a line than estimated, and by how much."""
    for seen, track in pairs:
        drawn = track.estimate[line]
        if not drawn:
            continue
        if not seen.charging or not seen.connected:
            yield track, drawn
        elif drawn > track.told and track.is_falling():
            yield track, drawn - track.told


def _finish_falls(pairs: Pairs, line: int, now: float) -> float:
    """Take decreases that were accepted before now as done; return by how much that lowers the sum on the line."""
    lowered = 0.0
    for seen, track in pairs:
        excess = track.estimate[line] - track.told
        if seen.charging and excess > 0 and track.is_falling() and track.accepted == track.told:
            excess = excess if track.limits[-1][0] < now else 0.0
            track.estimate[line] -= excess
            lowered += excess
    return lowered


def _rises(rising: Pairs, line: int) -> Iterable[tuple[Track, float]]:
    """Yield who of those that rise may draw more on a line than estimated, and by how much."""
    for seen, track in rising:
        room = track.in_force() - track.estimate[line]
        if room > 0 and line in track.lines(seen):
            yield track, room
