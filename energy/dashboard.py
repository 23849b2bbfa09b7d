"""What the overview shows, computed from the database: plain data, no HTML."""

import zoneinfo
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from accounts.models import AccessSettings, DashboardAccess
from badges.models import AccessRule, BadgeSettings
from energy.manager_state import Cause, ManagerState, manager_state, silence_s
from energy.meter_words import meter_words_lazy
from energy.models import Allocation, Installation, Meter, Mode, Reading
from energy.reasons import explain
from stations.models import Connector, ConnectorStatus, Station, StationState, Transaction
from stations.ordering import by_name

HISTORY = timedelta(minutes=15)
GROUP = "dashboard"  # channel-layer group that hears of every change

Triple = tuple[float, float, float]
PointRow = list[float | None]


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
    def total_a(self) -> float:
        """Add up what is known to be drawn; an exporting building counts as nothing."""
        return max(self.building_a or 0.0, 0.0) + self.charging_a

    @property
    def is_over(self) -> bool:
        """Say whether more is drawn than the line may carry."""
        return self.usable_a is not None and self.total_a > self.usable_a + 0.05

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


class Condition(StrEnum):
    """What a connector does, as a person sees it; the dashboard's four meanings and two shades of grey."""

    FREE = "free"
    CHARGING = "charging"
    HELD_BACK = "held_back"
    OCCUPIED = "occupied"
    FAULT = "fault"
    OFFLINE = "offline"

    @property
    def label(self) -> str:
        """Name the condition in the visitor's language."""
        labels = {
            Condition.FREE: _("Free"),
            Condition.CHARGING: _("Charging"),
            Condition.HELD_BACK: _("Held back"),
            Condition.OCCUPIED: _("Occupied"),
            Condition.FAULT: _("Fault"),
            Condition.OFFLINE: _("Not available"),
        }
        return labels[self]


_CONDITIONS: Mapping[str, Condition] = {
    ConnectorStatus.UNKNOWN: Condition.OFFLINE,
    ConnectorStatus.UNAVAILABLE: Condition.OFFLINE,
    ConnectorStatus.AVAILABLE: Condition.FREE,
    ConnectorStatus.CHARGING: Condition.CHARGING,
    ConnectorStatus.SUSPENDED_EVSE: Condition.HELD_BACK,
    ConnectorStatus.FAULTED: Condition.FAULT,
}


@dataclass(frozen=True, slots=True)
class LineUse:
    """What one session draws and may draw on one installation line, A; None: not wired, not measured, never told."""

    name: str
    drawn_a: float | None
    allowed_a: float | None
    is_wired: bool

    @property
    def share(self) -> float:
        """Percent of what is allowed that is drawn."""
        if not self.allowed_a or self.drawn_a is None:
            return 0.0
        return round(min(100.0, 100 * self.drawn_a / self.allowed_a), 1)


@dataclass(frozen=True, slots=True)
class Session:
    """One open transaction; `badge` is for signed-in users only."""

    place: str
    connector: int
    badge: str
    condition: Condition
    status: str
    lines: tuple[LineUse, ...]
    energy_kwh: float | None
    started_at: datetime
    started_today: bool
    reason: str
    reason_params: Mapping[str, Any]

    @property
    def state_label(self) -> str:
        """Name the condition in the visitor's language; where that is only "occupied", what the station said."""
        if self.condition is Condition.OCCUPIED and self.status in ConnectorStatus.values:
            return str(ConnectorStatus(self.status).label)
        return self.condition.label

    @property
    def why(self) -> str:
        """Say in words why this current and not another; empty before the first decision."""
        return explain(self.reason, self.reason_params)


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole page at one moment, the same for every visitor."""

    at: datetime
    time_zone: zoneinfo.ZoneInfo
    is_restricted: bool
    state: ManagerState
    mode: str
    is_configured: bool
    fuse_a: float | None
    usable_a: float | None
    static_limit_a: float | None
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
    point: PointRow | None

    @property
    def maximum_a(self) -> float | None:
        """Give the current per phase that charging can have at best: the fixed one, or all that is usable."""
        return self.static_limit_a if self.mode == Mode.STATIC else self.usable_a

    @property
    def connectors(self) -> int:
        """Count every connector of the stations in service."""
        return sum(self.conditions.values())

    @property
    def free(self) -> int:
        """Count the connectors a car could be plugged into now."""
        return self.conditions.get(Condition.FREE, 0)

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
    zone = _zone(installation.time_zone)
    states = Counter(Station.objects.values_list("state", flat=True))
    conditions, sessions = _occupancy(zone, now)
    return Overview(
        at=now,
        time_zone=zone,
        is_restricted=is_restricted(),
        state=manager_state(installation, meter, reading, states[StationState.CONFIGURED], now),
        mode=installation.mode,
        is_configured=installation.is_configured,
        fuse_a=installation.fuse_a,
        usable_a=installation.usable_a,
        static_limit_a=installation.static_limit_a,
        meter_age_s=_meter_age_s(meter, now),
        meter_error=meter_words_lazy(meter.last_error),
        is_fail_safe=reading is not None and reading.state == Cause.FAIL_SAFE,
        silence_s=silence_s(installation.times),
        charging_limit_a=() if reading is None else _limit(reading)[: installation.phases],
        lines=_lines(installation, reading),
        stations=states[StationState.CONFIGURED],
        pending_stations=states[StationState.PENDING],
        conditions=conditions,
        access_rule=BadgeSettings.get_solo().access_rule,
        sessions=sessions,
        point=None if reading is None else point_of(reading),
    )


def _occupancy(zone: zoneinfo.ZoneInfo, now: datetime) -> tuple[dict[Condition, int], tuple[Session, ...]]:
    """Count what the connectors in service do, and list the open sessions in the order of their places."""
    connectors = _connectors()
    running = {row.connector_id: row for row in Transaction.objects.filter(stopped_at=None).select_related("badge")}
    told = Allocation.objects.in_bulk([row.newest_allocation for row in connectors if row.newest_allocation])
    conditions: Counter[Condition] = Counter()
    sessions = []
    several = {key for key, count in Counter(row.station_id for row in connectors).items() if count > 1}
    for connector in connectors:
        allocation = told.get(connector.newest_allocation)
        transaction = running.get(connector.pk)
        condition = _condition(connector, allocation if transaction else None)
        conditions[condition] += 1
        if transaction:
            place = f"{connector.station} · {connector.number}" if connector.station_id in several else None
            sessions.append(_session(place, connector, condition, transaction, allocation, zone, now))
    return dict(conditions), tuple(sessions)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    """Find the installation's time zone; UTC while it is unknown."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def _connectors() -> list[Any]:
    """List the connectors of the stations in service, each with the number of its newest allocation."""
    newest = Allocation.objects.filter(connector=OuterRef("pk")).order_by("-decided_at", "-pk").values("pk")[:1]
    return list(
        Connector.objects.filter(station__state=StationState.CONFIGURED)
        .select_related("station")
        .annotate(newest_allocation=Subquery(newest))
        .order_by(*by_name("station__"), "number")
    )


