"""Badges and the access rule in the admin."""

from django.contrib import admin
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
