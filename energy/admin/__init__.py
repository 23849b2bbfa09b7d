"""The general settings and the circuits in the admin."""

from energy.admin.circuits import CircuitAdmin
from energy.admin.general_settings import InstallationAdmin

__all__ = ["CircuitAdmin", "InstallationAdmin"]
