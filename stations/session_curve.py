"""The curve of one transaction: power and current per phase over time, as points of a picture. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

WIDTH, HEIGHT = 1000.0, 100.0
MOMENTS = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """What was measured at one time; None: not measured."""

    at: datetime
    power_w: float | None
    current_a: tuple[float | None, float | None, float | None]
    energy_wh: int | None

    @property
    def power_kw(self) -> float | None:
        """Power in the unit of the picture."""
        return None if self.power_w is None else self.power_w / 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture: name, points in pieces (it breaks where nothing was measured), highest value."""

    name: str
    pieces: tuple[str, ...]
    highest: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines over the same time; `top` is the value at the upper edge, the lower edge is 0."""

    lines: tuple[Line, ...]
    top: float


def thinned(moments: Sequence[Moment]) -> list[Moment]:
    """Leave out moments where there are too many for a picture; the one of the highest power of each stretch stays."""
    if len(moments) <= MOMENTS:
        return list(moments)
    numbered = groupby(enumerate(moments), key=lambda entry: entry[0] * MOMENTS // len(moments))
    return [max((moment for _i, moment in group), key=_load) for _number, group in numbered]


def _load(moment: Moment) -> tuple[float, float]:
    return moment.power_w or 0.0, sum(current_a or 0.0 for current_a in moment.current_a)


def power_picture(moments: Sequence[Moment], since: datetime, until: datetime) -> Picture | None:
    """Draw the power, kW; None where none was measured."""
    return _picture([("", [moment.power_kw for moment in moments])], moments, since, until)


def current_picture(moments: Sequence[Moment], since: datetime, until: datetime) -> Picture | None:
    """Draw the current of each phase, A; None where none was measured."""
    phases = [(f"L{i + 1}", [moment.current_a[i] for moment in moments]) for i in range(3)]
    return _picture(phases, moments, since, until)


def _picture(
    named: Iterable[tuple[str, list[float | None]]], moments: Sequence[Moment], since: datetime, until: datetime
) -> Picture | None:
    measured = [(name, values) for name, values in named if any(value is not None for value in values)]
    if not measured:
        return None
    highest = {name: max(value for value in values if value is not None) for name, values in measured}
    top = _round_up(max(*highest.values(), 0.0, 0.0))
    span_s = max((until - since).total_seconds(), 1.0)
    places = [min(max((moment.at - since).total_seconds() / span_s, 0.0), 1.0) * WIDTH for moment in moments]
    lines = (Line(name, _pieces(places, values, top), highest[name]) for name, values in measured)
    return Picture(tuple(lines), top)


def _pieces(places: list[float], values: list[float | None], top: float) -> tuple[str, ...]:
    pieces = []
    for is_known, group in groupby(zip(places, values, strict=True), key=lambda entry: entry[1] is not None):
        if is_known:
            points = [(x, HEIGHT - max(value or 0.0, 0.0) / top * HEIGHT) for x, value in group]
            pieces.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
    return tuple(pieces)


def _round_up(value: float) -> float:
    """Give a round figure at or above a value: 1, 2 or 5 with zeros."""
    step = 1.0
    while step * 10 <= value:
        step *= 10
    return next(step * factor for factor in (1, 2, 5, 10) if step * factor >= value)
