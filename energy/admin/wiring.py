"""Check wiring, on a station's page: what can be checked now, the check that runs, and what checks found."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action

from energy.circuits import LINES
from energy.models import WiringCheck
from energy.wiring import MOST_STEPS, STEP_A, Answer, Finding, fits_car, lines_shown
from energy.wiring_checks import (
    ROTATIONS,
    UnfitForCheck,
    answers_of,
    begin_wiring_check,
    end_wiring_check,
    obstacle_to_check,
    swapped_lines,
    take_over_rotation,
)
from stations.admin.chosen import is_number
from stations.admin.commands import page, station_or_404
from stations.admin.station import StationAdmin
from stations.models import Connector, Station

SHOWN = 10
FINDINGS = {
    Finding.UNCERTAIN: _(
        "No result: the building moved too much for the car to be told from it. Try again when less is switched."
    ),
    Finding.NOTHING_MOVED: _(
        "No line moved: this car does not follow its limit, or this station is not behind the meter. What it draws is "
        "not seen there. Look at the wiring."
    ),
    Finding.NEEDED: _("No result: the building needed the current meanwhile. Try again when less is drawn."),
    Finding.ENDED: _("No result: the charging or the connection ended meanwhile."),
    Finding.NO_METER: _("No result: the meter gave no usable value meanwhile. Check the meter."),
    Finding.REFUSED: _("No result: the station did not accept the lower limit in time. Look at its last refusal."),
    Finding.CLOCK: _("No result: the clock of this machine was set back meanwhile. Try again."),
    Finding.STOPPED: _("No result: it was stopped by hand. The car has its limit again."),
    Finding.RESTARTED: _("No result: the load manager was started anew meanwhile. The car has its limit again."),
}


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line of the meter as the page shows it: how far it moved with the car, A, and what that says."""

    name: str
    moved_a: float
    error_a: float
    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check as the page shows it."""

    row: WiringCheck
    sentence: str
    lines: list[LineShown]
    phases: list[tuple[int, str, str]]  # number of the phase, the line that is entered, what was found
    may_take_over: bool


def outcome_of(row: WiringCheck) -> Outcome:
    """Put a check into words."""
    answers = answers_of(row)
    lines = [_line(name, answer) for name, answer in zip(LINES, answers, strict=False)]
    is_shown = row.finding == Finding.SHOWN
    return Outcome(
        row=row,
        sentence=_sentence(row, answers),
        lines=lines,
        phases=_phases(row, lines_shown(answers)) if is_shown else [],
        may_take_over=bool(row.proposed) and row.station.phase_rotation == row.rotation,
    )


def _line(name: str, answer: Answer) -> LineShown:
    words = {1: gettext("moves with the car"), 0: gettext("stays"), -1: gettext("falls when the car rises")}
    return LineShown(
        name,
        answer.moved * STEP_A,
        answer.error * STEP_A,
        round(min(100.0, 100 * abs(answer.moved)), 1),
        words[answer.nearest] if answer.is_clear else gettext("not clear"),
    )


def _phases(row: WiringCheck, shown: tuple[int, ...]) -> list[tuple[int, str, str]]:
    """Say of each phase of the station which line is entered and which was found."""
    names = ", ".join(LINES[line] for line in shown)
    found = []
    for phase, line in enumerate(ROTATIONS[row.rotation]):
        if phase not in row.phases:
            words = gettext("not used by this car")
        elif len(row.phases) == 1 or line not in shown:
            words = names
        else:
            words = gettext("one of %(lines)s") % {"lines": names}
        found.append((phase + 1, LINES[line], words))
    return found


def _sentence(row: WiringCheck, answers: tuple[Answer, ...]) -> str:
    """Say what a check found, and what to do."""
    if row.is_running:
        return gettext("The check is running: the car gets %(step)s A less for a moment, again and again.") % {
            "step": number_format(STEP_A, 0)
        }
    if row.finding != Finding.SHOWN:
        return str(FINDINGS[Finding(row.finding)])
    shown = lines_shown(answers)
    turned = [LINES[line] for line in shown if answers[line].nearest < 0]
    words = []
    if turned:
        sentence = gettext(
            "The meter falls on %(lines)s when the car rises: the current transformer there seems to be the wrong way "
            "round. If it is, turn it, or swap its two wires: until then the meter cannot protect the fuse."
        )
        words.append(sentence % {"lines": ", ".join(turned)})
    words.append(_about_rotation(row, shown))
    if not fits_car(answers, row.phases):
        sentence = gettext(
            "A load in the building that switches regularly can look the same: check once more at another time before "
            "you change the wiring."
        )
        words.append(sentence)
    return " ".join(words)


def _about_rotation(row: WiringCheck, shown: tuple[int, ...]) -> str:
    figures = {"rotation": row.rotation, "proposed": row.proposed, "lines": ", ".join(LINES[line] for line in shown)}
    if row.proposed:
        sentence = gettext("The car shows on %(lines)s: %(proposed)s is right instead of %(rotation)s.")
        if len(ROTATIONS[row.rotation]) > 1:
            sentence = gettext(
                "The car shows on %(lines)s: with phases that follow each other as they should, %(proposed)s is right "
                "instead of %(rotation)s."
            )
    elif len(shown) != len(row.phases):
        sentence = gettext(
            "The car shows on %(lines)s, which is not as many lines as it uses phases. Look at the wiring of the "
            "station and at the transformers of the meter."
        )
    elif len(shown) == len(LINES):
        sentence = gettext(
            "All lines move with the car, so it fits %(rotation)s, as it would fit any rotation. Which phase is on "
            "which line only a car that uses a single phase shows."
        )
    else:
        sentence = gettext("The car shows on %(lines)s, as it must with %(rotation)s: nothing needs to be done.")
    return sentence % figures


def wiring_page(station_admin: StationAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Begin a check (connector=…), stop it (stop=…), take its proposal over (take=…), or show how far it is."""
    if request.method == "POST":
        _obey(request, station)
        return redirect(request.path)
    rows = station.wiring_checks.select_related("connector", "station")[:SHOWN]
    outcomes = [outcome_of(row) for row in rows]
    context: dict[str, Any] = {
        "station": station,
        "outcomes": outcomes,
        "is_running": any(one.row.is_running for one in outcomes),
        "most_steps": MOST_STEPS,
        "swapped": ", ".join(LINES[line] for line in swapped_lines()),
        "connectors": [
            (row, obstacle_to_check(row), max(row.current_a or (0.0,)))
            for row in station.connectors.select_related("station")
        ],
    }
    if getattr(request, "htmx", False):
        return render(request, "energy/wiring_state.html", context)
    return page(station_admin, request, "energy/wiring.html", {**context, "title": _("Check wiring")})


