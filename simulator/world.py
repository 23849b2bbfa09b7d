"""The electrical world: the building, the cars, and what the grid meter sees of both, per line L1, L2, L3."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from .link import SimulatorError
from .meter import Meter
from .station import Station

log = logging.getLogger(__name__)

Lines = tuple[float, float, float]


class LoadCurve:
    """A building load made of steps with noise; the same seed and time give the same current."""

    def __init__(self, *, high_a: float = 25.0, step_s: float = 20.0, noise_a: float = 1.0, seed: int = 1) -> None:
        self.high_a = high_a
        self.step_s = step_s
        self.noise_a = noise_a
        self.seed = seed

    def current_a(self, now: float) -> Lines:
        """Tell the load at `now`, from 0 to `high_a` plus noise that changes each second."""
        level = random.Random(f"{self.seed} step {math.floor(now / self.step_s)}")
        noise = random.Random(f"{self.seed} noise {math.floor(now)}")

        def line_a() -> float:
            return max(0.0, level.uniform(0, self.high_a) + noise.uniform(-self.noise_a, self.noise_a))

        return line_a(), line_a(), line_a()


class World:
    """A building with its stations and its meter, started and stopped as one (`async with World(...)`)."""

    def __init__(
        self,
        *,
        building_a: Lines = (0.0, 0.0, 0.0),
        curve: LoadCurve | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.building_a = building_a
        self.curve = curve
        self.clock = clock
        self.stations: dict[str, Station] = {}
        self.meter: Meter | None = None

    def add(self, *stations: Station) -> None:
        """Wire stations to the building, before or after the start; the caller starts those added later."""
        for station in stations:
            if station.identity in self.stations:
                raise SimulatorError(f"expected every identity once, got {station.identity} twice")
            self.stations[station.identity] = station

    def add_meter(self, host: str = "127.0.0.1", port: int = 0) -> Meter:
        """Put the building's meter at an address; port 0 takes a free one."""
        self.meter = Meter(self.grid_a, host=host, port=port)
        return self.meter

    def step(self, step_a: float) -> None:
        """Switch something on (or off, if negative) that loads all three lines alike."""
        l1, l2, l3 = self.building_a
        self.building_a = (l1 + step_a, l2 + step_a, l3 + step_a)

    def house_a(self) -> Lines:
        """Tell what the building draws now, cars aside."""
        curve = self.curve.current_a(self.clock()) if self.curve else (0.0, 0.0, 0.0)
        return _sum((self.building_a, curve))

    def cars_a(self) -> Lines:
        """Tell what all cars draw now."""
        return _sum(station.lines_a() for station in self.stations.values())

    def grid_a(self) -> Lines:
        """Tell what the installation draws from the grid now; negative feeds in."""
        return _sum((self.house_a(), self.cars_a()))

    async def start(self) -> None:
        """Open the meter and switch all stations on."""
        if self.meter:
            await self.meter.start()
        for station in self.stations.values():
            station.start()

    async def stop(self) -> None:
        """Switch everything off; safe to call twice."""
        await asyncio.gather(*(station.stop() for station in self.stations.values()))
        if self.meter:
            await self.meter.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _sum(currents: Iterable[Lines]) -> Lines:
    l1 = l2 = l3 = 0.0
    for a1, a2, a3 in currents:
        l1, l2, l3 = l1 + a1, l2 + a2, l3 + a3
    return l1, l2, l3


async def watch_fuse(world: World, fuse_a: float, *, period_s: float = 0.1) -> None:
    """Log each time the grid current goes over the fuse and comes back, with what flowed too much (A·s)."""
    since: float | None = None
    excess_as = 0.0
    while True:
        now = world.clock()
        over_a = max(world.grid_a()) - fuse_a
        if over_a > 0:
            if since is None:
                since, excess_as = now, 0.0
                log.warning("over the fuse of %g A by %.1f A", fuse_a, over_a)
            excess_as += over_a * period_s
        elif since is not None:
            log.info("within the fuse again after %.1f s, %.0f A·s too much", now - since, excess_as)
            since = None
        await asyncio.sleep(period_s)
