"""How long what piles up is kept."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin

from energy.models import Retention


@admin.register(Retention)
class RetentionAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Days for each kind of data; what is older goes in small bites, without a pause of the load manager."""

    warn_unsaved_form = True
    fieldsets = [
        (
            _("Curve of building, charging and limit"),
            {
                "description": _("The finer, the more room it takes: a second is kept in about 100 bytes."),
                "fields": ["readings_days", "minutes_days", "quarters_days"],
            },
        ),
        (
            _("Stations"),
            {
                "description": _("Charging sessions, with their energy, are kept for ever."),
                "fields": ["meter_values_days", "messages_days"],
            },
        ),
    ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see this page may change it."""
        return bool(self.has_change_permission(request, obj))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page, and say when it takes effect."""
        text = _("Saved. What is older goes within the next hours, a little each minute; charging does not notice.")
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(request.path)