def _condition(connector: Connector, allocation: Allocation | None) -> Condition:
    """Say what a connector does; `allocation` only where a transaction is open."""
    if not connector.station.is_connected:
        return Condition.OFFLINE
    condition = _CONDITIONS.get(connector.status, Condition.OCCUPIED)
    if condition is Condition.CHARGING and allocation is not None and allocation.limit_a == 0:
        return Condition.HELD_BACK
    return condition


def _session(
    place: str | None,
    connector: Connector,
    condition: Condition,
    transaction: Transaction,
    allocation: Allocation | None,
    zone: zoneinfo.ZoneInfo,
    now: datetime,
) -> Session:
    badge = transaction.badge
    energy_wh = connector.energy_wh
    return Session(
        place=place or str(connector.station),
        connector=connector.number,
        badge=(badge.comment or badge.id_tag) if badge else transaction.id_tag,
        condition=condition,
        status=connector.status,
        lines=_line_uses(connector, allocation),
        energy_kwh=None if energy_wh is None else max(0, energy_wh - transaction.meter_start_wh) / 1000,
        started_at=transaction.started_at,
        started_today=transaction.started_at.astimezone(zone).date() == now.astimezone(zone).date(),
        reason=allocation.reason if allocation else "",
        reason_params=allocation.reason_params if allocation else {},
    )


def _line_uses(connector: Connector, allocation: Allocation | None) -> tuple[LineUse, ...]:
    """Turn the station's phases into lines of the installation, by its wiring."""
    drawn = connector.current_a
    wiring = connector.station.wiring
    uses = []
    for line in range(3):
        is_wired = line in wiring
        uses.append(
            LineUse(
                name=f"L{line + 1}",
                drawn_a=drawn[wiring.index(line)] if is_wired and drawn is not None else None,
                allowed_a=allocation.limit_a if is_wired and allocation is not None else None,
                is_wired=is_wired,
            )
        )
    return tuple(uses)


def _meter_age_s(meter: Meter, now: datetime) -> int | None:
    """Count the seconds since the meter last gave a value; None without a meter or before its first value."""
    if not meter.is_present:
        return None
    newest = Reading.objects.filter(grid_l1_a__isnull=False).order_by("-at").values_list("at", flat=True).first()
    return None if newest is None else max(0, round((now - newest).total_seconds()))


def _lines(installation: Installation, reading: Reading | None) -> tuple[Line, ...]:
    if reading is None:
        return ()
    building, charging = _building(reading), _charging(reading)
    usable_a, fuse_a = installation.usable_a, installation.fuse_a
    lines = [
        Line(f"L{line + 1}", building[line], charging[line], usable_a, fuse_a) for line in range(installation.phases)
    ]
    scale_a = 1.03 * max(fuse_a or 0.0, usable_a or 0.0, 1.0, *(line.total_a for line in lines))
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


def point_of(reading: Reading) -> PointRow:
    """Give one point of the curve: Unix time, then L1, L2, L3 of the building, of charging and of its limit, A."""
    currents = (*_building(reading), *_charging(reading), *_limit(reading))
    return [round(reading.at.timestamp(), 1), *(None if amps is None else round(amps, 1) for amps in currents)]


def points_since(since: datetime) -> list[PointRow]:
    """List the points of the curve in order of time."""
    return [point_of(reading) for reading in Reading.objects.filter(at__gte=since).order_by("at")]


def points_each_minute(since: datetime) -> list[tuple[datetime, PointRow]]:
    """List the last point of each minute, newest first, for the table."""
    newest: dict[int, PointRow] = {}
    for point in points_since(since):
        newest[int((point[0] or 0) // 60)] = point[1:]
    return [
        (datetime.fromtimestamp(minute * 60, tz=UTC), point) for minute, point in sorted(newest.items(), reverse=True)
    ]
