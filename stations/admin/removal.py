"""The page that deletes stations, after saying what that means."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from stations.admin.chosen import chosen_stations, page_of_chosen
from stations.admin.commands import page, station_or_404
from stations.errors import StillCharging
from stations.models import Station
from stations.removal import consequences_of_deleting, delete_stations


class StationRemoval(ModelAdmin):  # type: ignore[misc]
    """The ways to delete one station or several: both end at the same page."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page for several stations."""
        view = self.admin_site.admin_view(self.delete_several)
        return [path("delete-stations/", view, name="stations_station_delete_several"), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Put the page in the place of Django's own deleting of what was chosen."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=_("Delete"), permissions=["delete"])
    def delete_chosen(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:  # noqa: ARG002
        """Go on to what deleting the chosen stations means."""
        return redirect(page_of_chosen("stations_station_delete_several", queryset))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Delete one station."""
        return self._delete(request, [station_or_404(self, request, object_id)])

    def delete_several(self, request: HttpRequest) -> HttpResponse:
        """Delete the stations in the address."""
        return self._delete(request, chosen_stations(request))

    def _delete(self, request: HttpRequest, stations: list[Station]) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        station_ids = [station.pk for station in stations]
        is_refused = False
        if request.method == "POST":
            try:
                delete_stations(station_ids=station_ids, ends_running="ends_running" in request.POST)
            except StillCharging:
                is_refused = True
            else:
                self.log_deletions(request, stations)
                text = ngettext("%(count)d station deleted.", "%(count)d stations deleted.", len(stations))
                self.message_user(request, text % {"count": len(stations)}, messages.SUCCESS)
                return redirect(reverse("admin:stations_station_changelist"))
        context = {
            "title": _("Delete charging stations"),
            "stations": stations,
            "station": stations[0] if len(stations) == 1 else None,
            "consequences": consequences_of_deleting(station_ids=station_ids),
            "is_refused": is_refused,
        }
        return page(self, request, "stations/delete_stations.html", context)
