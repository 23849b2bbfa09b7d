"""What the overview shows, computed from the database: plain data, no HTML."""

import zoneinfo
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.models import AccessSettings, DashboardAccess
from badges.models import AccessRule, BadgeSettings
from energy.alarms import Alarm, alarms_of
from energy.curve import PointRow, point_of
from energy.limits_in_force import LimitInForce, LimitsInForce, limits_in_force, zone_of
from energy.lines_fault import LinesAlarm, lines_alarm
from energy.manager_state import Cause, ManagerState, manager_state, silence_s
from energy.meter_words import meter_words_lazy
from energy.models import Installation, Meter, Mode, Reading
from energy.sessions import Condition, Moment, Occupancy, Place, Session, occupancy
from stations.models import Station, StationState

MOST_SILENT = timedelta(hours=1)
ROWS_SHOWN = 40  # of sessions and of places each: a page for people
ALARMS_SHOWN = 8
GROUP = "dashboard"  # channel-layer group that hears of every change

Triple = tuple[float, float, float]
Currents = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the installation now, A; None: not known. Shares are percent of its bar, `scale_a` wide."""

    name: str
    building_a: float | None
    charging_a: float
    usable_a: float | None
    fuse_a: float | None
    scale_a: float = 1.0

    @property
    def drawn_a(self) -> float:
        """Add up what comes through the fuse as far as it is known: what the meter reads, where there is one."""
        return (self.building_a or 0.0) + self.charging_a

    @property
    def bar_a(self) -> float:
        """Give how far its bar reaches; a building that exports has no part in it."""
        return max(self.building_a or 0.0, 0.0) + self.charging_a

    @property
    def is_over(self) -> bool:
        """Say whether more is drawn than the line may carry."""
        return self.usable_a is not None and self.drawn_a > self.usable_a + 0.05

    def _share(self, current_a: float | None) -> float | None:
        if current_a is None:
            return None
        return round(100 * max(current_a, 0.0) / self.scale_a, 2)

    @property
    def building_share(self) -> float:
        """Width of the building's part."""
        return self._share(self.building_a) or 0.0

    @property
    def charging_share(self) -> float:
        """Width of the charging part."""
        return self._share(self.charging_a) or 0.0

    @property
    def usable_share(self) -> float | None:
        """Place of the mark at the usable current."""
        return self._share(self.usable_a)

    @property
    def fuse_share(self) -> float | None:
        """Place of the mark at the fuse."""
        return self._share(self.fuse_a)


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole page at one moment, the same for every visitor."""

    at: datetime
    time_zone: zoneinfo.ZoneInfo
    is_restricted: bool
    state: ManagerState
    mode: str
    is_sun_shared: bool
    """Cars have what the sun leaves, besides their minimum perhaps."""
    is_configured: bool
    fuse_a: float | None
    usable_a: float | None
    meter_age_s: int | None
    meter_error: str
    is_fail_safe: bool
    silence_s: float
    charging_limit_a: tuple[float, ...]
    lines: tuple[Line, ...]
    stations: int
    pending_stations: int
    conditions: Mapping[Condition, int]
    access_rule: str
    sessions: tuple[Session, ...]
    places: tuple[Place, ...]
    alarms: tuple[Alarm | LinesAlarm, ...]
    hold_s: float
    point: PointRow | None
    maximum_a: float | None
    """What charging can have at best per phase: the fixed current, or all that is usable; less for a time."""
    limits: tuple[LimitInForce, ...]
    """What lowers it for a time."""

    @property
    def connectors(self) -> int:
        """Count every connector of the stations in service."""
        return sum(self.conditions.values())

    @property
    def free(self) -> int:
        """Count the connectors a car could be plugged into now."""
        return self.conditions.get(Condition.FREE, 0)

    @property
    def shown_sessions(self) -> tuple[Session, ...]:
        """Give as many sessions as a page can show."""
        return self.sessions[:ROWS_SHOWN]

    @property
    def shown_places(self) -> tuple[Place, ...]:
        """Give as many places without a session as a page can show."""
        return self.places[:ROWS_SHOWN]

    @property
    def shown_alarms(self) -> tuple[Alarm | LinesAlarm, ...]:
        """Give the gravest alarms; more are seldom read."""
        return self.alarms[:ALARMS_SHOWN]

    @property
    def hidden_alarms(self) -> int:
        """Count the alarms that are not shown."""
        return max(0, len(self.alarms) - ALARMS_SHOWN)

    @property
    def free_places(self) -> list[str]:
        """Name the places a car could be plugged into now."""
        return [place.name for place in self.places if place.condition is Condition.FREE]

    @property
    def all_wait(self) -> bool:
        """Say whether nobody gets current though there is enough: it must stay free for `hold_s` first."""
        is_anybody_given = any(use.allowed_a for session in self.sessions for use in session.lines)
        return not is_anybody_given and any(session.starts_soon for session in self.sessions)

    @property
    def is_out_of_reach(self) -> bool:
        """Say whether not one connector could be used, because none is connected and in service."""
        return self.conditions.get(Condition.OFFLINE, 0) == self.connectors

    @property
    def counts(self) -> list[tuple[Condition, int]]:
        """List the four meanings always, occupied and not available where there are any."""
        always = {Condition.FREE, Condition.CHARGING, Condition.HELD_BACK, Condition.FAULT}
        return [(kind, self.conditions.get(kind, 0)) for kind in Condition if kind in always or kind in self.conditions]

    @property
    def mode_label(self) -> str:
        """Name the available-power mode in the visitor's language."""
        return str(Mode(self.mode).label)

    @property
    def access_rule_label(self) -> str:
        """Name the access rule in the visitor's language."""
        return str(AccessRule(self.access_rule).label)


