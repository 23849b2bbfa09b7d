"""One command to several stations: chosen in their list, sent with the same form, followed on a page of its own."""

from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from stations.admin.chosen import chosen_stations, names_of, numbers_in, page_of_chosen
from stations.admin.command_words import TITLES
from stations.admin.commands import CommandTools, about, form_of, page, profiles
from stations.commanding import request_commands, withdraw_commands
from stations.errors import CommandUnfit
from stations.models import Command, CommandState, Station
from stations.ocpp16.operations import OPERATIONS
from stations.ordering import by_name

FOR_ONE_ONLY = frozenset({"RemoteStopTransaction"})  # a transaction runs at one station


class FleetCommandTools(CommandTools):
    """The way from the list of stations to a command, and to what came of it."""

    @admin.action(description=_("Send a command to the chosen stations"), permissions=["command"])
    def send_to_chosen(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:  # noqa: ARG002
        """Go on to the choice of the operation."""
        return redirect(page_of_chosen("stations_station_fleet_commands", queryset))

    def get_urls(self) -> list[URLPattern]:
        """Add the pages for several stations."""
        view = self.admin_site.admin_view
        return [
            path("send-commands/", view(self.fleet_commands), name="stations_station_fleet_commands"),
            path("send-commands/outcome/", view(self.fleet_outcome), name="stations_station_fleet_outcome"),
            path("send-commands/<str:operation>/", view(self.fleet_command), name="stations_station_fleet_command"),
            *super().get_urls(),
        ]

    def fleet_commands(self, request: HttpRequest) -> HttpResponse:
        """List the operations that several stations can be asked."""
        stations = self._stations(request)
        address = f"{request.path}{{}}/?{urlencode({'stations': request.GET['stations']})}"
        offered = [
            (title, [operation for operation in operations if operation["name"] not in FOR_ONE_ONLY])
            for title, operations in profiles(address)
        ]
        return page(self, request, "stations/commands.html", {"where": names_of(stations), "profiles": offered})

    def fleet_command(self, request: HttpRequest, operation: str) -> HttpResponse:
        """Send the same command to every chosen station."""
        stations = self._stations(request)
        if operation not in OPERATIONS or operation in FOR_ONE_ONLY:
            raise Http404(f"several stations cannot be asked {operation!r}")
        form = form_of(request, stations, operation)
        if request.method == "POST" and form.is_valid():
            try:
                sent = request_commands(
                    stations=stations,
                    action=operation,
                    payload=form.cleaned_data["payload"],
                    user=request.user,  # type: ignore[arg-type]  # _stations lets in users only
                )
                numbers = urlencode({"commands": ",".join(str(command.pk) for command in sent)})
                return redirect(f"{reverse('admin:stations_station_fleet_outcome')}?{numbers}")
            except CommandUnfit as error:
                form.add_error(None, str(error))
        chosen = urlencode({"stations": request.GET["stations"]})
        context = {
            **about(operation, stations, form),
            "where": names_of(stations),
            "form_url": f"?{chosen}",
            "json_url": f"?{chosen}&json",
        }
        return page(self, request, "stations/send_command.html", context)

    def fleet_outcome(self, request: HttpRequest) -> HttpResponse:
        """Show what came of each command, again and again until the last is there; what waits can be stopped."""
        self._let_in(request)
        commands = Command.objects.filter(pk__in=numbers_in(request, "commands")).order_by(*by_name("station__"), "pk")
        if request.method == "POST":
            withdraw_commands(command_ids=list(commands.values_list("pk", flat=True)))
            return redirect(request.get_full_path())
        rows = list(commands.select_related("station"))
        if not rows:
            raise Http404("none of these commands exists")
        context = {
            "title": TITLES[rows[0].action],
            "where": rows[0].action,
            "commands": rows,
            "done": sum(not command.is_open for command in rows),
            "is_open": any(command.is_open for command in rows),
            "can_be_stopped": any(command.state == CommandState.QUEUED for command in rows),
        }
        if getattr(request, "htmx", False):
            return render(request, "stations/fleet_outcome_rows.html", context)
        return page(self, request, "stations/fleet_outcome.html", context)

    def _let_in(self, request: HttpRequest) -> None:
        if not self.has_command_permission(request):
            raise PermissionDenied

    def _stations(self, request: HttpRequest) -> list[Station]:
        """Return the stations in the address, to an administrator."""
        self._let_in(request)
        return chosen_stations(request)
