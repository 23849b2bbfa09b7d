"""The list of stations (SPEC S16): its columns, filters and order, and what to do where it is empty."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import (
    BooleanField,
    Case,
    Exists,
    IntegerField,
    OrderBy,
    OuterRef,
    Prefetch,
    QuerySet,
    Value,
    When,
)
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.words import labelled
from stations.addresses import stations_at_lost_addresses, where_to_connect
from stations.editions import maximum_stations, room_for_stations
from stations.errors import EditionFull
from stations.models import Connector, Station, StationState, Transaction
from stations.ordering import by_name
from stations.reported_words import ago, in_amperes
from stations.setting_up import (
    approve_stations,
    stated_rotation,
    take_out_of_service,
    take_stated_rotations,
    wired_otherwise,
)

FRESH = timedelta(minutes=1)
CHIPS = {StationState.PENDING: "warning", StationState.CONFIGURED: "success", StationState.NOT_USABLE: "danger"}


class ConnectedFilter(admin.SimpleListFilter):
    """Stations with and without an open socket."""

    title = _("connection")
    parameter_name = "connected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002 (Django's)
        """Offer the two."""
        return [("yes", _("Connected")), ("no", _("Not connected"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:  # noqa: ARG002
        """Keep the chosen ones."""
        match self.value():
            case "yes":
                return queryset.exclude(socket_id="")
            case "no":
                return queryset.filter(socket_id="")
        return queryset


def chip(text: Any, kind: str) -> SafeString:
    """Draw a labelled chip; `kind` is one of unfold's: success, warning, danger, info."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})


def why_not_usable(*, is_full: bool) -> str:
    """Say why a station is not usable, and what to do; `is_full`: the edition has no room."""
    if is_full:
        text = gettext("Edition full: %(maximum)s stations at most")
        return text % {"maximum": maximum_stations()}
    return gettext("Taken out of service, or came while the edition was full")


def state_chip(station: Any) -> SafeString:
    """Show where a station of the list is on its way into service, with the reason where it is not usable."""
    shown = chip(StationState(station.state).label, CHIPS[StationState(station.state)])
    if station.state != StationState.NOT_USABLE:
        return shown
    return format_html("<span>{}<br><small>{}</small></span>", shown, why_not_usable(is_full=station.is_edition_full))


def connection_in_words(station: Station) -> str:
    """Say whether a station is connected, and when it was heard last."""
    now, seen_at = timezone.now(), station.last_seen_at
    heard = ago(seen_at, now) if seen_at else ""
    if station.is_connected:
        is_fresh = seen_at is None or now - seen_at < FRESH
        return gettext("Connected") if is_fresh else gettext("Connected, heard %(ago)s") % {"ago": heard}
    return gettext("Not connected, heard %(ago)s") % {"ago": heard} if heard else gettext("Never connected")


