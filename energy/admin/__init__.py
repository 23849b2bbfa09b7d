"""The general settings, the circuits and the planner in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin
from energy.admin.planner import ScenarioAdmin

__all__ = ["CircuitAdmin", "InstallationAdmin", "ScenarioAdmin"]
