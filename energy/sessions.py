"""What the connectors in service do: who charges with what, who waits and why, which places are free."""

import zoneinfo
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from energy.allocation import ReasonCode
from energy.models import Allocation
from energy.reasons import explain
from stations.models import Command, Connector, ConnectorStatus, StationState, Transaction
from stations.ordering import by_name
from stations.reported_words import outcome_in_words

STATION = ("identity", "name", "circuit", "socket_id", "last_seen_at", "phase_rotation", "min_current_a", "priority")
CONNECTOR = ("number", "status", "error_code", "refusal", "current_l1_a", "current_l2_a", "current_l3_a", "energy_wh")
TRANSACTION = (
    "connector",
    "id_tag",
    "meter_start_wh",
    "started_at",
    "badge__comment",
    "badge__id_tag",
    "badge__priority",
)
ASKED_WITHIN = timedelta(minutes=2)  # that long an outcome stands beside its place
STOP, UNLOCK, START = "RemoteStopTransaction", "UnlockConnector", "RemoteStartTransaction"


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
class Place:
    """One connector in service, under the name people know it by."""

    name: str
    row: Connector
    condition: Condition
    asked: Command | None

    @property
    def state_label(self) -> str:
        """Name the condition in the visitor's language; where that is only "occupied", what the station said."""
        if self.condition is Condition.OCCUPIED and self.row.status in ConnectorStatus.values:
            return str(ConnectorStatus(self.row.status).label)
        return self.condition.label

    @property
    def may_start(self) -> bool:
        """Say whether a charging could be begun here from afar."""
        return self.condition in (Condition.FREE, Condition.OCCUPIED)

    @property
    def outcome(self) -> str:
        """Say what came of what was asked last, in the visitor's language; empty where nothing was."""
        if self.asked is None:
            return ""
        words = {STOP: _("Stop"), UNLOCK: _("Unlock"), START: _("Start")}
        came = _("waiting for the station") if self.asked.is_open else outcome_in_words(self.asked)
        return _("%(subject)s: %(words)s") % {"subject": words[self.asked.action], "words": came}


@dataclass(frozen=True, slots=True)
class Session:
    """One open transaction; `badge` is for signed-in users only.

    `told_at`: since when it has this current for this reason. `starts_soon`: it waits for the free current to stay.
    """

    at: Place
    transaction_id: int
    badge: str
    lines: tuple[LineUse, ...]
    energy_kwh: float | None
    started_at: datetime
    started_today: bool
    told_at: datetime | None
    told_today: bool
    reason: str
    reason_params: Mapping[str, Any]
    starts_soon: bool
    badge_priority: int | None

    @property
    def why(self) -> str:
        """Say in words why this current and not another; empty before the first decision."""
        return explain(self.reason, self.reason_params)

    @property
    def is_first(self) -> bool:
        """Say whether it goes before the others, by its badge or else by its station."""
        priority = self.at.row.station.priority if self.badge_priority is None else self.badge_priority
        return priority > 0


