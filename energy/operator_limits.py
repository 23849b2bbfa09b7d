"""The limits that operators set, each turn of the loop: what a transaction may draw at most (OCPP 1.6 §3.13).

A running transaction is bound by the operator it began with, also where the station has another by now. One that begins
while the load manager is down is bound by what stands at the station: `standing`.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from energy.allocation import Circuit
from stations.cpo.keeping import limits_of
from stations.cpo.limits import cap_of, station_cap
from stations.editions import has_operators
from stations.models import Connector, CpoProfile, CpoTransaction, Station, Transaction

logger = logging.getLogger(__name__)

CIRCUIT = "operator: {}"  # what all connectors of a station may draw together


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """What each connector may draw, A, and the stations (primary keys) whose connectors share a limit, A.

    `standing` is what each connector of a station (primary key) may fall back to at most, A, where its operator says.
    """

    caps: dict[Hashable, float] = field(default_factory=dict)
    shared: dict[int, float] = field(default_factory=dict)
    standing: dict[int, float] = field(default_factory=dict)

    def cap(self, connector_id: Hashable) -> float:
        """Return what a connector may draw; infinite where no operator limits it."""
        return self.caps.get(connector_id, math.inf)

    def circuit_of(self, station: Station, otherwise: str | None) -> str | None:
        """Name the innermost circuit of a station."""
        return CIRCUIT.format(station.identity) if station.pk in self.shared else otherwise

    def circuits(self, stations: Iterable[Station], root: str | None) -> tuple[Circuit, ...]:
        """Return the circuit of each station whose connectors share a limit."""
        return tuple(
            Circuit(
                CIRCUIT.format(station.identity),
                (self.shared[station.pk],) * 3,
                station.circuit.name if station.circuit else root,
            )
            for station in {station.pk: station for station in stations}.values()
            if station.pk in self.shared
        )


@dataclass
class _Memory:
    """What was last found for each running transaction, and those whose profiles cannot be evaluated now.

    `without_standing` are links (primary keys) of which what stands cannot be.
    """

    bounds: dict[int, tuple[float, float]] = field(default_factory=dict)
    failing: set[int] = field(default_factory=set)
    without_standing: set[int] = field(default_factory=set)

    def forget_ended(self, running: set[int]) -> None:
        self.bounds = {number: found for number, found in self.bounds.items() if number in running}
        self.failing &= running


_memory = _Memory()


def operator_limits(now: float) -> OperatorLimits:
    """Evaluate the profiles that operators have set; one query where there are none."""
    rows: defaultdict[int, list[CpoProfile]] = defaultdict(list)
    kept = CpoProfile.objects.filter(id_tag="").select_related("link__station")
    for row in kept.prefetch_related("link__station__connectors").order_by("pk"):
        rows[row.link_id].append(row)
    if not rows:
        return OperatorLimits()
    told = CpoTransaction.objects.filter(transaction__stopped_at=None)
    running = list(told.select_related("transaction__connector__station"))
    found = OperatorLimits(standing=_standing(rows.values(), now))
    by_station: defaultdict[int, list[float]] = defaultdict(list)
    _memory.forget_ended({told_of.transaction_id for told_of in running})
    for told_of in running:
        connector = told_of.transaction.connector
        if connector is None:
            continue
        own = [row for row in rows[told_of.link_id] if row.transaction_id in (None, told_of.transaction_id)]
        found.caps[connector.pk], whole = _bounds_of(told_of.transaction, connector, own, now)
        by_station[connector.station_id].append(whole)
    for station_id, every in by_station.items():
        if len(every) > 1 and min(every) < math.inf:
            found.shared[station_id] = min(every)
    return found


def _standing(rows_of_links: Iterable[list[CpoProfile]], now: float) -> dict[int, float]:
    """Return what each connector of a station may draw of which no transaction is known, A.

    Profiles that cannot be evaluated allow nothing: nobody could correct that while the load manager is down.
    """
    found = {}
    for rows in rows_of_links:
        link, lasting = rows[0].link, [row for row in rows if row.transaction_id is None]
        if not lasting or not link.is_in_force or not has_operators():
            continue
        numbers = [connector.number for connector in link.station.connectors.all()]
        try:
            limits = limits_of(lasting, phases=len(link.station.wiring), charging_since=None)
            whole = station_cap(limits, now) / max(1, len(numbers))
            limits = [limit.whenever_begun() for limit in limits]
            found[link.station_id] = min([whole, *(cap_of(limits, number, now) for number in numbers)])
        except Exception:
            if link.pk not in _memory.without_standing:
                logger.exception("%s: the limits of its operator cannot be evaluated; it stands at 0 A", link.station)
            _memory.without_standing.add(link.pk)
            found[link.station_id] = 0.0
        else:
            _memory.without_standing.discard(link.pk)
    return found


def _bounds_of(begun: Transaction, connector: Connector, rows: list[CpoProfile], now: float) -> tuple[float, float]:
    """Return what a transaction, and all of its station, may draw, A.

    Profiles that cannot be evaluated harm nobody else: what they said last holds on, else the least a car can take.
    """
    station = connector.station
    try:
        limits = limits_of(rows, phases=len(station.wiring), charging_since=begun.started_at.timestamp())
        bounds = cap_of(limits, connector.number, now), station_cap(limits, now)
    except Exception:
        if begun.pk not in _memory.failing:
            logger.exception("%s: the limits of its operator cannot be evaluated; the last ones hold", station)
        _memory.failing.add(begun.pk)
        return _memory.bounds.get(begun.pk, (station.min_current_a, math.inf))
    _memory.failing.discard(begun.pk)
    _memory.bounds[begun.pk] = bounds
    return bounds
