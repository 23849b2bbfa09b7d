"""Test fail-safe, on a station's page: what can be tested now, the test that runs, and what tests found."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from stations.admin.chosen import is_number
from stations.admin.commands import page
from stations.errors import UnfitForTest
from stations.fail_safe import begin_fail_safe_test, obstacle_to_test, stop_fail_safe_test
from stations.models import Connector, FailSafeTest, Station
from stations.ocpp16.falling_back import Finding

FINDINGS = {
    "": _("The test is running: the car's current falls for a moment and comes back."),
    Finding.PASSED: _("Passed: the station falls back by itself when it is told nothing any more."),
    Finding.STAYED: _("Not passed: the station went on above its fail-safe current. Its whole limit stays reserved."),
    Finding.NO_ROOM: _("It cannot be tested: the form of limit that this station takes has no end."),
    Finding.REFUSED: _("It cannot be tested: the station refuses a limit that has an end."),
    Finding.NOT_MEASURED: _("No result: the station did not report in time what the car draws."),
    Finding.NOT_BACK: _("No result: the car did not draw more again; it may have stopped by itself."),
    Finding.NEEDED: _("No result: the building needed the current meanwhile. Try again when less is drawn."),
    Finding.ENDED: _("No result: the charging or the connection ended meanwhile."),
    Finding.STOPPED: _("No result: it was stopped by hand."),
}
SHOWN = 10


def fail_safe_page(station_admin: ModelAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Begin a test (connector=…), stop it (stop=…), or show how far it is; htmx asks for that alone."""
    if request.method == "POST":
        _obey(request, station)
        return redirect(request.path)
    tests = [(test, FINDINGS[test.finding]) for test in station.fail_safe_tests.select_related("connector")[:SHOWN]]
    context: dict[str, Any] = {
        "station": station,
        "tests": tests,
        "is_running": any(test.is_running for test, _words in tests),
        "connectors": [
            (row, obstacle_to_test(row), max(row.current_a or (0.0,)))
            for row in station.connectors.select_related("station")
        ],
    }
    if getattr(request, "htmx", False):
        return render(request, "stations/fail_safe_state.html", context)
    return page(station_admin, request, "stations/fail_safe.html", {**context, "title": _("Test fail-safe")})


def _obey(request: HttpRequest, station: Station) -> None:
    """Do what the form asks; a number that is none of this station's is passed over."""
    number, test = request.POST.get("connector", ""), request.POST.get("stop", "")
    if is_number(test) and FailSafeTest.objects.filter(pk=test, station=station).exists():
        stop_fail_safe_test(test_id=int(test))
    connector = Connector.objects.filter(station=station, number=number).first() if is_number(number) else None
    if connector is not None:
        try:
            begin_fail_safe_test(connector_id=connector.pk, user=request.user)  # type: ignore[arg-type]
        except UnfitForTest as error:
            messages.error(request, str(error))
