"""The picture of the circuits: the main fuse, what it feeds and the stations, with the figures of the overview."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from energy.circuits import LINES, Branch, branches
from energy.dashboard import Line, Overview, compute_overview
from energy.limits_in_force import LimitInForce, limits_in_force
from energy.models import Installation
from energy.sessions import Condition, Place, Session
from stations.models import Circuit, Station

PLACES_SHOWN = 12  # of one fuse: the picture is of the fuses


@dataclass(frozen=True, slots=True)
class Hanging:
    """One place that hangs on a fuse; `current_a` on its highest phase, None: not measured. `why`: it is held back."""

    place: Place
    current_a: float | None
    why: str = ""


@dataclass(slots=True)
class Fuse:
    """A fuse with what hangs on it, stations and fuses further in; `circuit` None: the main fuse.

    `lowered`: what lowers its limit for a time. `stations` counts those in no service too, `places` has none of these.
    """

    circuit: Circuit | None
    lines: tuple[Line, ...]
    stations: int
    lowered: LimitInForce | None = None
    places: list[Hanging] = field(default_factory=list)
    inner: list["Fuse"] = field(default_factory=list)

    @property
    def shown_places(self) -> list[Hanging]:
        """Give as many as a picture can show, those with a session first."""
        return self.places[:PLACES_SHOWN]

    @property
    def hidden_places(self) -> int:
        """Count those that are not shown."""
        return max(0, len(self.places) - PLACES_SHOWN)


def circuit_tree(now: datetime) -> dict[str, Any]:
    """Lay the picture out, all bars on one scale."""
    overview, installation = compute_overview(now), Installation.get_solo()
    limits = limits_in_force(installation, now).circuits
    main = Fuse(None, overview.lines, Station.objects.filter(circuit=None).count())
    fuses: dict[int | None, Fuse] = {None: main}
    for branch in branches():
        circuit, lowered = branch.circuit, limits.get(branch.circuit.pk)
        if lowered is not None and lowered.limit_a >= max(circuit.limit_a):
            lowered = None
        lines = _lines(branch, lowered, installation.phases)
        fuses[circuit.pk] = Fuse(circuit, lines, branch.stations, lowered)
        fuses[circuit.parent_id].inner.append(fuses[circuit.pk])
    for hanging in _places(overview):
        fuses.get(hanging.place.row.station.circuit_id, main).places.append(hanging)
    _to_one_scale(fuses.values())
    at_s = overview.point[0] if overview.point else None
    read_at = None if at_s is None else datetime.fromtimestamp(at_s, tz=UTC)
    return {"overview": overview, "main": main, "read_at": read_at}


def _lines(branch: Branch, lowered: LimitInForce | None, phases: int) -> tuple[Line, ...]:
    """Put a circuit into the overview's words: no building, its present limit as what is usable."""
    rows = zip(LINES[:phases], branch.drawn_a, branch.circuit.limit_a, strict=False)
    if lowered is None:
        return tuple(Line(name, None, drawn_a, limit_a, None) for name, drawn_a, limit_a in rows)
    return tuple(Line(name, None, drawn_a, min(own_a, lowered.limit_a), own_a) for name, drawn_a, own_a in rows)


def _places(overview: Overview) -> Iterable[Hanging]:
    for session in overview.sessions:
        yield Hanging(session.at, _highest_a(session.at), _why(session))
    for place in overview.places:
        yield Hanging(place, _highest_a(place))


def _highest_a(place: Place) -> float | None:
    return None if place.row.current_a is None else max(place.row.current_a)


def _why(session: Session) -> str:
    return session.why if session.at.condition is Condition.HELD_BACK else ""


def _to_one_scale(fuses: Iterable[Fuse]) -> None:
    fuses = list(fuses)
    marks = [current_a for fuse in fuses for line in fuse.lines for current_a in (line.usable_a, line.fuse_a)]
    drawn = [line.bar_a for fuse in fuses for line in fuse.lines]
    scale_a = 1.03 * max([1.0, *drawn, *(current_a for current_a in marks if current_a is not None)])
    for fuse in fuses:
        fuse.lines = tuple(replace(line, scale_a=scale_a) for line in fuse.lines)
