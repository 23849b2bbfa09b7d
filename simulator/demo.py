"""A small garage to show: mixed cars, stations wired in different rotations, drivers who come and go."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from .car import Car
from .model import Event
from .station import Station

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spot:
    """A parking spot: how its station is wired, and the car that parks there."""

    lines: tuple[int, ...]
    phases: int
    car_maximum_a: float
    follow_s: float = 2.0
    ramps: bool = False
    share: float = 1.0


SPOTS = (
    Spot((0, 1, 2), phases=3, car_maximum_a=16),
    Spot((1, 2, 0), phases=1, car_maximum_a=32),
    Spot((2, 0, 1), phases=3, car_maximum_a=16, ramps=True),
    Spot((0, 2, 1), phases=1, car_maximum_a=16, follow_s=4.0),
    Spot((1, 0, 2), phases=2, car_maximum_a=16),
    Spot((2, 1, 0), phases=3, car_maximum_a=32, ramps=True, follow_s=3.0),
    Spot((0, 1, 2), phases=3, car_maximum_a=16, share=0.9),
    Spot((1, 2, 0), phases=1, car_maximum_a=32, follow_s=1.0),
)


def garage(
    count: int,
    url: str,
    *,
    password: str | None = None,
    sample_interval_s: float = 10.0,
    on_event: Callable[[Event], None] | None = None,
) -> list[Station]:
    """Make stations CP1, CP2, …; from the ninth on the wirings repeat."""
    return [
        Station(
            f"CP{number + 1}",
            url,
            lines=SPOTS[number % len(SPOTS)].lines,
            maximum_a=32.0,
            password=password,
            sample_interval_s=sample_interval_s,
            on_event=on_event,
        )
        for number in range(count)
    ]


def car_for(number: int, chance: random.Random) -> Car:
    """Make the car that parks at the station of this number, counted from 0, its battery as empty as chance wants."""
    spot = SPOTS[number % len(SPOTS)]
    return Car(
        phases=spot.phases,
        maximum_a=spot.car_maximum_a,
        wanted_wh=chance.uniform(3_000, 30_000),
        follow_s=spot.follow_s,
        ramps=spot.ramps,
        share=spot.share,
    )


async def drive(number: int, station: Station, *, badge: str, seed: int, arrivals_s: float, returns: bool) -> None:
    """Be the driver of one car: arrive within `arrivals_s`, and one who `returns` leaves and comes back for ever."""
    chance = random.Random(f"{seed} {station.identity}")
    await asyncio.sleep(chance.uniform(0, arrivals_s))
    while True:
        if station.connectors[1].car is None:
            station.plug(car_for(number, chance), id_tag=badge)
        if not returns:
            return
        await asyncio.sleep(chance.uniform(120, 900))
        if station.connectors[1].car:
            station.unplug()
        await asyncio.sleep(chance.uniform(20, 120))
