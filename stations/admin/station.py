"""Charging stations in the admin."""

from typing import Any
from urllib.parse import quote

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action

from accounts.admin_page import admin_page
from stations.addresses import where_to_connect
from stations.admin.commands import CommandInline, station_or_404
from stations.admin.fail_safe import fail_safe_page
from stations.admin.fleet_commands import FleetCommandTools
from stations.admin.preconfiguration import PreconfigurationInline
from stations.admin.progress import ProgressInline
from stations.admin.removal import StationRemoval
from stations.admin.search import StationSearchPage
from stations.admin.security import security_page
from stations.admin.station_form import ADD_FIELDSETS, FIELDSETS, READ_ONLY, StationForm
from stations.admin.station_list import StationList, approve_or_say_why, limit_in_words, why_not_usable
from stations.admin.stop_requests import StopRequests
from stations.admin.together import Together
from stations.connections import check_connections
from stations.editions import maximum_stations, room_for_stations
from stations.local_lists import forget_local_lists
from stations.message_log import as_json_lines
from stations.models import Connector, Station, StationState
from stations.preconfiguration import restore_preconfiguration
from stations.reported_words import ERRORS, NO_ERROR, in_words, refusal_in_words
from stations.security import make_password
from stations.services import ask_to_decide, connector_of


class ConnectorInline(TabularInline):  # type: ignore[misc]
    """The connectors of one station, as last heard."""

    model = Connector
    extra = 0
    can_delete = False
    fields = readonly_fields = ["number", "status", "error", "limit", "last_refusal"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """Connectors are learned from the station."""
        return False

    @admin.display(description=_("error"))
    def error(self, connector: Connector) -> str:
        """Name the fault it reports."""
        return "–" if connector.error_code in ("", NO_ERROR) else in_words(connector.error_code, ERRORS)

    @admin.display(description=_("limit in force"))
    def limit(self, connector: Connector) -> str:
        """Give what a car that charges may draw; without one there is no limit but the fail-safe current."""
        is_running = connector.transactions.filter(stopped_at=None).exists()
        return (
            limit_in_words(connector.accepted_limit_a) if is_running and connector.accepted_limit_a is not None else "–"
        )

    @admin.display(description=_("last refusal of a limit"))
    def last_refusal(self, connector: Connector) -> str:
        """Say what it did with its last limit."""
        return refusal_in_words(connector.refusal) or "–"


@admin.register(Station)
class StationAdmin(StationList, Together, StationSearchPage, StationRemoval, FleetCommandTools, StopRequests):
    """Charging stations."""

    form = StationForm
    fieldsets = FIELDSETS
    add_fieldsets = ADD_FIELDSETS
    readonly_fields = READ_ONLY
    warn_unsaved_form = True
    inlines: list[Any] = [ConnectorInline, PreconfigurationInline, ProgressInline, CommandInline]
    actions = [
        "configure_together",
        "approve",
        "take_rotation",
        "take_out",
        "restore",
        "send_list",
        "send_to_chosen",
        "delete_chosen",
    ]
    actions_detail = [
        *FleetCommandTools.actions_detail,
        "security",
        "test_fail_safe",
        "show_messages",
        "download_messages",
    ]

    def get_inlines(self, request: HttpRequest, obj: Station | None) -> list[Any]:
        """Show what was learned of a station where there is any; what came to be since a form was opened waits."""
        shown = [inline for inline in self.inlines if obj and inline.model.objects.filter(station=obj).exists()]
        if request.method != "POST":
            return shown
        names = [(inline, inline.model._meta.get_field("station").remote_field.get_accessor_name()) for inline in shown]
        return [inline for inline, name in names if f"{name}-TOTAL_FORMS" in request.POST]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Say along with the form what the station waits for, and where it finds the load manager."""
        station = options.get("obj")
        identity, room = station.identity if station else "", room_for_stations()
        is_unusable = station is not None and station.state == StationState.NOT_USABLE
        here = {
            "station": station,
            **where_to_connect(request, identity),
            "room": room,
            "maximum": maximum_stations(),
            "why_not_usable": why_not_usable(is_full=room == 0) if is_unusable else "",
            "show_save_and_continue": station is not None,  # a new one's page comes next in any case
        }
        return super().render_change_form(request, {**context, **here}, *args, **options)

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

    def get_urls(self) -> list[URLPattern]:
        """Add what the notice on a station's page asks for."""
        view = self.admin_site.admin_view(self.take_into_service)
        route = "<path:object_id>/take-into-service/"
        return [path(route, view, name="stations_station_take_into_service"), *super().get_urls()]

    def take_into_service(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Approve one station."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        station = station_or_404(self, request, object_id)
        approve_or_say_why(self, request, [station.pk])
        return redirect("admin:stations_station_change", station.pk)

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

    def save_model(self, request: HttpRequest, obj: Station, form: Any, change: bool) -> None:
        """Save, and let the loop take it up at once; a new station is in service where the edition has room.

        It has one connector until it says otherwise.
        """
        if change:  # what was entered alone: sockets write the rest meanwhile
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.save(update_fields=columns.intersection(form.changed_data))
            check_connections(station_ids=[obj.pk])
        else:
            super().save_model(request, obj, form, change)
            connector_of(obj.pk, 1)
            approve_or_say_why(self, request, [obj.pk])
        ask_to_decide()

    def response_add(self, request: HttpRequest, obj: Station, post_url_continue: Any = None) -> HttpResponse:  # noqa: ARG002
        """Go on to the page of the new station, which says what to enter at it; with a new password, show that once."""
        if "makes_password" not in request.POST:
            if "_addanother" in request.POST:
                return redirect("admin:stations_station_add")
            return redirect("admin:stations_station_change", obj.pk)
        context = {
            "station": obj,
            **where_to_connect(request, obj.identity),
            "password": make_password(station_id=obj.pk),
        }
        title = gettext("%(station)s is added") % {"station": obj}
        return admin_page(request, "stations/station_added.html", context, title=title, within=self)
