"""Measure how long sharing takes, or try a great many random cases.

`python -m bench.allocate` prints a table; `python -m bench.allocate --cases 100000` checks the promises instead.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Hashable
from statistics import median, quantiles

from energy.allocation import Circuit, ConnectorSeen, Controller, Demand, Observation, Timing, allocate
from tests.energy.allocation.invariants import random_case, violations

ROUNDS = 25
BUDGET_MS = {20: 1.0, 1_000: 10.0, 10_000: 300.0}
MIXES: dict[str, list[tuple[int, ...]]] = {
    "three": [(0, 1, 2)],
    "single": [(0,), (1,), (2,)],
    "mixed": [(0, 1, 2), (0, 1, 2), (0,), (1,), (2,), (0, 1)],
}


def circuits_of(count: int, limit_a: float) -> list[Circuit]:
    """Lay out `count` circuits, each ten beneath one feeder."""
    found: list[Circuit] = []
    for number in range(count):
        feeder = None if number % 10 == 0 else f"circuit {number - number % 10}"
        share = limit_a * (0.2 if feeder is None else 0.02)
        found.append(Circuit(f"circuit {number}", (share, share, share), feeder))
    return found


def case(count: int, mix: str, circuit_count: int, amperes_each: float) -> tuple[float, list[Demand], list[Circuit]]:
    """Make an installation of `count` connectors with so many amperes of fuse for each."""
    chance = random.Random(count)
    limit_a = count * amperes_each
    circuits = circuits_of(circuit_count, limit_a)
    demands = [
        Demand(
            number,
            chance.choice(MIXES[mix]),
            chance.choice([6.0, 6.0, 8.0]),
            chance.choice([16.0, 32.0, round(chance.uniform(8, 32), 1)]),
            chance.choice([0, 0, 0, 1]),
            chance.uniform(0, 3600),
            chance.choice(circuits).name if circuits else None,
        )
        for number in range(count)
    ]
    return limit_a, demands, circuits


def milliseconds(run: Callable[..., object], *arguments: object) -> list[float]:
    """Time one call, `ROUNDS` times."""
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run(*arguments)
        found.append((time.perf_counter() - started) * 1000)
    return found


def report(name: str, count: int, times_ms: list[float]) -> None:
    """Print one line of the table."""
    p99 = quantiles(times_ms, n=100, method="inclusive")[98]
    ratio = median(times_ms) / BUDGET_MS[count]
    print(f"{count:>7,}  {name:<36} {median(times_ms):>9.2f} {p99:>9.2f} {ratio:>8.2f}")


def measure_allocate(count: int) -> None:
    """Time the kernel in shortage, in between and in plenty, with and without circuits."""
    for mix in MIXES:
        for circuit_count in (0, 1, 100):
            for name, amperes_each in (("shortage", 2.0), ("tight", 8.0), ("plenty", 200.0)):
                limit_a, demands, circuits = case(count, mix, circuit_count, amperes_each)
                limit = (limit_a, limit_a, limit_a)
                times_ms = milliseconds(allocate, limit, demands, circuits)
                report(f"allocate {mix}, {circuit_count} circuits, {name}", count, times_ms)


def measure_decide(count: int) -> None:
    """Time decisions while the building steps up and down and the stations accept what they were told."""
    for circuit_count in (0, 100):
        limit_a, demands, circuits = case(count, "mixed", circuit_count, 12.0)
        controller = Controller(Timing(), dynamic=True)
        told: dict[Hashable, float] = {}
        times_ms = []
        for second in range(ROUNDS):
            connectors = tuple(_seen(demand, told.get(demand.key), second) for demand in demands)
            building = limit_a * (0.3 if second % 7 < 3 else 0.6)
            drawn = [sum(one.drawn[0] for one in connectors if one.drawn and line in one.wiring) for line in range(3)]
            grid = (building + drawn[0], building + drawn[1], building + drawn[2])
            seen = Observation(second, (limit_a, limit_a, limit_a), grid, second, tuple(circuits), connectors)
            started = time.perf_counter()
            told = controller.decide(seen).allocations
            times_ms.append((time.perf_counter() - started) * 1000)
        report(f"decide mixed, {circuit_count} circuits", count, times_ms)


def _seen(demand: Demand, accepted: float | None, second: int) -> ConnectorSeen:
    """Let a station draw what it accepted and report every fifth second."""
    current = accepted or 0.0
    return ConnectorSeen(
        demand.key, demand.lines, demand.minimum, demand.maximum, True, (current, current, current),
        float(second - (second + hash(demand.key)) % 5), True, accepted, 0.0, demand.priority, circuit=demand.circuit,
    )  # fmt: skip


def check(cases: int, first_seed: int) -> int:
    """Check the promises on random cases; return how many broke one."""
    broken = 0
    for seed in range(first_seed, first_seed + cases):
        found = list(violations(*random_case(random.Random(seed))))
        if found:
            broken += 1
            print(f"seed {seed}: {found[0]}")
    print(f"{cases:,} random cases, {broken} with a violation")
    return broken


def main() -> int:
    """Read the arguments; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="check so many random cases instead of measuring")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first case")
    options = parser.parse_args()
    if options.cases:
        return 1 if check(options.cases, options.seed) else 0
    print(f"{'n':>7}  {'what':<36} {'median ms':>9} {'p99 ms':>9} {'/budget':>8}")
    for count in BUDGET_MS:
        measure_allocate(count)
        measure_decide(count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
