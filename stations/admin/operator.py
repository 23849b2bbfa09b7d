"""Operators in the admin: their servers, the stations connected to them, and what waits for them (SPEC S19)."""

import ssl
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import orjson
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from accounts.read_only import ReadOnlyAdmin
from accounts.secrets import seal
from accounts.words import labelled
from stations.admin.chosen import is_number
from stations.admin.command_words import TITLES
from stations.admin.commands import page
from stations.cpo.connecting import connect_station, disconnect_station, obstacle_to_deleting, with_queues
from stations.cpo.outbox import retry
from stations.cpo.policy import BARRABLE
from stations.editions import has_operators
from stations.models import CpoLink, CpoMessage, CpoServer, Station, StationState
from stations.operator_words import error_in_words, link_in_words
from stations.ordering import by_name

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 40
MANY = 100  # stations, of which a page costs more to make


class CpoServerForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """An operator's server; its password is written, never read."""

    password = forms.CharField(
        label=_("Password"),
        required=False,
        strip=True,
        max_length=LONGEST_PASSWORD,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    barred = forms.MultipleChoiceField(
        label=_("Operations it may not ask for"),
        required=False,
        choices=[(name, TITLES.get(name, name)) for name in BARRABLE],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = CpoServer
        fields = ["name", "url", "password", "offline_policy", "ca_pem", "barred"]
        widgets = {"ca_pem": UnfoldAdminTextareaWidget(attrs={"rows": 5})}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["url"].help_text = _(
            "Such as wss://cpo.example.org/ocpp; the identity of each station is put behind it. "
            "With ws:// passwords and badges go over the network unprotected."
        )
        self.fields["password"].help_text = (
            _("One is set. It is not shown; leave this empty to keep it.")
            if self.instance.password_sealed
            else _("Empty: none. It is sealed when it is saved, and never shown again.")
        )

    def clean_url(self) -> str:
        """Refuse what is no address of an OCPP server."""
        url: str = self.cleaned_data["url"].strip()
        try:
            parts = urlsplit(url)
            is_fit = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            is_fit = False
        if not is_fit or not url.isprintable() or " " in url:
            raise ValidationError(_("Enter an address such as wss://cpo.example.org/ocpp."))
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValidationError(_("Leave user, password and what follows a ? out of the address."))
        return url

    def clean_password(self) -> str:
        """Refuse what is too short to be a key."""
        password: str = self.cleaned_data["password"]
        if password and len(password) < SHORTEST_PASSWORD:
            raise ValidationError(_("An operator's password has at least 8 characters."))
        return password

    def clean_ca_pem(self) -> str:
        """Refuse what is no certificate."""
        pem: str = self.cleaned_data["ca_pem"].strip()
        if pem:
            try:
                ssl.create_default_context(cadata=pem)
            except (ssl.SSLError, ValueError):
                raise ValidationError(_("Enter a certificate that begins with -----BEGIN CERTIFICATE-----.")) from None
        return pem

    def save(self, commit: bool = True) -> Any:
        """Seal a new password."""
        if self.cleaned_data["password"]:
            self.instance.password_sealed = seal(self.cleaned_data["password"])
        return super().save(commit)


class OfOperators(ModelAdmin):  # type: ignore[misc]
    """A page that the edition without operators does not have."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Say whether there is anything to see."""
        return has_operators() and bool(super().has_module_permission(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether it may be seen."""
        return has_operators() and bool(super().has_view_permission(request, obj))


@admin.register(CpoServer)
class CpoServerAdmin(OfOperators):
    """Operators' servers."""

    form = CpoServerForm
    list_display = ["name", "address", "connected", "while_away"]
    list_before_template = "stations/operator_stations_link.html"
    fields = ["name", "url", "password", "offline_policy", "ca_pem", "barred"]
    ordering = ["name"]
    actions_list = ["show_stations"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Say whether one may be added."""
        return has_operators() and bool(super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether it may be changed."""
        return has_operators() and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether it may be deleted: nobody depends on it, and nothing waits for it."""
        return bool(super().has_delete_permission(request, obj)) and (obj is None or not obstacle_to_deleting(obj))

    @admin.display(description=_("address"))
    def address(self, server: CpoServer) -> SafeString:
        """Show the address, also where it is longer than a phone is wide."""
        return format_html('<span style="overflow-wrap: anywhere">{}</span>', server.url)

    @admin.display(description=_("charges without it"))
    def while_away(self, server: CpoServer) -> str:
        """Say who may charge while it cannot be reached."""
        return server.get_offline_policy_display()

    @admin.display(description=_("stations connected"))
    def connected(self, server: CpoServer) -> int:
        """Count the stations that are connected to it."""
        return int(server.stations.filter(is_cpo_enabled=True).count())

    @action(description=_("Connect stations"), url_path="stations", permissions=["change"])  # type: ignore[untyped-decorator]
    def show_stations(self, request: HttpRequest) -> HttpResponse:
        """Show every station with its identity at an operator and its state; connect and disconnect."""
        if request.method == "POST":
            self._obey(request)
            return redirect(request.path)
        context = {"title": _("Stations and operators"), "servers": CpoServer.objects.order_by("name")}
        rows = context["rows"] = _rows()
        if getattr(request, "htmx", False):
            return render(request, "stations/operator_states.html", context)
        context["look_each"] = "1500ms" if len(rows) <= MANY else "5s"
        return page(self, request, "stations/operator_stations.html", context)

    def _obey(self, request: HttpRequest) -> None:
        """Connect or disconnect the station of the pressed button."""
        asked = request.POST
        number = asked.get("connect") or asked.get("disconnect") or ""
        if not is_number(number):
            return
        station = get_object_or_404(Station, pk=number)
        if "disconnect" in asked:
            disconnect_station(station_id=station.pk)
            text = _("%(station)s is disconnected. A charging session that runs still ends at its operator.")
            self.message_user(request, text % {"station": station}, messages.SUCCESS)
            return
        server = asked.get(f"server_{number}", "")
        try:
            if not is_number(server):
                raise ValidationError(_("Choose a server."))
            chosen = get_object_or_404(CpoServer, pk=server)
            connect_station(station_id=station.pk, server=chosen, identity=asked.get(f"identity_{number}", ""))
        except ValidationError as error:
            self.message_user(request, labelled(station, " ".join(error.messages)), messages.ERROR)


def _rows() -> list[dict[str, Any]]:
    """List every station in service with how it stands."""
    stations = list(Station.objects.filter(state=StationState.CONFIGURED).order_by(*by_name()))
    links = list(CpoLink.objects.filter(station__in=stations).select_related("station", "server").order_by("pk"))
    queues = with_queues(links)
    by_station: defaultdict[int, list[CpoLink]] = defaultdict(list)
    for link in links:
        by_station[link.station_id].append(link)
    rows = []
    for station in stations:
        current = next((link for link in by_station[station.pk] if link.is_in_force), None)
        left = [link for link in by_station[station.pk] if link is not current and link.pk in queues]
        rows.append(
            {
                "station": station,
                "identity": station.cpo_identity or station.identity,
                "standing": link_in_words(current, queues.get(current.pk, {}) if current else {}),
                "left": [queues[link.pk] for link in left],
            }
        )
    return rows


@admin.register(CpoMessage)
class CpoMessageAdmin(OfOperators, ReadOnlyAdmin):
    """What operators have not answered yet."""

    list_display = ["id", "link", "action", "transaction", "queued_at", "tries", "last_answer", "place"]
    list_before_template = "stations/operator_messages_before.html"
    list_select_related = ["link__station", "link__server", "transaction"]
    list_filter = [("set_aside_at", admin.EmptyFieldListFilter), "action", "link"]
    search_fields = ["link__station__identity", "link__station__name", "action", "error"]
    search_help_text = _("Station, action or last answer")
    actions = ["try_again", "download"]
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether it may be dropped: only what a person has to judge."""
        is_set_aside = obj is None or obj.set_aside_at is not None
        return is_set_aside and request.user.has_perm("stations.delete_cpomessage")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Say whether who looks may put messages back."""
        return request.user.has_perm("stations.change_cpomessage")

    @admin.display(description=_("tries"))
    def tries(self, message: CpoMessage) -> int:
        """Count how often it was sent in vain."""
        return int(message.refusals + message.losses)

    @admin.display(description=_("last answer"))
    def last_answer(self, message: CpoMessage) -> str:
        """Say why it was sent in vain."""
        return error_in_words(message.error)

    @admin.display(description=_("state"))
    def place(self, message: CpoMessage) -> str:
        """Say whether it was set aside, waits, or is not sent before a time."""
        if message.set_aside_at:
            return gettext("Set aside")
        if message.next_try_at is None or message.next_try_at <= timezone.now():
            return gettext("Waiting")
        return gettext("Waiting until %(time)s") % {"time": time_format(timezone.localtime(message.next_try_at))}

    @admin.action(description=_("Try again"), permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[CpoMessage]) -> None:
        """Put what was set aside back in its place."""
        count = retry(message_ids=list(queryset.values_list("pk", flat=True)))
        text = ngettext("%(count)d message is tried again.", "%(count)d messages are tried again.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Download"), permissions=["view"])
    def download(self, request: HttpRequest, queryset: QuerySet[CpoMessage]) -> HttpResponse:  # noqa: ARG002
        """Hand out the chosen messages as JSON lines."""
        lines = [
            orjson.dumps(
                {
                    "station": row.link.station.identity,
                    "identity": row.link.identity,
                    "server": row.link.server.name,
                    "transaction": row.transaction_id,
                    "queued_at": row.queued_at,
                    "set_aside_at": row.set_aside_at,
                    "error": row.error,
                    "action": row.action,
                    "payload": orjson.loads(row.payload),
                }
            )
            for row in queryset.select_related("link__station", "link__server").order_by("pk")
        ]
        response = HttpResponse(b"\n".join(lines) + b"\n", content_type="application/x-ndjson")
        response["Content-Disposition"] = 'attachment; filename="operator-messages.jsonl"'
        return response
