"""Arrange circuits as one flat list of fuses, so that a connector's constraints are a few numbers.

Each circuit has three places, one for each line: place `3 * circuit + line`, where circuit 0 is the installation. A
limit of the unbalance adds one for each of `PAIRS`, after all others.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from math import inf, isnan

from .model import Circuit, Demand, Lines

PAIRS = ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))
"""A line and another one that it may not be too far above."""

Paths = dict[str | None, tuple[int, ...]]
"""The numbers of a circuit and of all above it, innermost first."""
Places = dict[tuple[str | None, tuple[int, ...]], tuple[int, ...]]


class Tree:
    """Hold the room of every line of every circuit, and which places a connector loads."""

    def __init__(self, limit: Lines, circuits: Sequence[Circuit], unbalance_a: float = inf) -> None:
        """Raise ValueError for a circuit name used twice, an unknown parent or a circle of circuits.

        `unbalance_a`: what one line may be above another one; infinite, there are no pairs.
        """
        self.names: list[str | None] = [None, *(circuit.name for circuit in circuits)]
        self.room: list[float] = [_sound(value) for value in limit]
        for circuit in circuits:
            self.room.extend(_sound(value) for value in circuit.limit)
        self._paths, self._places = _lay_out(tuple((circuit.name, circuit.parent) for circuit in circuits))
        self.unbalance_a = _sound(unbalance_a)
        self.first_pair = len(self.room)
        self.has_pairs = self.unbalance_a < inf
        if self.has_pairs:
            self.room.extend([self.unbalance_a] * len(PAIRS))
            self.names.extend([None] * (len(PAIRS) // 3))
        self.pool = -1
        """The place that all lines load together; -1: there is none."""

    def pair(self, place: int) -> tuple[int, int] | None:
        """Return the line and the other one whose difference a place limits; None: it is no such place."""
        number = place - self.first_pair
        return PAIRS[number] if self.has_pairs and 0 <= number < len(PAIRS) else None

    def places_of(self, demand: Demand) -> tuple[int, ...]:
        """Return the places that a demand uses, with its pairs; raise ValueError as `places` does."""
        found = self.places(demand.circuit, demand.lines)
        if not self.has_pairs:
            return found
        above = pairs_above(demand.lines if demand.loads is None else demand.loads)
        return (*found, *(self.first_pair + number for number in above))

    def add_pool(self, name: str, room: float) -> None:
        """Add a place that every connector loads once for each of its lines."""
        self.pool = len(self.room)
        self.names.append(name)
        self.room.extend((_sound(room), inf, inf))
        self._places = {}  # those kept beside the layout know no pool

    def places(self, circuit: str | None, lines: tuple[int, ...]) -> tuple[int, ...]:
        """Return the places that a load on these lines of a circuit uses, innermost first; the pool once a line.

        Raise ValueError for an unknown circuit, no lines or a line outside 0-2.
        """
        found = self._places.get((circuit, lines))
        if found is None:
            if circuit not in self._paths:
                raise ValueError(f"unknown circuit {circuit!r}")
            if not lines:
                raise ValueError("at least one line expected, none came")
            if not set(lines) <= {0, 1, 2}:
                raise ValueError(f"lines 0, 1 or 2 expected, {lines!r} came")
            found = tuple(3 * number + line for number in self._paths[circuit] for line in sorted(set(lines)))
            if self.pool >= 0:
                found += (self.pool,) * len(set(lines))
            self._places[circuit, lines] = found
        return found


@lru_cache(maxsize=8)
def _lay_out(parents: tuple[tuple[str, str | None], ...]) -> tuple[Paths, Places]:
    """Return the path of each circuit, and where its places are kept once they were asked for.

    Circuits seldom change, while a tree is built for each decision.
    """
    parent_of = dict(parents)
    index: dict[str, int] = {}
    for number, (name, _parent) in enumerate(parents, start=1):
        if name in index:
            raise ValueError(f"circuit names must differ, but {name!r} comes twice")
        index[name] = number
    paths: Paths = {None: (0,)}
    for name in index:
        _add_path(name, parent_of, index, paths)
    return paths, {}


def _add_path(name: str | None, parent_of: dict[str, str | None], index: dict[str, int], paths: Paths) -> None:
    chain: list[str] = []
    while name not in paths:
        if name not in parent_of:
            raise ValueError(f"circuit {chain[-1]!r} hangs on an unknown circuit {name!r}")
        if name in chain:
            raise ValueError(f"circuit {name!r} hangs on itself through its parents")
        chain.append(name)
        name = parent_of[name]
    for link in reversed(chain):
        paths[link] = (index[link], *paths[parent_of[link]])


def take(room: list[float], places: Sequence[int], current_a: float, dust_a: float = 0.0) -> int:
    """Take a current out of places, as often as each comes; return -1, or the first without room: nothing is taken."""
    for count, place in enumerate(places, start=1):
        room[place] -= current_a
        if room[place] < -dust_a:
            for taken in places[:count]:
                room[taken] += current_a
            return place
    return -1


@cache
def pairs_above(lines: tuple[int, ...]) -> tuple[int, ...]:
    """Return the pairs of which a load on these lines loads the first line and not the other."""
    return tuple(number for number, (line, other) in enumerate(PAIRS) if line in lines and other not in lines)


def _sound(limit_a: float) -> float:
    return 0.0 if isnan(limit_a) or limit_a < 0 else float(limit_a)
