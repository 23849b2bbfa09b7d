"""Commands on a station's page, and the page that sends one."""

import json
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from stations.commanding import check_command, request_command
from stations.errors import CommandUnfit
from stations.models import Command, Station
from stations.ocpp16.operations import OPERATIONS

LAST_COMMANDS = 10
LOOK_AGAIN_S = 2


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


def send_command_page(station_admin: ModelAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Send one command by hand; the page looks again until the outcome of the last one is there."""
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
        **station_admin.admin_site.each_context(request),
        "title": _("Send a command to %(station)s") % {"station": station},
        "opts": station_admin.opts,
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
