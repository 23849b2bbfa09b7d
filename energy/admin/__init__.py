"""The pages of the general settings, circuits, limits, wiring, planner, flight recorder and retention in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin
from energy.admin.limits import ExternalLimitAdmin, TimeTableAdmin
from energy.admin.planner import ScenarioAdmin
from energy.admin.recorder import RecordingAdmin
from energy.admin.retention import RetentionAdmin
from energy.admin.wiring import WiredStationAdmin

__all__ = [
    "CircuitAdmin",
    "ExternalLimitAdmin",
    "InstallationAdmin",
    "RecordingAdmin",
    "RetentionAdmin",
    "ScenarioAdmin",
    "TimeTableAdmin",
    "WiredStationAdmin",
]