class StationList(ModelAdmin):  # type: ignore[misc]
    """What the list shows and what can be done from it."""

    list_display = [
        "place",
        "identity",
        "connector_count",
        "rotation",
        "state_shown",
        "connection",
        "circuit",
        "limit_now",
    ]
    list_display_links = ["place"]
    list_filter = ["state", ConnectedFilter, "circuit"]
    list_select_related = ["circuit", "preconfiguration"]
    search_fields = ["identity", "name", "host_name", "mac_address", "serial_number"]
    list_before_template = "stations/station_list_before.html"

    def get_ordering(self, request: HttpRequest) -> list[OrderBy]:  # noqa: ARG002 (Django's interface)
        """Put those first that wait for somebody, then go by name."""
        waits = Case(When(state=StationState.PENDING, then=Value(0)), default=Value(1), output_field=IntegerField())
        return [waits.asc(), *by_name()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Station]:
        """Fetch along whether the edition is full, and the connectors, each with whether a transaction runs."""
        running = Transaction.objects.filter(connector=OuterRef("pk"), stopped_at=None)
        connectors = Connector.objects.annotate(is_running=Exists(running)).order_by("number")
        is_full = Value(room_for_stations() == 0, output_field=BooleanField())
        found: QuerySet[Station] = super().get_queryset(request).annotate(is_edition_full=is_full)
        return found.prefetch_related(Prefetch("connectors", connectors, to_attr="seen_connectors"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say along with the list how a station is connected, and which ones wait."""
        waiting = list(Station.objects.filter(state=StationState.PENDING).values_list("pk", flat=True))
        room = room_for_stations()
        here = {
            **where_to_connect(request),
            "stations": Station.objects.count(),
            "wired_otherwise": wired_otherwise(),
            "waiting": waiting,
            "may_take_all": len(waiting) <= (self.list_per_page if room is None else room),
            "room": room,
            "maximum": maximum_stations(),
            "lost": stations_at_lost_addresses(),
        }
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **here})
        return answer

    @display(description=_("name"), ordering=by_name()[0])  # type: ignore[untyped-decorator]
    def place(self, station: Station) -> SafeString:
        """Name the station, with its host name below."""
        return format_html(
            '{}<br><small style="white-space: nowrap">{}</small>',
            station,
            station.host_name or station.ip_address or "",
        )

    @display(description=_("connectors"))  # type: ignore[untyped-decorator]
    def connector_count(self, station: Any) -> int:
        """Count its connectors."""
        return len(station.seen_connectors)

    @display(description=_("phase rotation"), ordering="phase_rotation")  # type: ignore[untyped-decorator]
    def rotation(self, station: Station) -> str | SafeString:
        """Give what is entered, and what the station says where that is something else."""
        stated = stated_rotation(station)
        if not stated:
            return station.phase_rotation
        says = chip(gettext("says %(rotation)s") % {"rotation": stated}, "warning")
        return format_html("<span>{}<br>{}</span>", station.phase_rotation, says)

    @display(description=_("state"), ordering="state")  # type: ignore[untyped-decorator]
    def state_shown(self, station: Any) -> SafeString:
        """Show its state as a chip with a word."""
        return state_chip(station)

    @display(description=_("connection"), ordering="last_seen_at")  # type: ignore[untyped-decorator]
    def connection(self, station: Station) -> str:
        """Say whether it is connected, and when it was heard last."""
        return connection_in_words(station)

    @display(description=_("limit now"))  # type: ignore[untyped-decorator]
    def limit_now(self, station: Any) -> str | SafeString:
        """Give what each connector with a running transaction may draw."""
        held = [row for row in station.seen_connectors if row.is_running and row.accepted_limit_a is not None]
        if len(station.seen_connectors) == 1:
            return limit_in_words(held[0].accepted_limit_a) if held else "–"
        rows = ((labelled(row.number, limit_in_words(row.accepted_limit_a)),) for row in held)
        return format_html_join(SafeString("<br>"), "{}", rows) or "–"

    @admin.action(description=_("Take into service"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Approve the chosen stations."""
        approve_or_say_why(self, request, list(queryset.values_list("pk", flat=True)))

    @admin.action(description=_("Enter the phase rotation that they say"), permissions=["change"])
    def take_rotation(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Believe the chosen stations how they are wired."""
        count = take_stated_rotations(station_ids=list(queryset.values_list("pk", flat=True)))
        text = ngettext(
            "%(count)d station has another phase rotation now.",
            "%(count)d stations have another phase rotation now.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Take out of service"), permissions=["change"])
    def take_out(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Let the chosen stations be managed no longer."""
        count = take_out_of_service(station_ids=list(queryset.values_list("pk", flat=True)))
        text = ngettext(
            "%(count)d station taken out of service: what it draws counts as the building's.",
            "%(count)d stations taken out of service: what they draw counts as the building's.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


def approve_or_say_why(station_admin: ModelAdmin, request: HttpRequest, station_ids: list[int]) -> None:
    """Take stations into service, or say why the edition does not allow it."""
    try:
        count = approve_stations(station_ids=station_ids)
    except EditionFull as error:
        station_admin.message_user(request, str(error), messages.ERROR)
        return
    text = ngettext("%(count)d station taken into service.", "%(count)d stations taken into service.", count)
    station_admin.message_user(request, text % {"count": count}, messages.SUCCESS)


def limit_in_words(limit_a: float) -> str:
    """Write a limit with its unit; 0 is a pause."""
    return f"{in_amperes(limit_a)} A" if limit_a else gettext("0 A (paused)")
