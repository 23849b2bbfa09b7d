"""The general settings and the circuits in the admin."""

from energy.admin.general_settings import InstallationAdmin
from energy.circuit_admin import CircuitAdmin

__all__ = ["CircuitAdmin", "InstallationAdmin"]
