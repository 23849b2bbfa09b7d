"""Commands in a station's admin: what was asked of it, a tool per operation, and the page that sends one."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from accounts.access import has_role
from accounts.admin_page import admin_page
from accounts.models import Role
from stations.admin.chosen import is_number
from stations.admin.command_form import CommandForm, PayloadForm, configuration_of, example_of, initial_of
from stations.admin.command_words import CONSEQUENCES, PROFILE_TITLES, TITLES
from stations.commanding import request_command
from stations.errors import CommandUnfit
from stations.models import Command, Station, Transaction
from stations.ocpp16.blanking import HIDDEN
from stations.ocpp16.operations import FEATURE_PROFILES, OPERATIONS
from stations.reported_words import outcome_in_words

LAST_COMMANDS = 10
OFTEN_NEEDED = [
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
    "ChangeAvailability",
    "TriggerMessage",
    "GetConfiguration",
    "ChangeConfiguration",
    "UpdateFirmware",
    "GetDiagnostics",
    "ReserveNow",
]


class CommandInline(TabularInline):  # type: ignore[misc]
    """What was asked of one station, the newest first, with the outcome."""

    model = Command
    extra = 0
    per_page = LAST_COMMANDS
    can_delete = False
    fields = readonly_fields = ["created_at", "operation", "payload", "outcome", "answer", "requester"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """Commands are sent, not written down."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """What happened is not changed."""
        return False

    @admin.display(description=gettext_lazy("action"))
    def operation(self, command: Command) -> str:
        """Name the operation."""
        return str(TITLES.get(command.action, command.action))

    @admin.display(description=gettext_lazy("Outcome"))
    def outcome(self, command: Command) -> str:
        """Say what became of it."""
        return outcome_in_words(command)


def profiles(address: str) -> list[tuple[str, list[dict[str, str]]]]:
    """List every operation by feature profile, each with the address of its page."""
    return [
        (
            PROFILE_TITLES[profile],
            [
                {"name": name, "title": TITLES[name], "url": address.format(name), "text": CONSEQUENCES.get(name, "")}
                for name in sorted(operations)
            ],
        )
        for profile, operations in FEATURE_PROFILES.items()
    ]


def _tool(operation: str) -> Callable[..., HttpResponse]:
    """Make the object tool of one operation."""

    @action(  # type: ignore[untyped-decorator]
        description=TITLES[operation], url_path=f"send-command/{operation}", permissions=["command"]
    )
    def tool(station_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
        return command_page(station_admin, request, object_id, operation)

    return tool  # type: ignore[no-any-return]


class CommandTools(ModelAdmin):  # type: ignore[misc]
    """The object tools that send commands: those often needed in a menu, all of them on a page."""

    actions_detail = [
        {"title": gettext_lazy("Commands"), "items": [f"send_{operation}" for operation in OFTEN_NEEDED]},
        "send_command",
    ]

    def has_command_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Only administrators send commands."""
        return has_role(request.user, Role.ADMINISTRATOR)

    @action(description=gettext_lazy("All commands"), url_path="send-command", permissions=["command"])  # type: ignore[untyped-decorator]
    def send_command(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """List every operation, by feature profile."""
        station = station_or_404(self, request, object_id)
        context = {"station": station, "where": station, "profiles": profiles(f"{request.path}{{}}/")}
        return page(self, request, "stations/commands.html", context)

    def get_urls(self) -> list[URLPattern]:
        """Add the page of an operation that is in no menu."""
        view = self.admin_site.admin_view(self._operation_page)
        route = "<path:object_id>/send-command/<str:operation>/"
        return [path(route, view, name="stations_station_operation"), *super().get_urls()]

    def _operation_page(self, request: HttpRequest, object_id: str, operation: str) -> HttpResponse:
        if not self.has_command_permission(request):
            raise PermissionDenied
        return command_page(self, request, object_id, operation)


for _operation in OFTEN_NEEDED:
    setattr(CommandTools, f"send_{_operation}", _tool(_operation))


def command_page(station_admin: ModelAdmin, request: HttpRequest, object_id: str, operation: str) -> HttpResponse:
    """Send one command by hand and show the outcome of the last one; htmx asks for that alone until it is there."""
    station = station_or_404(station_admin, request, object_id)
    if operation not in OPERATIONS:
        raise Http404(f"no operation of OCPP 1.6 is called {operation!r}")
    if getattr(request, "htmx", False):
        return render(request, "stations/command_outcome.html", _outcome(request, station, operation))
    form = form_of(request, [station], operation)
    if request.method == "POST" and form.is_valid():
        try:
            sent = request_command(
                station=station,
                action=operation,
                payload=form.cleaned_data["payload"],
                user=request.user,  # type: ignore[arg-type]  # the permission of the tool lets in users only
            )
            return redirect(f"{request.path}?command={sent.pk}#outcome")
        except CommandUnfit as error:
            form.add_error(None, str(error))
    context = {
        **_outcome(request, station, operation),
        **about(operation, [station], form),
        "station": station,
        "where": station,
        "form_url": request.path,
        "json_url": "?json",
    }
    return page(station_admin, request, "stations/send_command.html", context)


def about(operation: str, stations: Sequence[Station], form: forms.Form) -> dict[str, Any]:
    """Tell what a form sends, and what comes of it."""
    return {
        "operation": operation,
        "title": TITLES[operation],
        "form": form,
        "is_json": isinstance(form, PayloadForm),
        "consequence": CONSEQUENCES.get(operation),
        "charging": Transaction.objects.filter(connector__station__in=stations, stopped_at=None).count(),
    }


def station_or_404(station_admin: ModelAdmin, request: HttpRequest, object_id: str) -> Station:
    """Find the station of a page by what stands in its address."""
    station = station_admin.get_object(request, object_id)
    if not isinstance(station, Station):
        raise Http404(f"there is no station {object_id!r}")
    return station


def form_of(request: HttpRequest, stations: Sequence[Station], operation: str) -> forms.Form:
    """Make the form of an operation (?json: of its whole payload); values in the address (?key=…) are filled in."""
    data = request.POST if request.method == "POST" else None
    if "json" in request.GET:
        return PayloadForm(operation, data, initial={"payload": example_of(stations, operation)})
    form = CommandForm(stations, operation, data)
    form.initial = {
        **initial_of(stations, operation),
        **{name: request.GET[name] for name in form.fields if name in request.GET},
    }
    return form


def _outcome(request: HttpRequest, station: Station, operation: str) -> dict[str, Any]:
    """Tell what came of the command in the address, or of the last one of this operation."""
    number = request.GET.get("command", "")
    asked = station.commands.filter(action=operation)
    command = asked.filter(pk=number).first() if is_number(number) else asked.first()
    if command is None:
        return {"command": None}
    settings = [
        {**entry, "is_hidden": entry.get("value") == HIDDEN}
        for entry in sorted(configuration_of(command), key=lambda entry: str(entry["key"]))
    ]
    answer = command.answer or {}
    return {
        "command": command,
        "settings": settings,
        "unknown_keys": answer.get("unknownKey"),
        "values": None if settings else [(name, _readable(value)) for name, value in answer.items()],
        "payload": json.dumps(command.payload, indent=2, ensure_ascii=False),
        "change_url": reverse("admin:stations_station_operation", args=[station.pk, "ChangeConfiguration"]),
    }


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def page(station_admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Show a page below the list of stations, or below the station it is about."""
    title, station = context.get("title", _("All commands")), context.get("station")
    return admin_page(request, template, context, title=title, within=station_admin, shown=station)
