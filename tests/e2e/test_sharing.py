"""Six cars, a building and a meter: the promise of the product, seen from outside."""

import asyncio

import pytest

from simulator import Car, Station, World
from tests.e2e.product import running

pytestmark = pytest.mark.e2e

product = pytest.fixture(running, name="product")

SITE = """
installation: {{name: Six, mode: dynamic, phases: 3, fuse_a: 63, derating_percent: 20, measurement: direct}}
meter: {{model: eastron_sdm630, url: "tcp://127.0.0.1:{port}", unit: 1}}
stations:
"""
USABLE_A = 50.4
SETTLED_WITHIN_S = 60


def site(meter_port, count):
    stations = "".join(f"  - {{identity: CP{n}, max_current_a: 32}}\n" for n in range(1, count + 1))
    return SITE.format(port=meter_port) + stations


async def until(condition, within_s):
    """Wait until a condition holds; fail with what it saw last."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.1)


async def until_known(product, question):
    """Wait until the database answers a question with yes."""
    await asyncio.to_thread(product.wait_for, lambda: product.query(question)[0][0], 30)


def offers(stations):
    return [station.connectors[1].offered_a for station in stations]


async def test_six_cars_share_what_the_building_leaves_and_no_more_when_the_meter_dies(product):
    world = World(building_a=(10.0, 10.0, 10.0))
    stations = [Station(f"CP{n}", product.url, sample_interval_s=5) for n in range(1, 7)]
    world.add(*stations)
    meter = world.add_meter()
    async with world:
        await asyncio.to_thread(product.apply, site(meter.port, 6))
        for station in stations:
            station.plug(Car(phases=3, maximum_a=32, wanted_wh=100_000, taper_wh=0), id_tag="A1")

        def shares_equally():
            return len(set(offers(stations))) == 1 and all(49.4 <= line <= USABLE_A for line in world.grid_a())

        await until(shares_equally, SETTLED_WITHIN_S)
        await until_known(product, "SELECT min(current_l1_a) > 6 FROM stations_connector")

        await meter.set_mode("off")
        await until_known(product, "SELECT count(*) = 6 FROM energy_allocation WHERE reason = 'meter_silent'")
        assert offers(stations) == [6.7] * 6, "8.4 A, their fail-safe current, does not fit beside the building"

        await meter.set_mode("on")
        await until(shares_equally, 2 * SETTLED_WITHIN_S)

        world.step(25)
        await until(lambda: max(world.grid_a()) <= USABLE_A, 10)
        assert max(offers(stations)) >= 6, "some go on charging with what is left"
        world.step(-25)
        await until(shares_equally, 2 * SETTLED_WITHIN_S)


async def test_static_mode_shares_a_fixed_current_without_a_meter(product):
    world = World()
    stations = [Station(f"CP{n}", product.url, sample_interval_s=5) for n in range(1, 4)]
    world.add(*stations)
    async with world:
        sites = "".join(f"  - {{identity: CP{n}, max_current_a: 32}}\n" for n in range(1, 4))
        installation = "installation: {mode: static, fuse_a: 63, static_limit_a: 30}\n"
        await asyncio.to_thread(product.apply, f"{installation}stations:\n{sites}")
        for station in stations:
            station.plug(Car(phases=3, maximum_a=32, wanted_wh=100_000), id_tag="A1")
        await until(lambda: offers(stations) == [10, 10, 10], SETTLED_WITHIN_S)
        stations[0].unplug()
        await until(lambda: offers(stations)[1:] == [15, 15], SETTLED_WITHIN_S)
