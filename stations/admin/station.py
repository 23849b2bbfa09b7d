"""Circuits and charging stations in the admin."""

from typing import Any
from urllib.parse import quote

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from stations.admin.commands import CommandInline, station_or_404
from stations.admin.fail_safe import fail_safe_page
from stations.admin.fleet_commands import FleetCommandTools
from stations.admin.preconfiguration import PreconfigurationInline
from stations.admin.progress import ProgressInline
from stations.admin.security import StationForm, security_page
from stations.connections import check_connections, delete_stations
from stations.errors import EditionFull
from stations.local_lists import forget_local_lists
from stations.message_log import as_json_lines
from stations.models import Circuit, Connector, Station
from stations.preconfiguration import restore_preconfiguration
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
class StationAdmin(FleetCommandTools):
    """Charging stations."""

    list_display = ["__str__", "identity", "state", "phase_rotation", "max_current_a", "connected_at", "last_seen_at"]
    list_filter = ["state", "security_profile"]
    search_fields = ["identity", "name"]
    filter_horizontal = ["badges"]
    form = StationForm
    inlines = [ConnectorInline, PreconfigurationInline, ProgressInline, CommandInline]
    actions = ["approve", "restore", "send_list", "send_to_chosen"]
    actions_detail = [
        *FleetCommandTools.actions_detail,
        "security",
        "test_fail_safe",
        "show_messages",
        "download_messages",
    ]
    readonly_fields = [
        "ip_address",
        "vendor",
        "model",
        "serial_number",
        "firmware_version",
        "connected_at",
        "last_seen_at",
        "connection_profile",
    ]
    exclude = ["state", "cpo_server", "cpo_identity", "is_cpo_enabled"]

    @admin.action(description=_("Take into service"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Approve the chosen stations."""
        try:
            count = approve_stations(station_ids=list(queryset.values_list("pk", flat=True)))
        except EditionFull as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        text = ngettext("%(count)d station taken into service.", "%(count)d stations taken into service.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Restore pre-configuration"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Forget what was learned of the chosen stations, and learn it anew."""
        restore_preconfiguration(station_ids=list(queryset.values_list("pk", flat=True)))
        text = _("The pre-configuration begins anew, with stations that are away when they come back.")
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description=_("Send the list of badges anew"), permissions=["change"])
    def send_list(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Have the chosen stations sent their whole list of badges."""
        forget_local_lists(station_ids=list(queryset.values_list("pk", flat=True)))
        text = _("The lists of badges are sent anew, to stations that are away when they come back.")
        self.message_user(request, text, messages.SUCCESS)

    @action(description=_("Messages"), url_path="messages", permissions=["messages"])  # type: ignore[untyped-decorator]
    def show_messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what went over this station's socket."""
        station = station_or_404(self, request, object_id)
        return redirect(f"{reverse('admin:stations_frame_changelist')}?station__id__exact={station.pk}")

    @action(description=_("Download messages"), url_path="messages.jsonl", permissions=["messages"])  # type: ignore[untyped-decorator]
    def download_messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Hand out the message log of this station as JSON lines."""
        station = station_or_404(self, request, object_id)
        response = HttpResponse(b"".join(as_json_lines(station)), content_type="application/x-ndjson")
        name = quote(f"{station.identity}.jsonl", safe="")
        response["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return response

    def has_messages_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Who may see the message log may have it."""
        return bool(request.user.has_perm("stations.view_frame"))

    @action(description=_("Security"), url_path="security", permissions=["command"])  # type: ignore[untyped-decorator]
    def security(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how a station is secured, and change it."""
        return security_page(self, request, station_or_404(self, request, object_id))

    @action(description=_("Test fail-safe"), url_path="test-fail-safe", permissions=["command"])  # type: ignore[untyped-decorator]
    def test_fail_safe(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show whether a station falls back by itself, and test it."""
        return fail_safe_page(self, request, station_or_404(self, request, object_id))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let what is kept of a station go with it, also what nobody may delete by itself."""
        listed, counts, _missing, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Station) -> None:  # noqa: ARG002 (Django's interface)
        """Delete a station, and close its connection."""
        delete_stations(station_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:  # noqa: ARG002
        """Delete the chosen stations, and close their connections."""
        delete_stations(station_ids=list(queryset.values_list("pk", flat=True)))

    def save_model(self, request: HttpRequest, obj: Station, form: Any, change: bool) -> None:
        """Save, and let the loop take it up at once; a new station has one connector until it says otherwise."""
        if change:  # what was entered alone: sockets write the rest meanwhile
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
            check_connections(station_ids=[obj.pk])
        else:
            super().save_model(request, obj, form, change)
            connector_of(obj.pk, 1)
        ask_to_decide()
