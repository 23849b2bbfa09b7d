"""The installation and its meter in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin

from energy.circuit_admin import CircuitAdmin
from energy.meters.base import MeterError
from energy.meters.modbus import parse_url
from energy.models import Installation, Meter
from energy.reading import meter_map
from stations.services import ask_to_decide

__all__ = ["CircuitAdmin", "InstallationAdmin", "MeterAdmin"]


class DecidingAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """One row whose change the loop takes up at once."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save and decide again."""
        super().save_model(request, obj, form, change)
        ask_to_decide()


@admin.register(Installation)
class InstallationAdmin(DecidingAdmin):
    """The building's supply. Times are set in a site file, which checks them."""

    exclude = ["timing"]


class MeterForm(forms.ModelForm):  # type: ignore[type-arg]
    """A meter whose map and address can be used."""

    class Meta:
        model = Meter
        fields = ["model", "url", "unit", "manual_map"]

    def clean(self) -> dict[str, Any]:
        """Refuse what could not be read, with the reason."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("model"):
            return cleaned
        try:
            meter_map(Meter(model=cleaned["model"], manual_map=cleaned.get("manual_map")))
        except MeterError as error:
            self.add_error("model", str(error))
        try:
            parse_url(cleaned.get("url", ""))
        except MeterError as error:
            self.add_error("url", str(error))
        return cleaned


@admin.register(Meter)
class MeterAdmin(DecidingAdmin):
    """The building's meter."""

    form = MeterForm
    readonly_fields = ["last_error", "failing_since"]
    fieldsets = [
        (None, {"fields": ["model", "url", "unit", "manual_map"]}),
        (_("State"), {"fields": ["last_error", "failing_since"]}),
    ]
