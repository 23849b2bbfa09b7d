"""The page that asks which car a Supervisor means, for those who manage badges."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.access import has_role
from accounts.admin_page import admin_page
from accounts.models import Role, User
from stations.admin.chosen import is_number
from stations.models import CommandState, Transaction
from stations.stop_requests import answer_stop_request, recent_stop_requests


class StopRequests(ModelAdmin):  # type: ignore[misc]
    """The page, beside those of the stations."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        view = self.admin_site.admin_view(self.stop_requests_page)
        return [path("stops-by-supervisors/", view, name="stations_station_stop_requests"), *super().get_urls()]

    def stop_requests_page(self, request: HttpRequest) -> HttpResponse:
        """List what Supervisors wished; of several cars, ask which."""
        if not has_role(request.user, Role.ADVANCED):
            raise PermissionDenied
        if request.method == "POST":
            _answer(request)
            return redirect(request.path)
        now, wishes = timezone.now(), list(recent_stop_requests())
        running = Transaction.objects.filter(stopped_at=None, connector__station__in=[one.station for one in wishes])
        running = running.select_related("connector__station", "badge").order_by("connector__number")
        context: dict[str, Any] = {
            "open": [
                (one, [row for row in running if row.connector and row.connector.station_id == one.station_id])
                for one in wishes
                if one.open_until is not None and one.open_until > now
            ],
            "past": [one for one in wishes if one.open_until is None],
        }
        return admin_page(request, "stations/stop_requests.html", context, title=_("Stops by Supervisors"))


def _answer(request: HttpRequest) -> None:
    """End what was chosen, and say what came of it."""
    wish, chosen = request.POST.get("request", ""), request.POST.get("transaction", "")
    command = None
    if is_number(wish) and is_number(chosen) and isinstance(request.user, User):
        command = answer_stop_request(request_id=int(wish), transaction_id=int(chosen), user=request.user)
    if command is None:
        messages.warning(request, _("Nothing was stopped: that charging has ended, or nobody asks any more."))
    elif command.state == CommandState.NOT_CONNECTED:
        messages.error(request, _("The station is not connected: the car goes on charging. Stop it at the station."))
    else:
        messages.success(request, _("The station was asked to end the charging."))
