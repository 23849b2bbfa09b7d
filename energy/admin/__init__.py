"""The general settings, circuits, planner, flight recorder and how long data are kept, in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin
from energy.admin.planner import ScenarioAdmin
from energy.admin.recorder import RecordingAdmin
from energy.admin.retention import RetentionAdmin

__all__ = ["CircuitAdmin", "InstallationAdmin", "RecordingAdmin", "RetentionAdmin", "ScenarioAdmin"]
