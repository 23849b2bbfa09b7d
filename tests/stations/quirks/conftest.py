"""What the tests of quirks share: nothing waits, and what a car draws is judged at once."""

import pytest

from stations.ocpp16 import charge_point, consumer, obeying


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Begin at once after a boot; without one, not within a test."""
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)
    monkeypatch.setattr(obeying, "OBEY_S", 0)
