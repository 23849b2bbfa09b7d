"""What the tests of the loop share: its memory is fresh in each, and what it would send is collected."""

import pytest

from energy import balancing, reading
from stations.ocpp16 import commands


@pytest.fixture
def sent(monkeypatch):
    """Collect what would go over the channel layer: (type, entries)."""
    messages = []
    monkeypatch.setattr(commands, "publish", lambda message, **_: messages.append(message))
    return messages


@pytest.fixture(autouse=True)
def _fresh_loop(monkeypatch):
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    monkeypatch.setattr(reading, "_open", reading._Open())
    yield
    if reading._open.meter is not None:
        reading._open.meter.close()
