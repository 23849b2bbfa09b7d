"""Check the wiring of a station: lower one car by 4 A and give it back, again and again, and see which lines follow.

The steps go on until each line of the meter has clearly moved with the car, stayed where it was or moved against it.
Buildings move too, so what counts is the middle one of all steps, and how far they are apart. A load that switches as
regularly as the check looks like a fault of the wiring: the steps are not equally long, and what accuses the wiring
takes all of them. Pure: the loop shows it every observation, and asks it how much each connector may have meanwhile.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import Any

from energy.allocation import ConnectorSeen, Observation, ReasonCode
from energy.allocation.controller import CLOCK_JITTER_S

STEP_A = 4.0
NEEDED_A = 10.0  # on a phase: 4 A less leaves the 6 A without which a car stops (IEC 61851-1)
BUSY_A = 5.0  # on a phase the car uses
OVER_A = 1.0  # further above what is usable than meters measure wrong
NEAR_A = 0.5
SETTLE_S = 8.0  # a car follows within 5 s of the acceptance (IEC 61851-1), a meter shows it a little later
WATCH_S = 5.0
LONGER_S = (0.0, 5.0, 2.0, 7.0, 1.0, 6.0, 3.0, 8.0)  # by which each half of a step waits longer, in turn
RISE_S = 30.0  # within which the current comes back, or as much of it as there is room for
FALL_S = 20.0  # within which a station accepts a lower limit
SILENT_S = 10.0
LEAST_STEPS, MOST_STEPS = 4, 12
SMALLEST_STEP_A = 2.0
ERROR_LEAST = 0.05  # A per A: what a meter and a car leave open at best
SURE = 3.0  # errors between a line's answer and the nearest other explanation
SPREAD = 1.4826 * 1.2533  # from the median deviation of steps to the error of their middle one


class Finding(StrEnum):
    """How a check ended."""

    SHOWN = "shown"
    UNCERTAIN = "uncertain"
    NOTHING_MOVED = "nothing_moved"
    NEEDED = "needed"
    ENDED = "ended"
    NO_METER = "no_meter"
    REFUSED = "refused"
    CLOCK = "clock"
    STOPPED = "stopped"
    RESTARTED = "restarted"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a line of the meter answered: A for each A of the car, and its error; -1 is a line that falls as it rises."""

    moved: float
    error: float

    @property
    def nearest(self) -> int:
        """Say what it did: 1 moved with the car, 0 not at all, -1 against it."""
        return max(-1, min(1, round(self.moved)))

    @property
    def is_clear(self) -> bool:
        """Say whether nothing else can be meant."""
        return 0.5 - abs(self.moved - self.nearest) >= SURE * self.error


@dataclass
class Check:
    """One check that runs. `phases`: those of the station that the car uses. `highest_a`: what it drew at the start."""

    key: Hashable
    phases: tuple[int, ...]
    highest_a: float
    is_low: bool = False
    since: float | None = None
    accepted_at: float | None = None
    heard_at: float | None = None
    watched: list[tuple[float, float, float]] = field(default_factory=list)
    levels: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)
    """For each half of a step what the car was allowed, A per phase, and what the meter read then."""

    @property
    def steps(self) -> int:
        """Count the times the current went down or came back."""
        return max(0, len(self.levels) - 1)

    @property
    def cap_a(self) -> float:
        """Say what the car may have now: what it drew, or 4 A less."""
        return self.highest_a - STEP_A if self.is_low else self.highest_a

    def answers(self) -> tuple[Answer, ...]:
        """Say how each line answered so far; empty before the first step."""
        moves = [
            (high_a - low_a, [high - low for high, low in zip(highs, lows, strict=True)])
            for (low_a, lows), (high_a, highs) in pairwise(self.levels)
            if abs(high_a - low_a) >= SMALLEST_STEP_A
        ]
        return tuple(_answer([lines[line] / car_a for car_a, lines in moves]) for line in range(3)) if moves else ()

    def take(self, seen: Observation, *, is_operational: bool) -> Finding | None:
        """Take in what was seen before a decision; returns how the check ended, None while it goes on."""
        car = next((one for one in seen.connectors if one.key == self.key), None)
        if car is None or not car.charging or not car.connected or car.accepted is None:
            return Finding.ENDED
        if self.since is None or self.heard_at is None:
            self.since = self.heard_at = seen.now
        if seen.now < self.heard_at - CLOCK_JITTER_S:
            return Finding.CLOCK
        if seen.grid is None or not is_operational:
            return Finding.NO_METER if seen.now - self.heard_at > SILENT_S else None
        self.heard_at = seen.now
        if any(flow > limit + OVER_A for flow, limit in zip(seen.grid, seen.limit, strict=True) if limit > 0):
            return Finding.NEEDED
        return self._follow(seen.now, car.accepted, seen.grid)

    def _follow(self, now: float, accepted_a: float, grid: tuple[float, float, float]) -> Finding | None:
        """Wait until the car has followed, then watch the meter, then step again."""
        assert self.since is not None
        if accepted_a < self.highest_a - STEP_A - NEAR_A:
            return Finding.NEEDED
        if self.accepted_at is None:
            waited_s = now - self.since
            if abs(accepted_a - self.cap_a) <= NEAR_A or (not self.is_low and waited_s > RISE_S):
                self.accepted_at = now
            return Finding.REFUSED if waited_s > FALL_S and self.is_low and self.accepted_at is None else None
        settle_s = SETTLE_S + LONGER_S[len(self.levels) % len(LONGER_S)]
        if now - self.accepted_at < settle_s:
            return None
        self.watched.append(grid)
        if now - self.accepted_at < settle_s + WATCH_S:
            return None
        means = tuple(sum(line) / len(self.watched) for line in zip(*self.watched, strict=True))
        self.levels.append((min(accepted_a, self.cap_a), means))
        self.is_low, self.since, self.accepted_at, self.watched = not self.is_low, now, None, []
        return self._verdict()

    def _verdict(self) -> Finding | None:
        """End when all lines are clear and fit the car, or after all steps with what is clear then."""
        answers, is_last = self.answers(), self.steps >= MOST_STEPS
        if self.steps < LEAST_STEPS or not (is_last or fits_car(answers, self.phases)):
            return None
        if not answers or not all(answer.is_clear for answer in answers):
            return Finding.UNCERTAIN if is_last else None
        return Finding.SHOWN if any(answer.nearest for answer in answers) else Finding.NOTHING_MOVED

    def hold(self, connectors: Sequence[ConnectorSeen]) -> tuple[ConnectorSeen, ...]:
        """Cap the car at this half of the step, others that charge at what they have: what it leaves is nobody's."""
        return tuple(self._held(one) for one in connectors)

    def _held(self, one: ConnectorSeen) -> ConnectorSeen:
        cap_a = self.cap_a if one.key == self.key else one.accepted
        if not one.charging or not cap_a or cap_a >= one.cap:
            return one
        return replace(one, cap=cap_a, cap_reason=ReasonCode.WIRING_CHECK)


