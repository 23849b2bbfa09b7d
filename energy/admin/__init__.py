"""The general settings, the circuits, the planner and the flight recorder in the admin."""
"""The general settings, the circuits and how long data are kept, in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin
from energy.admin.planner import ScenarioAdmin
from energy.admin.recorder import RecordingAdmin
from energy.admin.retention import RetentionAdmin

__all__ = ["CircuitAdmin", "InstallationAdmin", "RecordingAdmin", "ScenarioAdmin"]
__all__ = ["CircuitAdmin", "InstallationAdmin", "RetentionAdmin"]
