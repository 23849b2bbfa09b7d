"""Measure how fast the building is protected: `make bench-react`.

Real processes, 20 simulated cars of 32 A that obey in 2 s (`--stations 1000`: on one line each, of a larger supply), a
meter over Modbus TCP, a fuse derated to 14 A a car. The building steps up from a tenth to half of that at a random
moment of the beat, 50 times; nobody has to stop, as each further stop would let a car wait longer. Printed are the time
from the step to the first and the last decrease on the stations' wires, that from the first sample over the limit being
read to the last decrease, and how long any line stayed above the derated fuse. Then the meter is killed, 5 times: the
time until every station has been told its fail-safe current.

With `--prune 1000000` all of it is measured twice: first as it is, then while so many old readings are deleted as the
upkeep does it, but without a pause. Printed are both tables, and the ratios of their medians.
"""

import argparse
import asyncio
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulator import Car, Event, Meter, Station, World
from tests.e2e.product import ROOT, Product

SHARE_A = 14.0  # of the derated fuse for each car of a line
FAIL_SAFE_A = 6.0
MEASURE_FOR_S, METER_DEATHS = 6.0, 5
SOON_S = 3.0  # what is lowered later is another turn's
FEW = 60  # more stations than that are on one line each
LINES = ((0,), (1,), (2,))

SITE = """
installation: {{mode: dynamic, phases: 3, fuse_a: {fuse_a}, derating_percent: 20, fail_safe_a: 6,
  measurement: ct_5a, ct_ratio_a: 6000}}
meter: {{model: eastron_sdm630, url: "tcp://127.0.0.1:{port}", unit: 1}}
timing: {{ramp_hold_s: 2, admission_hold_s: 2, minimum_off_s: 2, settle_s: 2}}  # quick recovery between the steps
stations: [{stations}]
"""


@dataclass(frozen=True)
class Supply:
    """How many stations there are, and what follows from it, A a line."""

    stations: int

    @property
    def usable_a(self) -> float:
        """The derated fuse."""
        return SHARE_A * (self.stations if self.stations <= FEW else math.ceil(self.stations / 3))

    @property
    def building_a(self) -> float:
        """What the building draws before it steps."""
        return self.usable_a / 10

    @property
    def step_a(self) -> float:
        """What comes on beside it."""
        return self.usable_a * 0.4

    @property
    def watch_each_s(self) -> float:
        """How often the lines are looked at: adding up a thousand cars takes a while."""
        return 0.01 if self.stations <= FEW else 0.1

    @property
    def goal_s(self) -> float:
        """From the sample to the last decrease."""
        return 0.3 if self.stations <= FEW else 1.0

    def make(self, url: str, wire: "Wire") -> list[Station]:
        """Make the stations."""
        return [
            Station(
                f"CP{number + 1}",
                url,
                lines=(0, 1, 2) if self.stations <= FEW else LINES[number % 3],
                sample_interval_s=5 if self.stations <= FEW else 30,
                on_event=wire.hear,
            )
            for number in range(self.stations)
        ]

    def site(self, port: int) -> str:
        """Write the site file."""
        rotation = ("L1L2L3",) * 3 if self.stations <= FEW else ("L1", "L2", "L3")
        stations = (f"{{identity: CP{n + 1}, phase_rotation: {rotation[n % 3]}}}" for n in range(self.stations))
        return SITE.format(fuse_a=self.usable_a / 0.8, port=port, stations=", ".join(stations))


class Gauge:
    """The lines, as the meter reads them, and when it first showed more than they may carry."""

    def __init__(self, world: World, usable_a: float) -> None:
        self.world, self.usable_a = world, usable_a
        self.over_at = math.inf

    def read_a(self) -> tuple[float, float, float]:
        """Answer the meter's reader."""
        now_a = self.world.grid_a()
        if max(now_a) > self.usable_a + 0.05:
            self.over_at = min(self.over_at, time.time())
        return now_a


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


async def settled(world: World, supply: Supply) -> None:
    """Wait until charging has taken up the headroom again."""
    async with asyncio.timeout(240):
        while not all(0.96 * supply.usable_a <= line <= supply.usable_a for line in world.grid_a()):
            await asyncio.sleep(10 * supply.watch_each_s)


async def longest_over(world: World, supply: Supply) -> float:
    """Watch the lines after a step; return the longest time one stayed above the derated fuse, s."""
    since: list[float | None] = [None, None, None]
    longest = 0.0
    until = time.time() + MEASURE_FOR_S
    while (now := time.time()) < until:
        for line, current_a in enumerate(world.grid_a()):
            if current_a > supply.usable_a + 0.05:
                since[line] = since[line] or now
                longest = max(longest, now - (since[line] or now))
            else:
                since[line] = None
        await asyncio.sleep(supply.watch_each_s)
    return longest


