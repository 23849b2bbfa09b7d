"""Circuits, stations and what happened at them, in the admin."""

from stations.admin import history, operator, security, station

__all__ = ["history", "operator", "security", "station"]
