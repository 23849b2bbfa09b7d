"""While the load manager is down, a driver with a known badge charges, a stranger does not, and nothing is lost."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from simulator import Car, Station, World

pytestmark = pytest.mark.e2e

SITE = """
installation: {mode: static, fuse_a: 63, static_limit_a: 40}
access: {rule: badge}
stations:
  - {identity: CP1}
  - {identity: CP2}
badges:
  - {id_tag: KNOWN}
"""


async def until(condition, within_s):
    """Wait until a condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_known_badge_charges_while_the_load_manager_is_down_and_a_stranger_does_not(product):
    stations = [Station(f"CP{n}", product.url, backoff_s=(0.2, 1.0)) for n in (1, 2)]
    for station in stations:
        station.configuration.put("AllowOfflineTxForUnknownId", "false")
        station.configuration.put("LocalAuthorizeOffline", "false")
    await asyncio.to_thread(product.apply, SITE)
    world = World()
    world.add(*stations)
    async with world:
        await until(lambda: all(station.local_list.status("KNOWN", 0) == "Accepted" for station in stations), 60)
        await asyncio.to_thread(product.stop)
        await until(lambda: not any(station.is_online for station in stations), 10)
        for station, badge in zip(stations, ("known", "STRANGER"), strict=True):
            station.plug(Car(wanted_wh=50_000), id_tag=badge)
        known, stranger = (station.connectors[1] for station in stations)
        await until(lambda: known.transaction is not None and known.register_wh > 0, 20)
        started_at = known.transaction.started_at
        stations[0].stop_transaction(1)
        ended_at = time.time()  # long before the load manager is back
        assert stranger.transaction is None
        await asyncio.to_thread(product.start)
        rows = await asyncio.to_thread(
            product.wait_for,
            lambda: product.query(
                "SELECT id_tag, is_authorised, badge_id, started_at, stopped_at FROM stations_transaction"
                " WHERE stopped_at IS NOT NULL"
            ),
            60,
        )
    ((id_tag, is_authorised, badge_id, *times),) = rows
    assert (id_tag, is_authorised, badge_id) == ("known", 1, 1)
    begun, ended = (datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() for moment in times)
    assert begun == pytest.approx(started_at, abs=0.01)
    assert begun <= ended <= ended_at
