"""What the tests of a simulated station share: a central system on a socket, and the power of stations."""

import pytest
from websockets.asyncio.server import serve

from simulator import Station
from tests.simulator.central import Site


@pytest.fixture
async def site():
    site = Site()
    async with serve(site.welcome, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        site.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        yield site


@pytest.fixture
async def power(site):
    """Make stations that are switched off at the end."""
    stations = []

    def make(identity="CP1", **options):
        quick = {"tick_s": 0.02, "boot_retry_s": 0.02, "backoff_s": (0.02, 0.05), "sample_interval_s": 30.0}
        station = Station(identity, site.url, **(quick | options))
        station.configuration.put("TransactionMessageRetryInterval", "0.02")
        stations.append(station)
        station.start()
        return station

    yield make
    for station in stations:
        await station.stop()
