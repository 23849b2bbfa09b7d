"""What the controller is given in tests: connectors, observations, limits over time."""

from energy.allocation import (
    ConnectorSeen,
    Controller,
    Observation,
    Timing,
)
from tests.energy.allocation.plant import Car


def equally(limit):
    return (limit, limit, limit)


def constant(*lines):
    return lambda _: lines


def step_at(when, before, after):
    return lambda now: after if now >= when else before


def garage(count, **more):
    return [Car(number, report_at=number % 5 + 0.5, **more) for number in range(count)]


def connector(key="a", **more):
    usual = {
        "wiring": (0, 1, 2), "minimum": 6.0, "maximum": 32.0, "charging": True, "drawn": (0.0, 0.0, 0.0),
        "drawn_at": 0.0, "connected": True, "accepted": None, "fail_safe": 0.0,
    }  # fmt: skip
    return ConnectorSeen(key, **{**usual, **more})


def look(*connectors, now=0.0, limit=(50, 50, 50), grid=None, circuits=()):
    return Observation(now, limit, grid, now, tuple(circuits), connectors)


def fresh(*, dynamic=True, **timing):
    return Controller(Timing(**timing), dynamic=dynamic)
