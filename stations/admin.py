"""Circuits, stations and what happened at them, in the admin."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.models import Role
from stations.commanding import check_command, request_command
from stations.errors import CommandUnfit, EditionFull
from stations.models import Circuit, Command, Connector, Preconfiguration, Station, StrayMessage, Transaction
from stations.ocpp16.configuration import WRITTEN
from stations.ocpp16.ladder import Climb, restore, standing_climb
from stations.ocpp16.ladder import Role as ProfileRole
from stations.ocpp16.operations import OPERATIONS
from stations.preconfiguration import capabilities_of, restore_preconfiguration, tried_on
from stations.services import approve_stations, ask_to_decide, connector_of

LAST_COMMANDS = 10
LOOK_AGAIN_S = 2


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


class PreconfigurationInline(StackedInline):  # type: ignore[misc]
    """What a station can and what was set in it: learned, not entered."""

    model = Preconfiguration
    can_delete = False
    fields = readonly_fields = [
        "read_at",
        "limit_form",
        "standing_form",
        "abilities",
        "proposed_rotation",
        "settings_written",
        "settings_refused",
        "needs_reboot",
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """It is learned from the station."""
        return False

    @admin.display(description=_("limits are given as"))
    def limit_form(self, kept: Preconfiguration) -> str:
        """Name the form of charging profile that works, or say why none does."""
        return _form(_climb(kept, ProfileRole.LIVE))

    @admin.display(description=_("the fail-safe current is given as"))
    def standing_form(self, kept: Preconfiguration) -> str:
        """Name the form that holds the standing current."""
        return _form(standing_climb(_climb(kept, ProfileRole.LIVE), _climb(kept, ProfileRole.STANDING)))

    @admin.display(description=_("abilities"))
    def abilities(self, kept: Preconfiguration) -> str:
        """List what the station says it can."""
        can = capabilities_of(kept.station, kept)
        profiles = "–" if can.most_profiles is None else can.most_profiles
        return gettext(
            "%(connectors)d connectors; limits in %(units)s; stack levels up to %(level)d; %(profiles)s profiles; "
            "changes its number of phases: %(switches)s; %(features)s"
        ) % {
            "connectors": can.connectors,
            "units": ", ".join(can.units),
            "level": can.top_stack_level,
            "profiles": profiles,
            "switches": _("yes") if can.switches_phases else _("no"),
            "features": ", ".join(can.feature_profiles) or "–",
        }

    @admin.display(description=_("phase rotation it proposes"))
    def proposed_rotation(self, kept: Preconfiguration) -> str:
        """Name the rotation the station proposes; what counts is the one entered above."""
        return capabilities_of(kept.station, kept).rotation or "–"

    @admin.display(description=_("settings written"))
    def settings_written(self, kept: Preconfiguration) -> str:
        """List what the station took."""
        return "; ".join(f"{t.key} = {t.value}" for t in tried_on(kept) if t.outcome in WRITTEN) or "–"

    @admin.display(description=_("settings refused"))
    def settings_refused(self, kept: Preconfiguration) -> str:
        """List what the station did not take, with its answer."""
        refused = (t for t in tried_on(kept) if t.outcome not in WRITTEN)
        return "; ".join(f"{t.key} = {t.value}: {t.outcome or '?'}" for t in refused) or "–"


def _climb(kept: Preconfiguration, role: ProfileRole) -> Climb:
    """Return where a station is on the ladder of a role."""
    return restore(capabilities_of(kept.station, kept), role, kept.ladders.get(role, {}))


def _form(climb: Climb) -> str:
    """Say in which form a station takes a limit."""
    if climb.can.has_smart_charging is False:
        return gettext("Cannot be limited: no SmartCharging.")
    if climb.is_exhausted:
        if climb.role is ProfileRole.STANDING:
            return gettext("Holds none: every form of charging profile was refused.")
        return gettext("Cannot be limited: every form of charging profile was refused.")
    if climb.proven is None:
        return gettext("Not tried yet.")
    purpose, unit, kind, level = climb.proven
    return f"{purpose}, {unit}, {kind}, stackLevel {level}"


class CommandInline(TabularInline):  # type: ignore[misc]
    """What was asked of one station, the newest first, with the outcome."""

    model = Command
    extra = 0
    per_page = LAST_COMMANDS
    can_delete = False
    fields = readonly_fields = ["created_at", "action", "payload", "state", "answer", "error_text", "requested_by"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """Commands are sent, not written down."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """What happened is not changed."""
        return False


class CommandForm(forms.Form):
    """An operation and its payload, which must fit its schema."""

    action = forms.ChoiceField(
        label=_("Action"), choices=[(name, name) for name in sorted(OPERATIONS)], widget=UnfoldAdminSelectWidget
    )
    payload = forms.JSONField(
        label=_("Payload"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"})
    )

    def clean(self) -> dict[str, Any]:
        """Refuse what could not be sent, with the schema's complaint."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "action" not in cleaned or "payload" not in cleaned:
            return cleaned
        cleaned["payload"] = cleaned["payload"] or {}
        try:
            check_command(cleaned["action"], cleaned["payload"])
        except CommandUnfit as error:
            self.add_error("payload", str(error))
        return cleaned


@admin.register(Station)
class StationAdmin(ModelAdmin):  # type: ignore[misc]
    """Charging stations."""

    list_display = ["__str__", "identity", "state", "phase_rotation", "max_current_a", "connected_at", "last_seen_at"]
    list_filter = ["state"]
    search_fields = ["identity", "name"]
    filter_horizontal = ["badges"]
    inlines = [ConnectorInline, PreconfigurationInline, CommandInline]
    actions = ["approve", "restore"]
    actions_detail = ["send_command"]
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

    @admin.action(description=_("Restore pre-configuration"))
    def restore(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        """Forget what was learned of the chosen stations, and learn it anew."""
        restore_preconfiguration(station_ids=list(queryset.values_list("pk", flat=True)))
        text = _("The pre-configuration begins anew, with stations that are away when they come back.")
        self.message_user(request, text, messages.SUCCESS)

    def has_command_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Only administrators send commands."""
        return getattr(request.user, "role", None) == Role.ADMINISTRATOR

    @action(description=_("Send a command"), url_path="send-command", permissions=["command"])  # type: ignore[untyped-decorator]
    def send_command(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send one command by hand; the page looks again until the outcome of the last one is there."""
        station = get_object_or_404(Station, pk=object_id)
        form = CommandForm(request.POST or None, initial={"action": "GetConfiguration", "payload": {}})
        if request.method == "POST" and form.is_valid():
            sent = request_command(
                station=station,
                action=form.cleaned_data["action"],
                payload=form.cleaned_data["payload"],
                user=request.user,  # type: ignore[arg-type]  # the permission above lets in users only
            )
            return redirect(f"{request.path}?command={sent.pk}")
        number = request.GET.get("command", "")
        command = station.commands.filter(pk=number).first() if number.isdecimal() else None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Send a command to %(station)s") % {"station": station},
            "opts": self.opts,
            "station": station,
            "form": form,
            "command": command,
            "answer": json.dumps(command.answer, indent=2, ensure_ascii=False) if command else "",
            "examples": OPERATIONS,
        }
        response = render(request, "stations/send_command.html", context)
        if command is not None and command.is_open and request.method == "GET":
            response["Refresh"] = str(LOOK_AGAIN_S)
        return response

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
