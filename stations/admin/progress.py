"""How far a station has come with updates and uploads, on its page."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import TabularInline

from stations.models import StationProgress


class ProgressInline(TabularInline):  # type: ignore[misc]
    """The newest report of each kind: heard, not entered."""

    model = StationProgress
    extra = 0
    can_delete = False
    fields = readonly_fields = ["kind", "status", "at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """It is heard from the station."""
        return False