@dataclass(frozen=True, slots=True)
class Moment:
    """What the sessions are seen against: the time, and how much current is free on each line, A; empty: not known.

    `external_until`: the end of a limit from outside as it was renewed last, ISO 8601; empty: none holds.
    """

    now: datetime
    zone: zoneinfo.ZoneInfo
    free_a: tuple[float, ...]
    external_until: str = ""

    def is_on_its_day(self, at: datetime) -> bool:
        """Say whether a time is of the same day in the garage."""
        return at.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Every connector in service, in the order people look for them: those with a session, and the others."""

    sessions: tuple[Session, ...]
    places: tuple[Place, ...]

    @property
    def conditions(self) -> dict[Condition, int]:
        """Count what the connectors do."""
        return dict(Counter(place.condition for place in (*(row.at for row in self.sessions), *self.places)))


def occupancy(moment: Moment) -> Occupancy:
    """Read what the connectors in service do; four queries, however many there are."""
    rows = _connectors()
    open_ones = Transaction.objects.filter(stopped_at=None).select_related("badge").only(*TRANSACTION)
    running = {row.connector_id: row for row in open_ones}
    told = Allocation.objects.in_bulk([row.newest_allocation for row in rows if row.newest_allocation])
    asked = _asked(moment.now)
    several = {key for key, count in Counter(row.station_id for row in rows).items() if count > 1}
    sessions, places = [], []
    for row in rows:
        allocation, transaction = told.get(row.newest_allocation), running.get(row.pk)
        name = f"{row.station} · {row.number}" if row.station_id in several else str(row.station)
        command = asked.get(("connector", row.station_id, row.number))
        if transaction is not None:
            command = _newer(command, asked.get(("transaction", row.station_id, transaction.pk)))
        place = Place(name, row, _condition(row, allocation if transaction else None), command)
        if transaction is None:
            places.append(place)
        else:
            sessions.append(_session(place, transaction, allocation, moment))
    return Occupancy(tuple(sessions), tuple(places))


def _connectors() -> list[Any]:
    """List the connectors of the stations in service, each with the number of its newest allocation."""
    newest = Allocation.objects.filter(connector=OuterRef("pk")).order_by("-decided_at", "-pk").values("pk")[:1]
    return list(
        Connector.objects.filter(station__state=StationState.CONFIGURED)
        .select_related("station")
        .only("station", *CONNECTOR, *(f"station__{name}" for name in STATION))
        .annotate(newest_allocation=Subquery(newest))
        .order_by(*by_name("station__"), "number")
    )


def _asked(now: datetime) -> dict[tuple[str, int, Any], Command]:
    """Find what was asked of each connector and each transaction last, within the last minutes."""
    recent = Command.objects.filter(created_at__gte=now - ASKED_WITHIN, action__in=(STOP, UNLOCK, START))
    found = {}
    for command in recent.order_by("pk"):
        if command.action == STOP:
            found["transaction", command.station_id, command.payload.get("transactionId")] = command
        else:
            found["connector", command.station_id, command.payload.get("connectorId")] = command
    return found


def _newer(*commands: Command | None) -> Command | None:
    return max((command for command in commands if command is not None), key=lambda row: row.pk, default=None)


def _condition(connector: Connector, allocation: Allocation | None) -> Condition:
    """Say what a connector does; `allocation` only where a transaction is open."""
    if not connector.station.is_connected:
        return Condition.OFFLINE
    condition = _CONDITIONS.get(connector.status, Condition.OCCUPIED)
    if condition is Condition.CHARGING and allocation is not None and allocation.limit_a == 0:
        return Condition.HELD_BACK
    return condition


def _session(place: Place, transaction: Transaction, allocation: Allocation | None, moment: Moment) -> Session:
    badge, energy_wh = transaction.badge, place.row.energy_wh
    renewed = {"until": moment.external_until} if moment.external_until else {}
    is_external = allocation is not None and allocation.reason == ReasonCode.EXTERNAL_LIMIT
    return Session(
        at=place,
        transaction_id=transaction.pk,
        badge=(badge.comment or badge.id_tag) if badge else transaction.id_tag,
        lines=_line_uses(place.row, allocation),
        energy_kwh=None if energy_wh is None else max(0, energy_wh - transaction.meter_start_wh) / 1000,
        started_at=transaction.started_at,
        started_today=moment.is_on_its_day(transaction.started_at),
        told_at=allocation.decided_at if allocation else None,
        told_today=allocation is not None and moment.is_on_its_day(allocation.decided_at),
        reason=allocation.reason if allocation else "",
        reason_params={**allocation.reason_params, **(renewed if is_external else {})} if allocation else {},
        starts_soon=allocation is not None and _starts_soon(place.row, allocation, moment.free_a),
        badge_priority=badge.priority if badge else None,
    )


def _starts_soon(connector: Connector, allocation: Allocation, free_a: tuple[float, ...]) -> bool:
    """Say whether a car waits though its minimum is free: that must have stayed so for a while before it is given."""
    if allocation.limit_a or allocation.reason != ReasonCode.WAITING or not free_a:
        return False
    wiring: Iterable[int] = connector.station.wiring if len(free_a) == 3 else (0,)
    return all(free_a[line] >= connector.station.min_current_a for line in wiring)


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
