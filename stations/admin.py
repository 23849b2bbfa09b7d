"""Circuits, stations and what happened at them, in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline

from stations.errors import EditionFull
from stations.models import Circuit, Connector, Station, StrayMessage, Transaction
from stations.services import approve_stations, ask_to_decide, connector_of


@admin.register(Circuit)
class CircuitAdmin(ModelAdmin):  # type: ignore[misc]
    """Parts of the installation with a limit of their own."""

    list_display = ["name", "limit_l1_a", "limit_l2_a", "limit_l3_a", "parent"]


class ConnectorInline(TabularInline):  # type: ignore[misc]
    """The connectors of one station, as last heard."""

    model = Connector
    extra = 0
    can_delete = False
    fields = readonly_fields = ["number", "status", "error_code", "accepted_limit_a", "refusal"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """Connectors are learned from the station."""
        return False


@admin.register(Station)
class StationAdmin(ModelAdmin):  # type: ignore[misc]
    """Charging stations."""

    list_display = ["__str__", "identity", "state", "phase_rotation", "max_current_a", "connected_at", "last_seen_at"]
    list_filter = ["state"]
    search_fields = ["identity", "name"]
    filter_horizontal = ["badges"]
    inlines = [ConnectorInline]
    actions = ["approve"]
    readonly_fields = [
        "ip_address",
        "vendor",
        "model",
        "serial_number",
        "firmware_version",
        "connected_at",
        "last_seen_at",
    ]
    exclude = ["state", "cpo_server", "cpo_identity", "is_cpo_enabled"]

    @admin.action(description=_("Take into service"))
    def approve(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Approve the chosen stations."""
        try:
            count = approve_stations(station_ids=list(queryset.values_list("pk", flat=True)))
        except EditionFull as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        text = ngettext("%(count)d station taken into service.", "%(count)d stations taken into service.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Station, form: Any, change: bool) -> None:
        """Save, and let the loop take it up at once; a new station has one connector until it says otherwise."""
        super().save_model(request, obj, form, change)
        if not change:
            connector_of(obj.pk, 1)
        ask_to_decide()


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """What happened: to be read, not changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's interface)
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is lost by hand."""
        return False


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """Charging operations."""

    list_display = ["id", "connector", "id_tag", "started_at", "stopped_at", "energy_wh", "stop_reason"]
    list_select_related = ["connector__station"]
    date_hierarchy = "started_at"
    search_fields = ["id_tag", "connector__station__identity"]


@admin.register(StrayMessage)
class StrayMessageAdmin(ReadOnlyAdmin):
    """Messages that belong to no transaction."""

    list_display = ["received_at", "station", "action", "reason"]
