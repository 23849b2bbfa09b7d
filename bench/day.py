"""Play whole days of a garage in shortage and hold the controller against its goals, and against three simple ways.

`make bench-day` prints a table for each building and one for steps of 25 A: the worst of all days for each goal, the
mean for energy. The buildings are noisy, with loads of 25 A that come and go; 20 stations; cars that follow in 2 s, and
again in 5 s, the slowest that is legal.
"""

import argparse
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

from energy.allocation import ConnectorSeen, Controller, Decision, Observation, Timing
from energy.planner import (
    DAY_S,
    Decider,
    Garage,
    Plan,
    Session,
    Tally,
    evenly_wh,
    make_sessions,
    most_wh,
    served_wh,
    standard_curve,
)

STATIONS, CARS, TWINS, FUSE_A, STEPS = 20, 24, 4, 160.0, 8
BUILDINGS_A = (25.0, 60.0)  # at its peak: all cars may have their minimum while no load is on; a quarter has to wait
STEP_A = 25.0
NOISE_A = 1.0  # ± 2 A, two sigma
MINIMUM_A = 6.0


def plan_of(seed: int, building_a: float) -> Plan:
    """Make the plan of a day: offices, with cars that come to work and some visitors and neighbours."""
    return Plan(
        FUSE_A, STATIONS, CARS, standard_curve("offices", building_a),
        habits={"work": 4, "visit": 1, "home": 1}, noise_a=NOISE_A, steps=STEPS, seed=seed,
    )  # fmt: skip


def plan_of_steps(seed: int) -> Plan:
    """Make the plan of two hours on a still building where a load of 25 A comes on each three minutes."""
    return Plan(
        FUSE_A, STATIONS, 0, standard_curve("flat", 10.0), noise_a=0, steps=DAY_S // 180, step_a=STEP_A, seed=seed
    )


@dataclass(frozen=True)
class Day:
    """What one day came to."""

    served: float
    against_all_knowing: float
    against_ideal: float
    excess_as: float
    longest_over_s: float
    over_as: float
    longest_wait_min: float
    most_starts: int
    fairness: float
    took_s: float


