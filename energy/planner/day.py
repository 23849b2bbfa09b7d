"""Make a day: what the building draws each second, and which cars come when, to stay how long and take how much.

The same plan and seed make the same day. A day begins at six in the morning, so that a night's charging is whole.
"""

import random
from dataclasses import dataclass, field
from functools import lru_cache

Lines = tuple[float, float, float]

HOURS = 24
DAY_S = HOURS * 3600
BEGINS_AT_HOUR = 6
VOLTAGE = 230.0
ROTATIONS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))

CURVES: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * HOURS,
    "homes": (
        0.45, 0.65, 0.70, 0.55, 0.45, 0.45, 0.55, 0.55, 0.45, 0.40, 0.45, 0.55,
        0.80, 1.00, 1.00, 0.95, 0.85, 0.65, 0.45, 0.35, 0.30, 0.30, 0.30, 0.35,
    ),
    "offices": (
        0.35, 0.55, 0.80, 0.95, 1.00, 1.00, 0.95, 0.90, 0.95, 0.95, 0.90, 0.80,
        0.60, 0.45, 0.35, 0.30, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.30,
    ),
    "shops": (
        0.30, 0.40, 0.60, 0.85, 0.95, 1.00, 1.00, 0.95, 0.95, 0.95, 1.00, 1.00,
        0.95, 0.80, 0.50, 0.35, 0.30, 0.30, 0.30, 0.30, 0.30, 0.30, 0.30, 0.30,
    ),
}  # fmt: skip
"""Standard buildings: the part of the peak that is drawn in each hour of the day, from six in the morning."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of car."""

    phases: int
    maximum_a: float
    least_wh: float
    most_wh: float


KINDS: dict[str, Kind] = {
    "three_16": Kind(3, 16.0, 8_000, 45_000),
    "three_32": Kind(3, 32.0, 15_000, 60_000),
    "one_32": Kind(1, 32.0, 8_000, 35_000),
    "one_16": Kind(1, 16.0, 4_000, 10_000),
}


@dataclass(frozen=True, slots=True)
class Habit:
    """When cars come and how long they stay, in hours; `arrives` is the hour of the day with its spread."""

    arrives: tuple[float, float]
    stays: tuple[float, float]


HABITS: dict[str, Habit] = {
    "work": Habit((8.0, 0.75), (8.5, 1.0)),
    "home": Habit((18.5, 1.25), (12.0, 1.0)),
    "visit": Habit((14.0, 3.0), (2.0, 0.7)),
}


@dataclass(frozen=True)
class Plan:
    """Say what is to be tried. Shares of kinds and habits are weights; `curve_a` is the building's A per hour and line.

    `noise_a` is the spread of the building from second to second; `steps` loads of `step_a` come on each day for some
    minutes each.
    """

    fuse_a: float
    stations: int
    cars: int
    curve_a: tuple[Lines, ...]
    derating_percent: float = 20.0
    kinds: dict[str, float] = field(default_factory=lambda: {"three_16": 5, "three_32": 1, "one_32": 3, "one_16": 1})
    habits: dict[str, float] = field(default_factory=lambda: {"work": 1})
    noise_a: float = 2.0
    steps: int = 0
    step_a: float = 25.0
    station_maximum_a: float = 32.0
    seed: int = 1

    @property
    def usable_a(self) -> float:
        """What building and cars may draw together on each line, A."""
        return self.fuse_a * (100 - self.derating_percent) / 100


@dataclass(frozen=True, slots=True)
class Session:
    """One car at one station, times in seconds from the day's beginning."""

    station: int
    phases: int
    maximum_a: float
    arrives_s: int
    leaves_s: int
    wanted_wh: float
    twins: bool = False
    """One of several that are alike in everything, to see whether they are treated alike."""

    @property
    def wanted_as(self) -> float:
        """What it wants on each of its phases, A·s."""
        return self.wanted_wh * 3600 / VOLTAGE / self.phases


def standard_curve(name: str, peak_a: float) -> tuple[Lines, ...]:
    """Return a standard building's current per hour, the same on each line."""
    return tuple((part * peak_a,) * 3 for part in CURVES[name])


def wiring_of(station: int) -> tuple[int, ...]:
    """Return the installation lines of a station's phases: installers rotate them from one to the next."""
    return ROTATIONS[station % 3]


