"""Play a day of a garage on a simulated clock with the installation's own controller: pure Python, as the kernel is."""

from .day import (
    BEGINS_AT_HOUR,
    CURVES,
    DAY_S,
    HABITS,
    HOURS,
    KINDS,
    Building,
    Plan,
    Session,
    make_sessions,
    standard_curve,
    wiring_of,
)
from .garage import Decider, Garage, Tally
from .ideals import evenly_wh, most_wh, served_wh, to_wh

__all__ = [
    "BEGINS_AT_HOUR",
    "CURVES",
    "DAY_S",
    "HABITS",
    "HOURS",
    "KINDS",
    "Building",
    "Decider",
    "Garage",
    "Plan",
    "Session",
    "Tally",
    "evenly_wh",
    "make_sessions",
    "most_wh",
    "served_wh",
    "standard_curve",
    "to_wh",
    "wiring_of",
]