def is_restricted() -> bool:
    """Say whether only users may see the dashboard (SPEC S5)."""
    return bool(AccessSettings.get_solo().dashboard_access == DashboardAccess.RESTRICTED)


def compute_overview(now: datetime) -> Overview:
    """Gather the page from the database; about ten queries, however many stations there are."""
    installation = Installation.get_solo()
    meter = Meter.get_solo()
    reading = Reading.objects.order_by("-at").first()
    zone = zone_of(installation)
    limits = limits_in_force(installation, now)
    usable_a, maximum_a, lowering = _lowered(installation, limits)
    until = limits.external.until if limits.external else None
    states = Counter(Station.objects.values_list("state", flat=True))
    timing = installation.times
    free_a = _free(installation, reading)
    found = occupancy(Moment(now, zone, free_a, until.isoformat(timespec="minutes") if until else ""))
    return Overview(
        at=now,
        time_zone=zone,
        is_restricted=is_restricted(),
        state=manager_state(installation, meter, reading, states[StationState.CONFIGURED], now),
        mode=installation.mode,
        is_sun_shared=installation.surplus_rule is not None,
        is_configured=installation.is_configured,
        fuse_a=installation.fuse_a,
        usable_a=usable_a,
        meter_age_s=_meter_age_s(meter, reading, now),
        meter_error=meter_words_lazy(meter.last_error),
        is_fail_safe=reading is not None and reading.state == Cause.FAIL_SAFE,
        silence_s=silence_s(timing),
        charging_limit_a=() if reading is None else _limit(reading)[: installation.phases],
        lines=_lines(installation, reading, usable_a),
        stations=states[StationState.CONFIGURED],
        pending_stations=states[StationState.PENDING],
        conditions=found.conditions,
        access_rule=BadgeSettings.get_solo().access_rule,
        sessions=found.sessions,
        places=found.places,
        alarms=_alarms(meter, found),
        hold_s=timing.admission_hold_s,
        point=None if reading is None else point_of(reading),
        maximum_a=maximum_a,
        limits=lowering,
    )


def _alarms(meter: Meter, found: Occupancy) -> tuple[Alarm | LinesAlarm, ...]:
    """List what somebody should look after, the meter first."""
    lines = lines_alarm(meter)
    return (*([] if lines is None else [lines]), *alarms_of(found))


def _lowered(
    installation: Installation, limits: LimitsInForce
) -> tuple[float | None, float | None, tuple[LimitInForce, ...]]:
    """Return what is usable and what charging can have at best now, A per line, and what lowers either."""
    usable_a, table = installation.usable_a, limits.table
    lowering = []
    if installation.mode == Mode.DYNAMIC and table is not None and usable_a is not None and table.limit_a < usable_a:
        usable_a = table.limit_a
        lowering.append(table)
    maximum_a = installation.static_limit_a if installation.mode == Mode.STATIC else usable_a
    lowest = None if maximum_a is None else limits.lowest(installation.mode, maximum_a)
    if lowest is not None:
        maximum_a = lowest.limit_a
        lowering.append(lowest)
    return usable_a, maximum_a, tuple(lowering)


def _free(installation: Installation, reading: Reading | None) -> Currents:
    """Tell what charging could have besides what it draws, A on each line; empty before the first turn of the loop."""
    if reading is None:
        return ()
    pairs = zip(_limit(reading), _charging(reading), strict=True)
    return tuple(limit_a - drawn_a for limit_a, drawn_a in pairs)[: installation.phases]


def _meter_age_s(meter: Meter, newest: Reading | None, now: datetime) -> int | None:
    """Count the seconds since the meter last gave a value; None without a meter, or where it gave none for an hour."""
    if not meter.is_present or newest is None:
        return None
    at: datetime | None = newest.at
    if newest.grid_l1_a is None:
        heard = Reading.objects.filter(grid_l1_a__isnull=False, at__gte=now - MOST_SILENT)
        at = heard.order_by("-at").values_list("at", flat=True).first()
    return None if at is None else max(0, round((now - at).total_seconds()))


def _lines(installation: Installation, reading: Reading | None, usable_a: float | None) -> tuple[Line, ...]:
    if reading is None:
        return ()
    building, charging = _building(reading), _charging(reading)
    fuse_a = installation.fuse_a
    lines = [
        Line(f"L{line + 1}", building[line], charging[line], usable_a, fuse_a) for line in range(installation.phases)
    ]
    scale_a = 1.03 * max(fuse_a or 0.0, installation.usable_a or 0.0, 1.0, *(line.bar_a for line in lines))
    return tuple(replace(line, scale_a=scale_a) for line in lines)


def _charging(reading: Reading) -> Triple:
    return (reading.charging_l1_a, reading.charging_l2_a, reading.charging_l3_a)


def _limit(reading: Reading) -> Triple:
    return (reading.limit_l1_a, reading.limit_l2_a, reading.limit_l3_a)


def _building(reading: Reading) -> tuple[float | None, ...]:
    """Take charging off what the meter saw; None where it saw nothing."""
    grid = (reading.grid_l1_a, reading.grid_l2_a, reading.grid_l3_a)
    return tuple(
        None if seen is None else seen - charged for seen, charged in zip(grid, _charging(reading), strict=True)
    )