def _obey(request: HttpRequest, station: Station) -> None:
    """Do what the form asks; a number that is none of this station's is passed over."""
    number, stop, take = (request.POST.get(name, "") for name in ("connector", "stop", "take"))
    checks = WiringCheck.objects.filter(station=station)
    if is_number(stop) and checks.filter(pk=stop).exists():
        end_wiring_check(check_id=int(stop), finding=Finding.STOPPED)
    if is_number(take) and checks.filter(pk=take).exists():
        if take_over_rotation(check_id=int(take)):
            messages.success(request, gettext("The phase rotation is entered. It counts at the next cycle."))
        else:
            messages.error(request, gettext("Nothing was changed: another phase rotation was entered since."))
    connector = Connector.objects.filter(station=station, number=number).first() if is_number(number) else None
    if connector is not None:
        try:
            begin_wiring_check(connector_id=connector.pk, user=request.user)  # type: ignore[arg-type]
        except UnfitForCheck as error:
            messages.error(request, str(error))


class WiringInline(TabularInline):  # type: ignore[misc]
    """The checks of a station's wiring, the newest first."""

    model = WiringCheck
    verbose_name_plural = _("wiring checks")
    extra = 0
    per_page = 3
    can_delete = False
    fields = readonly_fields = ["begun_at", "requester", "outcome"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """Checks are made on their page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """What was found is not changed."""
        return False

    @admin.display(description=_("finding"))
    def outcome(self, row: WiringCheck) -> str:
        """Say what it found."""
        return outcome_of(row).sentence


class WiredStationAdmin(StationAdmin):
    """Charging stations, with the check of their wiring against the meter."""

    inlines = [*StationAdmin.inlines[:1], WiringInline, *StationAdmin.inlines[1:]]  # below the connectors
    actions_detail = [*StationAdmin.actions_detail[:-2], "check_wiring", *StationAdmin.actions_detail[-2:]]

    @action(description=_("Check wiring"), url_path="check-wiring", permissions=["command"])  # type: ignore[untyped-decorator]
    def check_wiring(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show on which line of the meter a car of this station appears."""
        return wiring_page(self, request, station_or_404(self, request, object_id))


admin.site.unregister(Station)  # `stations` knows no meter: the page that needs one is added here
admin.site.register(Station, WiredStationAdmin)