class EqualStatic:
    """Give each station the same for ever: what the building leaves at its worst, among all; some get none."""

    def __init__(self, plan: Plan) -> None:
        worst_a = max(max(lines) for lines in plan.curve_a) + 4 * plan.noise_a + 2 * plan.step_a
        room_a = max(0.0, plan.usable_a - worst_a)
        served = min(plan.stations, int(room_a // MINIMUM_A))
        self.told: dict[Hashable, float] = {
            station: math.floor(room_a / served) if station < served else 0.0 for station in range(plan.stations)
        }

    def decide(self, seen: Observation) -> Decision:
        """Tell the same again."""
        told = {one.key: self.told[one.key] if one.charging else 0.0 for one in seen.connectors}
        return Decision(told, {}, seen.now, seen.limit, "operational")


def left_a(seen: Observation, charging: list[ConnectorSeen]) -> list[float]:
    """Return what the building leaves by the meter and the stations' last samples, as simple load managers do."""
    assert seen.grid is not None
    left = [limit - grid for limit, grid in zip(seen.limit, seen.grid, strict=True)]
    for one in charging:
        for line, current_a in zip(one.wiring, one.drawn or (), strict=True):
            left[line] += current_a
    return left


class FirstCome:
    """Give whoever came first all it can take, and the next what is left; of the last 10 s the least counts."""

    def __init__(self) -> None:
        self.order: list[Hashable] = []
        self.window: deque[list[float]] = deque(maxlen=10)

    def decide(self, seen: Observation) -> Decision:
        """Serve in order of arrival."""
        here = {one.key: one for one in seen.connectors if one.charging}
        self.order = [key for key in self.order if key in here] + [key for key in here if key not in self.order]
        self.window.append(left_a(seen, list(here.values())))
        least_a = min(min(lines) for lines in self.window)
        told: dict[Hashable, float] = dict.fromkeys((one.key for one in seen.connectors), 0.0)
        for key in self.order:
            given_a = math.floor(min(here[key].maximum, least_a) * 10) / 10
            if given_a >= MINIMUM_A:
                told[key], least_a = given_a, least_a - given_a
        return Decision(told, {}, seen.now, seen.limit, "operational")


class TenSeconds:
    """Each 10 s, share what the building leaves equally among the cars that are there, full or not."""

    def __init__(self) -> None:
        self.told: dict[Hashable, float] = {}
        self.next_at = 0.0

    def decide(self, seen: Observation) -> Decision:
        """Share anew, or tell the same as before."""
        charging = [one for one in seen.connectors if one.charging]
        if seen.now >= self.next_at:
            self.next_at = seen.now + 10
            room_a = max(0.0, min(left_a(seen, charging)))
            served = min(len(charging), int(room_a // MINIMUM_A))
            share_a = min(32.0, math.floor(room_a / served)) if served else 0.0
            self.told = {one.key: share_a for one in charging[:served]}
        told = {one.key: self.told.get(one.key, 0.0) if one.charging else 0.0 for one in seen.connectors}
        return Decision(told, {}, seen.now, seen.limit, "operational")


def controller(_plan: Plan) -> Decider:
    """Make the installation's own controller."""
    return Controller(Timing(), dynamic=True)


def first_come(_plan: Plan) -> Decider:
    """Make the one who serves in order of arrival."""
    return FirstCome()


def ten_seconds(_plan: Plan) -> Decider:
    """Make the one who looks each 10 s."""
    return TenSeconds()


WAYS: dict[str, tuple[Callable[[Plan], Decider], float]] = {
    "controller, 2 s": (controller, 2.0),
    "controller, 5 s": (controller, 5.0),
    "equal static": (EqualStatic, 2.0),
    "first come": (first_come, 2.0),
    "10 s loop": (ten_seconds, 2.0),
}


def play(seed: int, way: str, building_a: float) -> Day:
    """Play one day in one way."""
    make, follow_s = WAYS[way]
    plan = plan_of(seed, building_a)
    sessions, _turned_away = make_sessions(plan, TWINS)
    garage = Garage(plan, sessions, make(plan), step_s=1.0, follow_s=follow_s)
    began = time.process_time()
    garage.run(garage.end_s)
    took_s = time.process_time() - began
    tally = garage.tally
    got_wh = served_wh(sessions, tally.got_as)
    twins = [got for one, got in zip(sessions, tally.got_as, strict=True) if one.twins]
    return Day(
        served=got_wh / sum(one.wanted_wh for one in sessions),
        against_all_knowing=got_wh / most_wh(plan, sessions),
        against_ideal=got_wh / evenly_wh(plan, sessions),
        excess_as=tally.commanded_excess_as,
        longest_over_s=tally.longest_over_s,
        over_as=tally.over_as,
        longest_wait_min=max(tally.waited_s) / 60,
        most_starts=max(tally.starts),
        fairness=sum(twins) ** 2 / (len(twins) * sum(got**2 for got in twins)) if any(twins) else 0.0,
        took_s=took_s,
    )


def play_steps(seed: int, way: str) -> Tally:
    """Play two hours of steps with a car at each station that takes all it gets."""
    make, follow_s = WAYS[way]
    plan = plan_of_steps(seed)
    sessions = [Session(station, 1 + 2 * (station % 3 > 0), 32.0, 0, DAY_S, 1e6) for station in range(STATIONS)]
    garage = Garage(plan, sessions, make(plan), follow_s=follow_s, end_s=7200)
    garage.run(garage.end_s)
    return garage.tally


@dataclass(frozen=True)
class Goal:
    """One line of a table: what of a day counts, how days are put together, and what is aimed at."""

    title: str
    of: Callable[[Any], float]
    """Of a `Day`, or of the `Tally` of steps."""
    together: Callable[[list[float]], float]
    form: str
    least: float = -math.inf
    most: float = math.inf
    most_slow: float | None = None
    """What cars that follow in 5 s may come to; None: the same."""


GOALS = (
    Goal("commanded excess, A·s", lambda day: day.excess_as, sum, "8.1f", most=0.0),
    Goal("noise, longest over, s", lambda day: day.longest_over_s, max, "8.1f"),
    Goal("over the derated fuse, A·s a day", lambda day: day.over_as, mean, "8.0f"),
    Goal("energy of what was wanted", lambda day: day.served, mean, "8.1%"),
    Goal("energy / who knows all (price bound)", lambda day: day.against_all_knowing, mean, "8.1%", least=0.92),
    Goal("energy / ideal max-min sharing", lambda day: day.against_ideal, mean, "8.1%", least=0.97),
    Goal("longest at 0 A while waiting, min", lambda day: day.longest_wait_min, max, "8.0f", most=120),
    Goal("starts in a session, most", lambda day: day.most_starts, max, "8.0f", most=4),
    Goal("Jain fairness among equals, least", lambda day: day.fairness, min, "8.3f", least=0.95),
    Goal("CPU seconds to play a day", lambda day: day.took_s, mean, "8.1f"),
)
STEP_GOALS = (
    Goal("commanded excess, A·s", lambda tally: tally.commanded_excess_as, sum, "8.1f", most=0.0),
    Goal("longest over after a step, s", lambda tally: tally.longest_over_s, max, "8.1f", most=3.5, most_slow=6.5),
)


def misses(goal: Goal, way: str, value: float) -> bool:
    """Say whether a figure of the controller misses its goal."""
    most = goal.most_slow if way.endswith("5 s") and goal.most_slow is not None else goal.most
    return way.startswith("controller") and not goal.least <= value <= most + 1e-9


def print_table(title: str, goals: Sequence[Goal], found: dict[str, list[Any]]) -> bool:
    """Print what each way came to; return whether the controller misses a goal."""
    print(f"\n{title}\n{'':38}" + "".join(f"{way:>17}" for way in found) + "   goal")
    missed = False
    for goal in goals:
        values = {way: goal.together([goal.of(one) for one in played]) for way, played in found.items()}
        marks = {way: "!" if misses(goal, way, value) else " " for way, value in values.items()}
        missed |= "!" in marks.values()
        row = "".join(f"{format(value, goal.form):>16}{marks[way]}" for way, value in values.items())
        print(f"{goal.title:38}{row}   {_aim(goal)}", flush=True)
    return missed


def main() -> int:
    """Play, print the tables; return 1 where the controller misses a goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=12, help="how many days, of as many seeds")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first day")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), help="of: " + "; ".join(WAYS))
    parser.add_argument("--buildings", type=float, nargs="*", default=BUILDINGS_A, help="their peaks, A")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.days)
    with ProcessPoolExecutor() as pool:
        stepped = {way: list(pool.map(partial(play_steps, way=way), seeds)) for way in options.ways}
        missed = print_table(f"a load of {STEP_A:g} A each three minutes", STEP_GOALS, stepped)
        for building_a in options.buildings:
            days = {way: list(pool.map(partial(play, way=way, building_a=building_a), seeds)) for way in options.ways}
            title = f"{options.days} days, {STATIONS} stations, {CARS + TWINS} cars, {FUSE_A:g} A fuse"
            missed |= print_table(f"{title}, building up to {building_a:g} A", GOALS, days)
    return 1 if missed else 0


def _aim(goal: Goal) -> str:
    if goal.least > -math.inf:
        return f"≥ {goal.least:g}"
    if goal.most == math.inf:
        return ""
    return f"≤ {goal.most:g}" + (f" / {goal.most_slow:g}" if goal.most_slow else "")


if __name__ == "__main__":
    sys.exit(main())
