"""Badges and the access rule in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin

from badges.models import Badge, BadgeSettings


@admin.register(Badge)
class BadgeAdmin(ModelAdmin):  # type: ignore[misc]
    """RFID cards."""

    list_display = ["id_tag", "type", "is_active", "comment", "expires_on", "is_good_everywhere"]
    list_filter = ["type", "is_active"]
    search_fields = ["id_tag", "comment", "email"]


@admin.register(BadgeSettings)
class BadgeSettingsAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Who may charge at all."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page: there is no list to go back to."""
        self.message_user(request, _("Saved."), messages.SUCCESS)
        return redirect(request.path)
