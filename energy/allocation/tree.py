"""Arrange circuits as one flat list of fuses, so that a connector's constraints are a few numbers.

Each circuit has three places, one for each line: place `3 * circuit + line`, where circuit 0 is the installation.
"""

from collections.abc import Sequence
from math import isnan

from .model import Circuit, Lines


class Tree:
    """Hold the room of every line of every circuit, and which places a connector loads."""

    def __init__(self, limit: Lines, circuits: Sequence[Circuit]) -> None:
        """Raise ValueError for a circuit name used twice, an unknown parent or a circle of circuits."""
        self.names: list[str | None] = [None]
        self.room: list[float] = [_sound(value) for value in limit]
        by_name: dict[str, Circuit] = {}
        for circuit in circuits:
            if circuit.name in by_name:
                raise ValueError(f"circuit names must differ, but {circuit.name!r} comes twice")
            by_name[circuit.name] = circuit
            self.names.append(circuit.name)
            self.room.extend(_sound(value) for value in circuit.limit)
        index = {name: number for number, name in enumerate(self.names)}
        self._paths: dict[str | None, tuple[int, ...]] = {None: (0,)}
        for circuit in circuits:
            self._add_path(circuit, by_name, index)
        self._places: dict[tuple[str | None, tuple[int, ...]], tuple[int, ...]] = {}

    def _add_path(self, circuit: Circuit, by_name: dict[str, Circuit], index: dict[str | None, int]) -> None:
        chain: list[str] = []
        name: str | None = circuit.name
        while name not in self._paths:
            if name not in by_name:
                raise ValueError(f"circuit {chain[-1]!r} hangs on an unknown circuit {name!r}")
            if name in chain:
                raise ValueError(f"circuit {name!r} hangs on itself through its parents")
            chain.append(name)
            name = by_name[name].parent
        for link in reversed(chain):
            self._paths[link] = (index[link], *self._paths[by_name[link].parent])

    def places(self, circuit: str | None, lines: tuple[int, ...]) -> tuple[int, ...]:
        """Return the places that a load on these lines of a circuit uses, innermost first.

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
            self._places[circuit, lines] = found
        return found


def _sound(limit_a: float) -> float:
    return 0.0 if isnan(limit_a) or limit_a < 0 else float(limit_a)
