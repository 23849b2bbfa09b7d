import asyncio
from datetime import timedelta

import pytest

from stations.cpo import links, outbox, relay, standing
from stations.ocpp16.database import in_database
from tests.stations.wire import eventually


@pytest.fixture
async def relays(monkeypatch, closed_connections):  # noqa: ARG001 (it ends after these)
    """Let this process speak for its stations, without the pauses that a real operator is given."""
    monkeypatch.setattr(links, "LOOK_EACH_S", 0.02)
    monkeypatch.setattr(links, "THIN_OUT_EACH_S", 0.05)
    monkeypatch.setattr(relay, "backoff_s", lambda _tries, _spread: 0.02)
    monkeypatch.setattr(relay, "SHORTEST_INTERVAL_S", 0.02)
    monkeypatch.setattr(outbox, "backoff_s", lambda _refusals: 0.0)
    monkeypatch.setattr(standing, "AWAITS_BOOT", timedelta())
    links.start_relays()
    yield
    await links.end_relays()
    await in_database(int)  # after whatever still waits for the database
    loop = asyncio.get_running_loop()  # a call that was cut off leaves a socket for a moment
    await eventually(lambda: len(loop._selector.get_map()) == 1)
