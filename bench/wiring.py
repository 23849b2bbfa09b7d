"""Hold what finds mixed-up transformers against whole days: no false alarm, and how soon it is found.

`make bench-wiring` prints the table. Offices with noise and loads of 25 A that come and go; for the false alarms cars
of all kinds, for the rest single-phase cars alone. Charging time counts while such cars draw on two lines or more.
It decides each 2 s, which halves what a day costs.
"""

import argparse
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from energy.allocation import Controller, Decision, Observation, Timing
from energy.allocation.transformers import CERTAIN, TURNED, LinesFault
from energy.planner import Garage, Plan, make_sessions, standard_curve

STATIONS, CARS, FUSE_A, BUILDING_A, STEPS = 12, 20, 80.0, 30.0, 24
NOISE_A = 2.0
SOLAR_A, CLOUD_S = 60.0, 30.0
DRAWS_A = 6.0
BEAT_S = 2.0
SOLAR = "right, with solar"
ALL_KINDS = {"three_16": 4.0, "three_32": 1.0, "one_32": 3.0, "one_16": 1.0}
SINGLE_PHASE = {"one_32": 3.0, "one_16": 1.0}
MIXED_UP = {
    "L1 and L2 swapped": ((1, 0, 2), (1.0, 1.0, 1.0)),
    "L2 and L3 swapped": ((0, 2, 1), (1.0, 1.0, 1.0)),
    "all three": ((1, 2, 0), (1.0, 1.0, 1.0)),
    "L3 turned": ((0, 1, 2), (1.0, 1.0, -1.0)),
}


class Miswired:
    """The installation's controller behind a meter whose transformers are mixed up."""

    def __init__(self, order: tuple[int, ...], signs: tuple[float, ...], clouds: random.Random | None = None) -> None:
        """Add solar power on all lines where there are clouds that come and go."""
        self.clouds, self.solar_a = clouds, 0.0
        self.controller = Controller(Timing(), dynamic=True)
        self.order, self.signs = order, signs
        self.charging_s = 0.0
        self.worst_doubt = 0.0
        self.fault: LinesFault | None = None

    def decide(self, seen: Observation) -> Decision:
        """Let the controller see the lines as the meter shows them."""
        assert seen.grid is not None
        if self.clouds is not None and self.clouds.random() < 1 / CLOUD_S:
            self.solar_a = self.clouds.uniform(0, SOLAR_A)
        grid = [0.0, 0.0, 0.0]
        for line, there in enumerate(self.order):
            grid[there] = (seen.grid[line] - self.solar_a) * self.signs[there]
        busy = {one.wiring[0] for one in seen.connectors if one.drawn and one.drawn[0] >= DRAWS_A}
        self.charging_s += BEAT_S if len(busy) > 1 else 0.0
        decision = self.controller.decide(replace(seen, grid=(grid[0], grid[1], grid[2])))
        found = self.controller.transformers
        self.worst_doubt = max(self.worst_doubt, found.doubts[0] / CERTAIN, max(found.turns) / TURNED)
        self.fault = self.fault or found.fault
        return decision


@dataclass(frozen=True)
class Outcome:
    """What one day came to; `found_s`: of charging, None where nothing was found."""

    found_s: float | None
    fault: LinesFault | None
    worst_doubt: float


def play(seed: int, kinds: dict[str, float], name: str, report_s: float) -> Outcome:
    """Play a day, or as much of it as it takes to find something."""
    order, signs = MIXED_UP.get(name, ((0, 1, 2), (1.0, 1.0, 1.0)))
    plan = Plan(
        FUSE_A, STATIONS, CARS, standard_curve("offices", BUILDING_A), kinds=kinds, habits={"work": 3, "visit": 2},
        noise_a=NOISE_A, steps=STEPS, seed=seed,
    )  # fmt: skip
    clouds = random.Random(seed) if name == SOLAR else None
    decider = Miswired(order, signs, clouds)
    garage = Garage(plan, make_sessions(plan)[0], decider, step_s=BEAT_S, beat_s=BEAT_S, report_s=report_s)
    while not garage.is_over and decider.fault is None:
        garage.run(garage.now + 60.0)
    found_s = decider.charging_s if decider.fault else None
    return Outcome(found_s, decider.fault, decider.worst_doubt)


def cost_us(connectors: int = 20) -> float:
    """Measure what it adds to a decision, µs, at so many cars that charge."""
    plan = Plan(400.0, connectors, connectors, standard_curve("flat", 10.0), seed=1)
    decider = Miswired((0, 1, 2), (1.0, 1.0, 1.0))
    garage = Garage(plan, make_sessions(plan, connectors)[0], decider, step_s=1.0)
    garage.run(3 * 3600.0)
    update = decider.controller.transformers.update
    spent = [0.0]

    def timed(*arguments: object) -> None:
        began = time.perf_counter()
        update(*arguments)  # type: ignore[arg-type]
        spent[0] += time.perf_counter() - began

    decider.controller.transformers.update = timed  # type: ignore[assignment]
    garage.run(garage.now + 600.0)
    return spent[0] / 600 * 1e6


def main() -> None:
    """Print the table; ends with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--reports", type=float, default=10.0, metavar="S", help="of the stations (10)")
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    jobs = [("right", ALL_KINDS), (SOLAR, ALL_KINDS), *((name, SINGLE_PHASE) for name in MIXED_UP)]
    missed = False
    with ProcessPoolExecutor() as pool:
        for name, kinds in jobs:
            started = [pool.submit(play, seed, kinds, name, options.reports) for seed in seeds]
            outcomes = [one.result() for one in started]
            found = sorted(one.found_s / 60 for one in outcomes if one.found_s is not None)
            if kinds is ALL_KINDS:
                worst = max(one.worst_doubt for one in outcomes)
                days = f"{len(found)} false alarms in {len(outcomes)} days"
                print(f"{name:20} {days}; most doubt {worst:.0%} of what it takes", flush=True)
                missed |= bool(found)
            else:
                middle = f"{found[len(found) // 2]:.0f}, at most {found[-1]:.0f} min of charging" if found else "–"
                print(f"{name:20} found in {len(found)} of {len(outcomes)} days, after {middle}", flush=True)
                missed |= len(found) < len(outcomes)
    cost = cost_us()
    print(f"{'a decision':20} {cost:.1f} µs at 20 connectors")
    sys.exit(missed or cost > 20)


if __name__ == "__main__":
    main()
