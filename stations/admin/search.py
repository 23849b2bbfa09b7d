"""The page that searches the network for stations, and says what is to be entered at those found (SPEC S14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.qr_code import draw_qr_code
from stations.addresses import addresses, ocpp_address_for, stations_at_lost_addresses
from stations.admin.chosen import is_number, page_of_chosen
from stations.admin.commands import page
from stations.discovery.adding import Added, Found, add_stations, found_in
from stations.discovery.hosts import shared_ips
from stations.discovery.joining import found_hosts
from stations.discovery.search import LASTS, elapsed_s, is_stalled, networks_of, start_search, stop_search
from stations.errors import EditionFull
from stations.models import Station, StationSearch, StationSearchState

CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is to be entered at one station."""

    added: Added
    address: str
    qr_code: SafeString


class StationSearchPage(ModelAdmin):  # type: ignore[misc]
    """The way from the list of stations to the search."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        view = self.admin_site.admin_view(self.search_page)
        return [path("search/", view, name="stations_station_search"), *super().get_urls()]

    def search_page(self, request: HttpRequest) -> HttpResponse:
        """Start a search (start, others=…), stop it (run=…), add what was chosen of it, or show how far it is."""
        if not (self.has_add_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        error, run = "", request.POST.get("run", "")
        if "add" in request.POST:
            return self._add(request)
        if "start" in request.POST:
            error = _start(request.POST.get("others", ""))
        elif is_number(run):
            stop_search(run=int(run))
        if request.method == "POST" and not error:
            return redirect(request.path)
        if getattr(request, "htmx", False):
            return render(request, "stations/search_state.html", _state(request))
        return page(self, request, "stations/search.html", {**_state(request), **_frame(request, error)})

    def _add(self, request: HttpRequest) -> HttpResponse:
        """Add the chosen stations, and go on to what is entered at them, or where nothing is, to their settings."""
        keys = request.POST.getlist(CHOSEN)
        try:
            added = add_stations(keys=keys)
        except EditionFull as error:
            messages.error(request, str(error))
            return redirect(request.path)
        if not added:
            messages.error(request, _("No station is chosen: tick those to be set up."))
            return redirect(request.path)
        numbers = [one.found.station.pk for one in added if one.found.station]
        together = (
            page_of_chosen("stations_station_together", Station.objects.filter(pk__in=numbers)) if numbers else ""
        )
        sheets = [_sheet(request, one) for one in added if not (one.found.station and one.found.station.is_connected)]
        if not sheets:
            return redirect(together)
        context = {"title": _("What to enter at the stations"), "sheets": sheets, "together": together}
        return page(self, request, "stations/what_to_enter.html", context)


def _start(others: str) -> str:
    """Begin a search; returns what keeps it from beginning."""
    try:
        start_search(others=others)
    except ValidationError as refusal:
        return " ".join(refusal.messages)
    return ""


def _address(request: HttpRequest, found: Found) -> str:
    return ocpp_address_for(found.host.ipv4, found.identity, host=request.get_host(), is_secure=request.is_secure())


def _sheet(request: HttpRequest, added: Added) -> Sheet:
    address = _address(request, added.found)
    return Sheet(added, address, draw_qr_code(address))


def _frame(request: HttpRequest, error: str) -> dict[str, Any]:
    """Give what stands around the state of the search, and does not change with it."""
    search = StationSearch.get_solo()
    return {
        "title": _("Search for stations"),
        "error": error,
        "networks": networks_of(""),
        "others": request.POST.get("others", search.others),
        "lost": stations_at_lost_addresses(),
        "own": addresses(),
    }


def _state(request: HttpRequest) -> dict[str, Any]:
    """Tell how far the last search is and what it found; what is ticked on the page stays ticked."""
    search, total_s = StationSearch.get_solo(), LASTS.total_seconds()
    found, hosts = found_in(search), found_hosts(search)
    keys = request.GET.getlist(CHOSEN)
    rows = [(one, _address(request, one), one.key in keys) for one in found]
    return {
        "search": search,
        "is_searching": search.state == StationSearchState.RUNNING and not is_stalled(search),
        "is_stalled": is_stalled(search),
        "done_s": int(min(total_s, max(0.0, elapsed_s(search)))),
        "total_s": int(total_s),
        "stations": [row for row in rows if row[0].is_sure],
        "hinted": [row for row in rows if not row[0].is_sure],
        "others_count": len(hosts) - len(found),
        "shared": [(ip, sorted(macs)) for ip, macs in sorted(shared_ips(hosts).items())],
        "alone": _connected_alone(found),
    }


def _connected_alone(found: Sequence[Found]) -> list[Station]:
    """List the stations that are connected, of which the search saw nothing."""
    numbers = [one.station.pk for one in found if one.station]
    return list(Station.objects.exclude(socket_id="").exclude(pk__in=numbers).order_by("name", "identity"))