def _answer(ratios: Sequence[float]) -> Answer:
    moved = median(ratios)
    spread = median(abs(ratio - moved) for ratio in ratios)
    return Answer(moved, max(ERROR_LEAST, SPREAD * spread / sqrt(len(ratios))))


def used_phases(drawn_a: Sequence[float]) -> tuple[int, ...]:
    """Return the phases of a station that a car uses."""
    return tuple(phase for phase, current_a in enumerate(drawn_a) if current_a >= BUSY_A)


def fits_car(answers: Sequence[Answer], phases: Sequence[int]) -> bool:
    """Say whether as many lines moved with the car as it uses phases, and none against it."""
    moved = [answer.nearest for answer in answers]
    return -1 not in moved and sum(moved) == len(phases)


def lines_shown(answers: Sequence[Answer]) -> tuple[int, ...]:
    """Return the lines that moved with the car, or against it."""
    return tuple(line for line, answer in enumerate(answers) if answer.nearest)


def fitting(rotations: Mapping[str, tuple[int, ...]], phases: Sequence[int], lines: Sequence[int]) -> list[str]:
    """Name the rotations with which a car on these phases of its station shows on these lines.

    `rotations`: by name the line of each phase; those in which the phases follow each other as L1, L2, L3 do come
    first, because that is how stations are to be wired.
    """
    found = [
        name
        for name, wiring in rotations.items()
        if max(phases) < len(wiring) and {wiring[phase] for phase in phases} == set(lines)
    ]
    return sorted(found, key=lambda name: not _turns_right(rotations[name]))


def _turns_right(wiring: Sequence[int]) -> bool:
    return all((after - before) % 3 == 1 for before, after in pairwise(wiring))


def propose(rotations: Mapping[str, tuple[int, ...]], entered: str, phases: Sequence[int], lines: Sequence[int]) -> str:
    """Name the rotation to enter instead of the entered one; empty where that fits, or nothing does."""
    same = {name: wiring for name, wiring in rotations.items() if len(wiring) == len(rotations[entered])}
    fits = fitting(same, phases, lines) if phases and len(phases) == len(lines) else []
    return "" if not fits or entered in fits else fits[0]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the newest check of one station showed of a phase: the line that is entered, and the one it is on."""

    station: Any
    entered: int
    shown: int


def swapped(proofs: Sequence[Proof]) -> tuple[int, ...]:
    """Return the lines that all stations show permuted alike, so that it is the meter's transformers; empty: none.

    It takes two stations on different lines: one alone may just as well be wired otherwise than entered.
    """
    shown = {proof.entered: proof.shown for proof in proofs}
    if any(shown[proof.entered] != proof.shown for proof in proofs):
        return ()
    moved = sorted(line for line, there in shown.items() if line != there)
    is_closed = set(moved) == {shown[line] for line in moved}
    stations = {proof.station for proof in proofs if proof.entered in moved}
    return tuple(moved) if len(stations) > 1 and is_closed else ()
