"""How the load manager itself is: whether it does its work, and what keeps it from it (SPEC S8)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from energy.allocation import Timing
from energy.allocation.headroom import is_too_high
from energy.models import Installation, Meter, Mode, Reading
from energy.observing import usable_limit
from stations.models import Station, StationState

LOOP_LATE_S = 5.0  # without a turn, besides the beat itself


class Level(StrEnum):
    """How well the load manager does its work (SPEC S8)."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    NOT_OPERATIONAL = "not_operational"


class Cause(StrEnum):
    """What keeps the load manager from being operational."""

    NOT_CONFIGURED = "not_configured"
    NO_STATION = "no_station"
    LOOP_NEVER_RAN = "loop_never_ran"
    LOOP_STOPPED = "loop_stopped"
    NO_METER = "no_meter"
    METER_SILENT = "meter_silent"
    METER_TOO_HIGH = "meter_too_high"
    LINES_WRONG = "lines_wrong"
    FAIL_SAFE = "fail_safe"


_CAUSES = {
    Cause.NOT_CONFIGURED: gettext_lazy("not configured"),
    Cause.NO_STATION: gettext_lazy("no station configured"),
    Cause.LOOP_NEVER_RAN: gettext_lazy("the control loop has not run yet"),
    Cause.LOOP_STOPPED: gettext_lazy("the control loop has not run since %(time)s"),
    Cause.NO_METER: gettext_lazy("no meter is set up"),
    Cause.METER_SILENT: gettext_lazy("meter silent since %(time)s"),
    Cause.METER_TOO_HIGH: gettext_lazy(
        "the meter reads more than three times the usable current: "
        "check the fuse and the primary of the current transformers"
    ),
    Cause.LINES_WRONG: gettext_lazy("the current transformers of the meter are mixed up"),
    Cause.FAIL_SAFE: gettext_lazy("the meter gives no usable value"),
}
_OF_METER = (Cause.NO_METER, Cause.METER_SILENT, Cause.METER_TOO_HIGH, Cause.LINES_WRONG, Cause.FAIL_SAFE)


@dataclass(frozen=True, slots=True)
class ManagerState:
    """The load manager's own state; `since` only where the cause has a moment."""

    level: Level
    cause: Cause | None = None
    since: datetime | None = None

    @property
    def word(self) -> str:
        """Name the level in the visitor's language."""
        words = {
            Level.OPERATIONAL: _("Operational"),
            Level.DEGRADED: _("Degraded"),
            Level.NOT_OPERATIONAL: _("Not operational"),
        }
        return words[self.level]

    @property
    def needs_meter(self) -> bool:
        """Say whether it is the meter that must be looked at."""
        return self.cause in _OF_METER

    @property
    def reason(self) -> str:
        """Name the cause in the visitor's language; empty when operational."""
        if self.cause is None:
            return ""
        moment = "" if self.since is None else date_format(timezone.localtime(self.since), "H:i")
        return str(_CAUSES[self.cause]) % {"time": moment}


def current_state(now: datetime) -> ManagerState:
    """Tell how the load manager is; four queries."""
    configured = Station.objects.filter(state=StationState.CONFIGURED).count()
    newest = Reading.objects.order_by("-at").first()
    return manager_state(Installation.get_solo(), Meter.get_solo(), newest, configured, now)


def manager_state(
    installation: Installation, meter: Meter, reading: Reading | None, stations: int, now: datetime
) -> ManagerState:
    """Name the gravest thing that is wrong."""
    if not installation.is_configured:
        return ManagerState(Level.NOT_OPERATIONAL, Cause.NOT_CONFIGURED)
    if not stations:
        return ManagerState(Level.NOT_OPERATIONAL, Cause.NO_STATION)
    if reading is None:
        return ManagerState(Level.DEGRADED, Cause.LOOP_NEVER_RAN)
    timing = installation.times
    if (now - reading.at).total_seconds() > silence_s(timing):
        return ManagerState(Level.DEGRADED, Cause.LOOP_STOPPED, reading.at)
    if installation.mode == Mode.DYNAMIC and not meter.is_present:
        return ManagerState(Level.DEGRADED, Cause.NO_METER)
    silent_s = (now - meter.failing_since).total_seconds() if meter.is_present and meter.failing_since else 0.0
    if silent_s >= timing.no_increase_s:
        return ManagerState(Level.DEGRADED, Cause.METER_SILENT, meter.failing_since)
    if meter.is_present and meter.lines_fault and meter.lines_fault["is_certain"]:
        return ManagerState(Level.DEGRADED, Cause.LINES_WRONG)
    if reading.state == Cause.FAIL_SAFE:
        cause = Cause.METER_TOO_HIGH if _reads_too_high(installation, reading) else Cause.FAIL_SAFE
        return ManagerState(Level.DEGRADED, cause)
    return ManagerState(Level.OPERATIONAL)


def _reads_too_high(installation: Installation, reading: Reading) -> bool:
    grid = (reading.grid_l1_a, reading.grid_l2_a, reading.grid_l3_a)
    return is_too_high([value or 0.0 for value in grid], usable_limit(installation))


def silence_s(timing: Timing) -> float:
    """Tell how far apart two turns of the loop may be before it counts as stopped."""
    return timing.beat_s + LOOP_LATE_S
