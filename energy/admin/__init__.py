"""The general settings, circuits, planner, flight recorder, data retention and the wiring of stations, in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin
from energy.admin.planner import ScenarioAdmin
from energy.admin.recorder import RecordingAdmin
from energy.admin.retention import RetentionAdmin
from energy.admin.wiring import WiredStationAdmin

__all__ = [
    "CircuitAdmin",
    "InstallationAdmin",
    "RecordingAdmin",
    "RetentionAdmin",
    "ScenarioAdmin",
    "WiredStationAdmin",
]
