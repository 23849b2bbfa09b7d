"""The limits that operators set, each turn of the loop: what a transaction may draw at most (OCPP 1.6 §3.13).

A running transaction is bound by the operator it began with, also where the station has another by now.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from energy.allocation import Circuit
from stations.cpo.keeping import limits_of
from stations.cpo.limits import Limit, cap_of, station_cap
from stations.models import CpoProfile, CpoTransaction, Station

CIRCUIT = "operator: {}"  # what all connectors of a station may draw together


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """What each connector may draw, A, and the stations (primary keys) whose connectors share a limit, A."""

    caps: dict[Hashable, float] = field(default_factory=dict)
    shared: dict[int, float] = field(default_factory=dict)

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


def operator_limits(now: float) -> OperatorLimits:
    """Evaluate the profiles of all running transactions; one query where no operator knows any."""
    told = CpoTransaction.objects.filter(transaction__stopped_at=None)
    running = list(told.select_related("transaction__connector__station"))
    if not running:
        return OperatorLimits()
    rows: defaultdict[int, list[CpoProfile]] = defaultdict(list)
    for row in CpoProfile.objects.filter(link__in={told.link_id for told in running}, id_tag="").order_by("pk"):
        rows[row.link_id].append(row)
    found = OperatorLimits()
    by_station: defaultdict[int, list[list[Limit]]] = defaultdict(list)
    for told_of in running:
        begun, connector = told_of.transaction, told_of.transaction.connector
        if connector is None:
            continue
        limits = limits_of(
            [row for row in rows[told_of.link_id] if row.transaction_id in (None, begun.pk)],
            phases=len(connector.station.wiring),
            charging_since=begun.started_at.timestamp(),
        )
        found.caps[connector.pk] = cap_of(limits, connector.number, now)
        by_station[connector.station_id].append(limits)
    for station_id, every in by_station.items():
        whole = min(station_cap(limits, now) for limits in every)
        if len(every) > 1 and whole < math.inf:
            found.shared[station_id] = whole
    return found
