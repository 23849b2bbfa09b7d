"""Gather what the controller must know from the database."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Subquery

from energy.allocation import Circuit, ConnectorSeen, Cut, Observation
from energy.limits_in_force import LimitsInForce, limits_in_force
from energy.models import Installation, Mode
from energy.operator_limits import OperatorLimits, operator_limits
from stations.models import Circuit as CircuitRow
from stations.models import (
    Connector,
    ConnectorStatus,
    FailSafeTest,
    PhaseRotation,
    Station,
    StationState,
    Transaction,
)

TOP_CIRCUIT = ""  # of all stations together; a name that no circuit of an installer can have
CANNOT_CHARGE = frozenset(
    {ConnectorStatus.AVAILABLE, ConnectorStatus.FINISHING, ConnectorStatus.UNAVAILABLE, ConnectorStatus.FAULTED}
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connector's limit goes: whom to tell, under which transaction (0: none runs), and what it last took.

    `accepted_a` None: nothing, since the Unix time `accepted_at`, where that is known. `has_refused`: its last answer
    was no acceptance. `is_tested`: a fail-safe test runs there.
    """

    station_id: int
    connector_id: int
    number: int
    transaction_id: int
    is_reachable: bool
    is_charging: bool
    accepted_a: float | None
    accepted_at: float | None
    has_refused: bool
    is_tested: bool


@dataclass(frozen=True, slots=True)
class StationPlace:
    """What a station must hold as its standing fail-safe current, and what it is known to hold."""

    station_id: int
    numbers: tuple[int, ...]
    fail_safe_a: float
    standing_a: float | None
    is_reachable: bool


def observe(
    installation: Installation, *, now: float, grid: tuple[float, float, float] | None, grid_at: float
) -> tuple[Observation, dict[Hashable, Place], list[StationPlace]]:
    """Gather one observation with the places its answers go to.

    Stations that are not in service are left out: what they draw counts as the building's.
    """
    open_transaction = Transaction.objects.filter(connector=OuterRef("pk"), stopped_at=None)
    rows = list(
        Connector.objects.filter(station__state=StationState.CONFIGURED)
        .select_related("station", "station__circuit")
        .annotate(
            open_id=Subquery(open_transaction.values("pk")[:1]),
            open_since=Subquery(open_transaction.values("started_at")[:1]),
            is_authorised=Subquery(open_transaction.values("is_authorised")[:1]),
            badge_priority=Subquery(open_transaction.values("badge__priority")[:1]),
            is_tested=Exists(FailSafeTest.objects.filter(connector=OuterRef("pk"), ended_at=None)),
        )
        .order_by("pk")
    )
    connectors = Counter(row.station_id for row in rows)
    default = default_fail_safe_a(installation, len(connectors))
    limit, circuits, cuts = _cut(installation, limits_in_force(installation, datetime.fromtimestamp(now, tz=UTC)))
    operators = operator_limits(now)
    root = top_of(circuits)
    circuits += operators.circuits((row.station for row in rows), root)
    seen = []
    places: dict[Hashable, Place] = {}
    by_station: dict[int, tuple[Station, list[int]]] = {}
    for row in rows:
        station = row.station
        place = Place(
            station_id=station.pk,
            connector_id=row.pk,
            number=row.number,
            transaction_id=row.open_id or 0,
            is_reachable=station.is_connected,
            is_charging=_wants_current(row),
            accepted_a=row.accepted_limit_a,
            accepted_at=row.accepted_at.timestamp() if row.accepted_at else None,
            has_refused=bool(row.refusal),
            is_tested=row.is_tested,
        )
        places[row.pk] = place
        share_a = fail_safe_a(station, default, connectors[station.pk])
        seen.append(_seen(row, place, installation, now, share_a, operators, root))
        by_station.setdefault(station.pk, (station, []))[1].append(row.number)
    station_places = [
        StationPlace(
            station_id=station.pk,
            numbers=tuple(numbers),
            fail_safe_a=_standing_a(station, fail_safe_a(station, default, connectors[station.pk]), operators),
            standing_a=station.standing_fail_safe_a,
            is_reachable=station.is_connected,
        )
        for station, numbers in by_station.values()
    ]
    observation = Observation(
        now=now,
        limit=limit,
        grid=grid,
        grid_at=grid_at,
        circuits=circuits,
        connectors=tuple(seen),
        cuts=cuts,
        unbalance_a=unbalance_limit_a(installation),
        surplus=installation.surplus_rule,
    )
    return observation, places, station_places


def usable_limit(installation: Installation) -> tuple[float, float, float]:
    """Return what the whole installation may draw on each line, A; zero before it is configured."""
    usable = installation.usable_a if installation.is_configured else None
    usable = 0.0 if usable is None else usable
    return (usable, usable, usable) if installation.phases == 3 else (usable, 0.0, 0.0)


def unbalance_limit_a(installation: Installation) -> float:
    """Return what charging may draw on a line more than on another one, A; infinite where there is no limit."""
    if installation.unbalance_a is None or installation.phases != 3:
        return math.inf
    return installation.unbalance_a


