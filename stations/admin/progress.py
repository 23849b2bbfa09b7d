"""How far a station has come with updates and uploads, on its page."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from stations.models import StationProgress
from stations.reported_words import PROGRESS, in_words


class ProgressInline(TabularInline):  # type: ignore[misc]
    """The newest report of each kind: heard, not entered."""

    model = StationProgress
    extra = 0
    can_delete = False
    fields = readonly_fields = ["kind", "state", "at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """It is heard from the station."""
        return False

    @admin.display(description=_("state"))
    def state(self, progress: StationProgress) -> str:
        """Say how far it has come."""
        return in_words(progress.status, PROGRESS)
