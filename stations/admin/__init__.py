"""Circuits, stations and what happened at them, in the admin."""

from stations.admin import history, security, station

__all__ = ["history", "security", "station"]
