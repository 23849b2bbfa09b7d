"""Circuits, stations and what happened at them, in the admin."""

from stations.admin import history, station

__all__ = ["history", "station"]