async def blind(meter: Meter, stations: list[Station], supply: Supply) -> float:
    """Kill the meter; return the seconds until every station holds its fail-safe current, and bring the meter back."""
    at = time.time()
    await meter.set_mode("off")
    async with asyncio.timeout(60):
        while any(station.connectors[1].offered_a != FAIL_SAFE_A for station in stations):
            await asyncio.sleep(supply.watch_each_s)
    took = time.time() - at
    await meter.set_mode("on")
    return took


async def measure(product: Product, supply: Supply, steps: int, deaths: int, seed: int) -> dict[str, list[float]]:
    """Run the steps and kill the meter; returns the series, s."""
    chance, wire = random.Random(seed), Wire()
    world = World(building_a=(supply.building_a,) * 3)
    stations = supply.make(product.url, wire)
    world.add(*stations)
    gauge = Gauge(world, supply.usable_a)
    meter = world.meter = Meter(gauge.read_a)
    found: dict[str, list[float]] = {"first": [], "last": [], "read": [], "over": [], "blind": []}
    async with world:
        await asyncio.to_thread(product.apply, supply.site(meter.port))
        for station in stations:
            station.plug(Car(phases=len(station.lines), maximum_a=32, wanted_wh=1_000_000, follow_s=2), id_tag="A1")
        for step in range(steps):
            await settled(world, supply)
            await asyncio.sleep(chance.uniform(1, 2))
            before = {station.identity: station.connectors[1].offered_a for station in stations}
            at, gauge.over_at = time.time(), math.inf
            world.step(supply.step_a)
            found["over"].append(await longest_over(world, supply))
            decreases = wire.decreases(at, before)
            found["first"].append(min(decreases, default=math.inf))
            found["last"].append(max((d for d in decreases if d < SOON_S), default=math.inf))
            found["read"].append(found["last"][-1] - (gauge.over_at - at))
            world.step(-supply.step_a)
            print(f"step {step + 1}/{steps}: sample to last {found['read'][-1]:.3f} s", end="\r", flush=True)
        for _death in range(deaths):
            await settled(world, supply)
            await asyncio.sleep(chance.uniform(0, 1))
            found["blind"].append(await blind(meter, stations, supply))
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


def run(supply: Supply, steps: int, deaths: int, seed: int, prune: int) -> dict[str, list[float]]:
    """Start the product and measure; with `prune`, while so many readings are deleted."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        pruning = None
        try:
            product.start()
            if prune:
                add_old_readings(product, prune)
                environment = {**product.environment, "DJANGO_SETTINGS_MODULE": "llm_site.settings"}
                pruning = subprocess.Popen([sys.executable, "-c", PRUNE], cwd=ROOT, env=environment)
            found = asyncio.run(measure(product, supply, steps, deaths, seed))
            if pruning is not None:
                left = product.query("SELECT count(*) FROM energy_reading")[0][0]
                print(f"{prune:,} old readings, {left:,} readings are left at the end")
            return found
        finally:
            if pruning is not None:
                pruning.kill()
                pruning.wait()
            product.stop()


def show(found: dict[str, list[float]], supply: Supply) -> None:
    """Print the table of one run."""
    rows = {
        "first": ("step → first decrease on the wire", "p99 ≤ 1.2"),
        "last": ("step → last decrease on the wire", "p99 ≤ 1.2"),
        "read": ("over-limit sample read → last decrease", f"p99 ≤ {supply.goal_s:g}"),
        "over": ("a line above the derated fuse", "max ≤ 3.5"),
        "blind": ("meter killed → all at fail-safe", "max ≤ 11"),
    }
    steps = f"seconds, {len(found['first'])} steps, {supply.stations} stations"
    print(f"{steps:40} {'p50':>7} {'p99':>7} {'max':>7}   goal")
    for key, (name, goal) in rows.items():
        if values := found[key]:
            middle, high = percentile(values, 50), percentile(values, 99)
            print(f"{name:40} {middle:7.3f} {high:7.3f} {max(values):7.3f}   {goal}")
    print("load of the machine:", ", ".join(f"{load:.1f}" for load in os.getloadavg()))


def main() -> None:
    """Start the product, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--deaths", type=int, default=METER_DEATHS, help="how often the meter is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prune", type=int, default=0, metavar="READINGS")
    options = parser.parse_args()
    supply = Supply(options.stations)
    found = run(supply, options.steps, options.deaths, options.seed, 0)
    show(found, supply)
    if options.prune:
        pruned = run(supply, options.steps, options.deaths, options.seed, options.prune)
        show(pruned, supply)
        ratios = {key: percentile(pruned[key], 50) / percentile(found[key], 50) for key in found}
        print("medians while pruning / without:", ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items()))


if __name__ == "__main__":
    main()