def default_fail_safe_a(installation: Installation, stations: int) -> float:
    """Return the fail-safe current of a station that has none of its own: an equal share, 0 where that is below 6 A."""
    if installation.fail_safe_a is not None:
        return installation.fail_safe_a
    share = math.floor(most_for_charging_a(installation) / max(1, stations) * 10) / 10
    return share if share >= 6 else 0.0


def most_for_charging_a(installation: Installation) -> float:
    """Return what charging may have at most per line, A: the derated fuse, or the static current."""
    most = usable_limit(installation)[0]
    return min(most, installation.static_limit_a or 0.0) if installation.mode == Mode.STATIC else most


def fail_safe_lines(installation: Installation) -> tuple[float, float, float]:
    """Return what all stations together may draw on each line at their fail-safe currents, A."""
    lines = [0.0, 0.0, 0.0]
    for connector in observe(installation, now=0.0, grid=None, grid_at=0.0)[0].connectors:
        for line in connector.wiring:
            lines[line] += connector.fail_safe
    return (lines[0], lines[1], lines[2])


def fail_safe_a(station: Station, default: float, connectors: int) -> float:
    """Return the fail-safe current of each connector of a station: its part of the station's own or of the default."""
    whole = default if station.fail_safe_a is None else station.fail_safe_a
    wanted = math.floor(min(whole / connectors, station.max_current_a) * 10 + 1e-6) / 10
    return wanted if wanted >= station.min_current_a else 0.0


def _standing_a(station: Station, share_a: float, operators: OperatorLimits) -> float:
    """Return what a station is told to fall back to: its fail-safe current, or the less that its operator allows."""
    allowed_a = math.floor(min(share_a, operators.standing.get(station.pk, math.inf)) * 10 + 1e-6) / 10
    return allowed_a if allowed_a >= station.min_current_a else 0.0


def top_of(circuits: Iterable[Circuit]) -> str | None:
    """Name the circuit of all stations together, where there is one."""
    return TOP_CIRCUIT if any(circuit.name == TOP_CIRCUIT for circuit in circuits) else None


def _cut(
    installation: Installation, limits: LimitsInForce
) -> tuple[tuple[float, float, float], tuple[Circuit, ...], tuple[Cut, ...]]:
    """Return the usable current, the tree of circuits, and what is taken off both for a time.

    A fixed current, or a limit from outside, is the circuit above all others.
    """
    limit, cuts = usable_limit(installation), []
    if installation.mode == Mode.DYNAMIC and limits.table is not None and limits.table.limit_a < max(limit):
        cuts.append(Cut(None, limit, limits.table.reason))
        limit = _lowered(limit, limits.table.limit_a)
    fixed_a = (installation.static_limit_a or 0.0) if installation.mode == Mode.STATIC else math.inf
    lowest = limits.lowest(installation.mode, fixed_a)
    circuits = []
    if lowest is not None:
        cuts.append(Cut(TOP_CIRCUIT, (fixed_a,) * 3, lowest.reason))
        fixed_a = lowest.limit_a
    if fixed_a < math.inf:
        circuits.append(Circuit(name=TOP_CIRCUIT, limit=(fixed_a,) * 3))
    root = top_of(circuits)
    names = dict(CircuitRow.objects.values_list("pk", "name"))
    for row in CircuitRow.objects.order_by("pk"):
        carries, own = row.limit_a, limits.circuits.get(row.pk)
        if own is not None and own.limit_a < max(carries):
            cuts.append(Cut(row.name, carries, own.reason))
            carries = _lowered(carries, own.limit_a)
        circuits.append(Circuit(name=row.name, limit=carries, parent=names[row.parent_id] if row.parent_id else root))
    return limit, tuple(circuits), tuple(cuts)


def _lowered(limit: tuple[float, float, float], most_a: float) -> tuple[float, float, float]:
    return (min(limit[0], most_a), min(limit[1], most_a), min(limit[2], most_a))


def _seen(
    row: Any,
    place: Place,
    installation: Installation,
    now: float,
    fail_safe: float,
    operators: OperatorLimits,
    root: str | None,
) -> ConnectorSeen:
    """Put one connector into the controller's words; the priority of its car's badge goes before its own."""
    station = row.station
    return ConnectorSeen(
        key=row.pk,
        wiring=PhaseRotation(station.phase_rotation).wiring if installation.phases == 3 else (0,),
        minimum=station.min_current_a,
        maximum=station.max_current_a,
        charging=place.is_charging,
        drawn=row.current_a,
        drawn_at=min(now, row.measured_at.timestamp()) if row.measured_at else 0.0,
        connected=place.is_reachable,
        accepted=row.accepted_limit_a,
        fail_safe=fail_safe,
        priority=station.priority if row.badge_priority is None else row.badge_priority,
        cap=operators.cap(row.pk),
        circuit=operators.circuit_of(station, station.circuit.name if station.circuit else root),
    )


def _wants_current(row: Any) -> bool:
    """Say whether a car may charge and wants to: an authorised transaction runs, and no state since speaks against it.

    Without a transaction there is nothing a live limit could hang on: the standing fail-safe current holds, and what is
    drawn is kept free for it.
    """
    if row.open_id is None or not row.is_authorised:
        return False
    is_older = row.status_at is not None and row.status_at <= row.open_since
    return is_older or row.status not in CANNOT_CHARGE
