"""The tree of circuits as a person looks at it: what each carries, under which limit."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from stations.models import Circuit, Connector, StationState

LINES = ("L1", "L2", "L3")
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Branch:
    """One circuit, how deep it lies, what cars draw in it and the circuits below, A, and how many stations it has."""

    circuit: Circuit
    depth: int
    drawn_a: Triple
    stations: int


def branches() -> list[Branch]:
    """List the circuits as a tree is read: each before those that lie in it, by name."""
    children: dict[int | None, list[Any]] = defaultdict(list)
    counted = Circuit.objects.select_related("parent").annotate(station_count=Count("stations"))
    for circuit in counted.order_by("name"):
        children[circuit.parent_id].append(circuit)
    own = _drawn()

    def below(parent_id: int | None, depth: int) -> list[Branch]:
        found = []
        for circuit in children[parent_id]:
            inner = below(circuit.pk, depth + 1)
            parts = [own[circuit.pk], *(branch.drawn_a for branch in inner if branch.depth == depth + 1)]
            drawn = (sum(part[0] for part in parts), sum(part[1] for part in parts), sum(part[2] for part in parts))
            found += [Branch(circuit, depth, drawn, circuit.station_count), *inner]
        return found

    return below(None, 0)


def _drawn() -> dict[int | None, list[float]]:
    """Add up what the stations in service draw on each line of their circuit, A."""
    drawn: dict[int | None, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    connectors = Connector.objects.filter(station__circuit__isnull=False, station__state=StationState.CONFIGURED)
    for connector in connectors.select_related("station"):
        for line, current_a in zip(connector.station.wiring, connector.current_a or (), strict=False):
            drawn[connector.station.circuit_id][line] += current_a
    return drawn


def lines_above_parent(circuit: Circuit) -> list[int]:
    """List the lines (0–2) on which a circuit's limit is above what it lies in: there the outer one counts."""
    if circuit.parent is None:
        return []
    return [line for line in range(3) if circuit.limit_a[line] > circuit.parent.limit_a[line]]
