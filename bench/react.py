"""Measure how fast the building is protected: `make bench-react`.

Real processes, six simulated three-phase cars of 32 A that obey in 2 s, a meter over Modbus TCP, a fuse of 63 A
derated to 50.4 A. The building steps from 10 to 35 A per line at a random moment of the beat, 50 times. Printed are the
time from the step to the first and the last decrease on the stations' wires, and how long any line stayed above the
derated fuse. Then the meter is killed, 5 times: the time until every station has been told its fail-safe current.

With `--prune 1000000` all of it is measured twice: first as it is, then while so many old readings are deleted as the
upkeep does it, but without a pause. Printed are both tables, and the ratios of their medians.
"""

import argparse
import asyncio
import math
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from simulator import Car, Event, Meter, Station, World
from tests.e2e.product import ROOT, Product

USABLE_A, BUILDING_A, STEP_A, CARS = 50.4, 10.0, 25.0, 6
FAIL_SAFE_A = 8.4  # 50.4 A shared by six
MEASURE_FOR_S, METER_DEATHS = 6.0, 5
WATCH_EACH_S = 0.01

SITE = """
installation: {{mode: dynamic, phases: 3, fuse_a: 63, derating_percent: 20, measurement: direct}}
meter: {{model: eastron_sdm630, url: "tcp://127.0.0.1:{port}", unit: 1}}
timing: {{ramp_hold_s: 2, admission_hold_s: 2, minimum_off_s: 2, settle_s: 2}}  # quick recovery between the steps
stations: [{stations}]
"""


class Wire:
    """What the stations were told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, float]] = []

    def hear(self, event: Event) -> None:
        """Note each limit that arrives at a station."""
        if event.direction == "in" and event.action == "SetChargingProfile":
            profile = event.payload["csChargingProfiles"]
            if profile["chargingProfilePurpose"] == "TxProfile":
                limit_a = profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
                self.told.append((event.at, event.station, limit_a))

    def decreases(self, since: float, before: dict[str, float]) -> list[float]:
        """Return the seconds from `since` to each limit below what the station had then."""
        return [at - since for at, station, limit_a in self.told if at >= since and limit_a < before[station] - 0.05]


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


async def settled(world: World) -> None:
    """Wait until charging has taken up the headroom again."""
    async with asyncio.timeout(120):
        while not all(USABLE_A - 2 <= line <= USABLE_A for line in world.grid_a()):
            await asyncio.sleep(0.1)


async def longest_over(world: World) -> float:
    """Watch the lines after a step; return the longest time one stayed above the derated fuse, s."""
    since: list[float | None] = [None, None, None]
    longest = 0.0
    until = time.time() + MEASURE_FOR_S
    while (now := time.time()) < until:
        for line, current_a in enumerate(world.grid_a()):
            if current_a > USABLE_A + 0.05:
                since[line] = since[line] or now
                longest = max(longest, now - (since[line] or now))
            else:
                since[line] = None
        await asyncio.sleep(WATCH_EACH_S)
    return longest


async def blind(meter: Meter, stations: list[Station]) -> float:
    """Kill the meter; return the seconds until every station holds its fail-safe current, and bring the meter back."""
    at = time.time()
    await meter.set_mode("off")
    async with asyncio.timeout(60):
        while any(station.connectors[1].offered_a != FAIL_SAFE_A for station in stations):
            await asyncio.sleep(WATCH_EACH_S)
    took = time.time() - at
    await meter.set_mode("on")
    return took


async def measure(product: Product, steps: int, seed: int) -> dict[str, list[float]]:
    """Run the steps and kill the meter; returns the four series, s."""
    chance, wire = random.Random(seed), Wire()
    world = World(building_a=(BUILDING_A,) * 3)
    stations = [
        Station(f"CP{number + 1}", product.url, sample_interval_s=5, on_event=wire.hear) for number in range(CARS)
    ]
    world.add(*stations)
    meter = world.add_meter()
    found: dict[str, list[float]] = {"first": [], "last": [], "over": [], "blind": []}
    async with world:
        identities = ", ".join(f"{{identity: {station.identity}}}" for station in stations)
        await asyncio.to_thread(product.apply, SITE.format(port=meter.port, stations=identities))
        for station in stations:
            station.plug(Car(phases=3, maximum_a=32, wanted_wh=1_000_000, follow_s=2), id_tag="A1")
        for step in range(steps):
            await settled(world)
            await asyncio.sleep(chance.uniform(1, 2))
            before = {station.identity: station.connectors[1].offered_a for station in stations}
            at = time.time()
            world.step(STEP_A)
            found["over"].append(await longest_over(world))
            decreases = wire.decreases(at, before)
            found["first"].append(min(decreases, default=math.inf))
            found["last"].append(max((d for d in decreases if d < 2), default=math.inf))
            world.step(-STEP_A)
            print(f"step {step + 1}/{steps}: first {found['first'][-1]:.3f} s", end="\r", flush=True)
        for _death in range(METER_DEATHS):
            await settled(world)
            await asyncio.sleep(chance.uniform(0, 1))
            found["blind"].append(await blind(meter, stations))
    return found


PRUNE = """
import django; django.setup()
from django.utils import timezone
from energy.upkeep import prune
while prune(now=timezone.now()):
    pass