def make_sessions(plan: Plan, twins: int = 0) -> tuple[list[Session], int]:
    """Return who charges when, and how many cars found no station free.

    `twins` cars that are alike in everything come first, one each to the first stations, and want more than they get.
    """
    chance = random.Random(plan.seed)
    comers = sorted(_comer(plan, chance) for _ in range(plan.cars))
    free_at = [0] * plan.stations
    sessions = []
    for station in range(min(twins, plan.stations)):
        sessions.append(Session(station, 3, 16.0, 2 * 3600, 11 * 3600, 60_000, twins=True))
        free_at[station] = 11 * 3600
    turned_away = 0
    for arrives_s, leaves_s, name, wanted_wh in comers:
        free = next((number for number, at in enumerate(free_at) if at <= arrives_s), None)
        if free is None:
            turned_away += 1
            continue
        free_at[free] = leaves_s + 60
        kind = KINDS[name]
        maximum_a = min(kind.maximum_a, plan.station_maximum_a)
        sessions.append(Session(free, kind.phases, maximum_a, arrives_s, leaves_s, wanted_wh))
    return sessions, turned_away


def _comer(plan: Plan, chance: random.Random) -> tuple[int, int, str, float]:
    """Draw when a car comes and leaves, its kind, and what it wants."""
    habit = HABITS[_choose(plan.habits, chance)]
    name = _choose(plan.kinds, chance)
    kind = KINDS[name]
    since_start = (chance.gauss(*habit.arrives) - BEGINS_AT_HOUR) % HOURS
    arrives_s = min(int(since_start * 3600), DAY_S - 3600)
    stays_s = max(0.5, chance.gauss(*habit.stays)) * 3600
    return arrives_s, min(DAY_S, int(arrives_s + stays_s)), name, chance.uniform(kind.least_wh, kind.most_wh)


def _choose(weights: dict[str, float], chance: random.Random) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


class Building:
    """Give the building's current in any second of a plan's day."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        chance = random.Random(f"{plan.seed} steps")
        self.loads = [_load(chance, DAY_S * number // plan.steps, DAY_S // plan.steps) for number in range(plan.steps)]
        self._hour = lru_cache(maxsize=3)(self._make_hour)

    def at(self, second: int) -> Lines:
        """Return A on L1, L2, L3."""
        return self._hour(second // 3600)[second % 3600]

    def mean(self, start_s: int, end_s: int) -> Lines:
        """Return the mean of some time, by every fifth second."""
        seconds = range(start_s, end_s, 5)
        sums = [0.0, 0.0, 0.0]
        for second in seconds:
            for line, current_a in enumerate(self.at(second)):
                sums[line] += current_a
        return sums[0] / len(seconds), sums[1] / len(seconds), sums[2] / len(seconds)

    def _make_hour(self, hour: int) -> list[Lines]:
        """Move from this hour's figure to the next one's, with noise that lasts some ten seconds, and the loads."""
        chance = random.Random(f"{self.plan.seed} hour {hour}")
        here, there = self.plan.curve_a[hour % HOURS], self.plan.curve_a[(hour + 1) % HOURS]
        noise, kept, fresh = [0.0, 0.0, 0.0], 0.9, self.plan.noise_a * (1 - 0.9**2) ** 0.5
        loads = [load for load in self.loads if load[0] < (hour + 1) * 3600 and load[1] > hour * 3600]
        found = []
        for second in range(3600):
            part = second / 3600
            lines = []
            for line in range(3):
                noise[line] = kept * noise[line] + (chance.gauss(0, fresh) if fresh else 0.0)
                lines.append(max(0.0, here[line] + (there[line] - here[line]) * part + noise[line]))
            for begins_s, ends_s, loaded in loads:
                if begins_s <= hour * 3600 + second < ends_s:
                    for line in loaded:
                        lines[line] += self.plan.step_a
            found.append((lines[0], lines[1], lines[2]))
        return found


def _load(chance: random.Random, from_s: int, slot_s: int) -> tuple[int, int, tuple[int, ...]]:
    """Draw when a load comes on within its slot of the day, when it goes off, and on which lines: all, or one."""
    begins_s = from_s + chance.randrange(slot_s * 3 // 4)
    lines: tuple[int, ...] = (0, 1, 2) if chance.random() < 0.5 else (chance.randrange(3),)
    return begins_s, begins_s + chance.randrange(60, 900), lines