"""


def add_old_readings(product: Product, count: int) -> None:
    """Write readings of long ago, with a mean that says they are rolled up: nothing keeps them any more."""
    begin = datetime.now(UTC) - timedelta(days=100)
    currents = ", ".join(f"{kind}_l{line}_a" for kind in ("grid", "charging", "limit") for line in (1, 2, 3))
    rows = ((str((begin + timedelta(seconds=n)).replace(tzinfo=None)),) for n in range(count))
    values = ", ".join(["12.3"] * 9)
    with closing(sqlite3.connect(product.folder / "llm.sqlite3", timeout=20)) as database, database:
        database.executemany(f"INSERT INTO energy_reading (at, state, {currents}) VALUES (?, 'x', {values})", rows)
        rolled_at = str((datetime.now(UTC) - timedelta(minutes=5)).replace(second=0, microsecond=0, tzinfo=None))
        database.execute(
            f"INSERT INTO energy_readingmean (span_s, readings, begins_at, {currents}) VALUES (60, 60, ?, {values})",
            (rolled_at,),
        )


def run(steps: int, seed: int, prune: int) -> dict[str, list[float]]:
    """Start the product and measure; with `prune`, while so many readings are deleted."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        product.start()
        pruning = None
        try:
            if prune:
                add_old_readings(product, prune)
                environment = {**product.environment, "DJANGO_SETTINGS_MODULE": "llm_site.settings"}
                pruning = subprocess.Popen([sys.executable, "-c", PRUNE], cwd=ROOT, env=environment)
            found = asyncio.run(measure(product, steps, seed))
            if pruning is not None:
                left = product.query("SELECT count(*) FROM energy_reading")[0][0]
                print(f"{prune:,} old readings, {left:,} readings are left at the end")
            return found
        finally:
            if pruning is not None:
                pruning.kill()
                pruning.wait()
            product.stop()


def show(found: dict[str, list[float]], steps: int) -> None:
    """Print the table of one run."""
    names = {
        "first": "step → first decrease on the wire",
        "last": "step → last decrease on the wire",
        "over": "a line above the derated fuse",
        "blind": "meter killed → all at fail-safe",
    }
    print(f"{'seconds, ' + str(steps) + ' steps':38} {'p50':>7} {'p99':>7} {'max':>7}   goal")
    for key, goal in (("first", "p99 ≤ 1.2"), ("last", "p99 ≤ 1.2"), ("over", "max ≤ 3.5"), ("blind", "max ≤ 11")):
        values = found[key]
        print(
            f"{names[key]:38} {percentile(values, 50):7.3f} {percentile(values, 99):7.3f} {max(values):7.3f}   {goal}"
        )


def main() -> None:
    """Start the product, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prune", type=int, default=0, metavar="READINGS")
    options = parser.parse_args()
    found = run(options.steps, options.seed, 0)
    show(found, options.steps)
    if options.prune:
        pruned = run(options.steps, options.seed, options.prune)
        show(pruned, options.steps)
        ratios = {key: percentile(pruned[key], 50) / percentile(found[key], 50) for key in found}
        print("medians while pruning / without:", ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items()))


if __name__ == "__main__":
    main()
