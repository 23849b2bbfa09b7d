"""Check the promises about a result without knowing how it was computed, and make random cases to check them on."""

import random
from collections.abc import Iterator, Sequence
from math import inf, isfinite, isnan, nan

from energy.allocation import Circuit, Demand, allocate

Lines = tuple[float, float, float]
Place = tuple[str | None, int]
ROUNDING_A = 1e-5
MORE_A = 1e-3


def capacities(limit: Lines, circuits: Sequence[Circuit]) -> dict[Place, float]:
    """Return what each line of each circuit may carry, the installation under the name None."""
    found: dict[Place, float] = {}
    for name, values in [(None, limit), *((circuit.name, circuit.limit) for circuit in circuits)]:
        for line, value in enumerate(values):
            found[name, line] = 0.0 if isnan(value) or value < 0 else value
    return found


def places_of(demand: Demand, circuits: Sequence[Circuit]) -> list[Place]:
    """Return every line of every circuit a demand loads."""
    parents = {circuit.name: circuit.parent for circuit in circuits}
    chain: list[str | None] = [None]
    name = demand.circuit
    while name is not None:
        chain.append(name)
        name = parents[name]
    return [(name, line) for name in chain for line in set(demand.lines)]


def loads(given: dict[Demand, float], circuits: Sequence[Circuit]) -> dict[Place, float]:
    """Add up what is given on every place."""
    found: dict[Place, float] = {}
    for demand, current in given.items():
        for place in places_of(demand, circuits):
            found[place] = found.get(place, 0.0) + current
    return found


def wants(demand: Demand) -> bool:
    """Tell whether a demand can be given anything."""
    return isfinite(demand.minimum) and demand.maximum >= demand.minimum and demand.maximum > 0


def violations(limit: Lines, demands: Sequence[Demand], circuits: Sequence[Circuit] = ()) -> Iterator[str]:
    """Yield a sentence for every promise the allocation of this case breaks."""
    result = allocate(limit, demands, circuits)
    if set(result) != {demand.key for demand in demands}:
        yield "not every demand has an answer"
        return
    given = {demand: result[demand.key] for demand in demands}
    room = capacities(limit, circuits)
    load = loads(given, circuits)
    for place, current in load.items():
        if current > room[place] + ROUNDING_A:
            yield f"{place} carries {current} of {room[place]}"
    for demand, current in given.items():
        if current and not (wants(demand) and demand.minimum - ROUNDING_A <= current <= demand.maximum + ROUNDING_A):
            yield f"{demand} has {current}"
    yield from _unfairness(given, load, room, circuits)
    yield from _waste(given, room, circuits)


def _unfairness(
    given: dict[Demand, float], load: dict[Place, float], room: dict[Place, float], circuits: Sequence[Circuit]
) -> Iterator[str]:
    """Max-min: who is below its maximum loads a full place on which nobody has more, but at the minimum."""
    above: dict[Place, float] = {}
    for other, current in given.items():
        if current > other.minimum + MORE_A:
            for place in places_of(other, circuits):
                above[place] = max(above.get(place, 0.0), current)
    for demand, current in given.items():
        if not current or current >= demand.maximum - MORE_A:
            continue
        for place in places_of(demand, circuits):
            if load[place] + MORE_A > room[place] and above.get(place, 0.0) <= current + MORE_A:
                break
        else:
            yield f"{demand} has {current}: more would take nothing from anybody with less"


def _waste(given: dict[Demand, float], room: dict[Place, float], circuits: Sequence[Circuit]) -> Iterator[str]:
    """First fit: who has nothing did not fit beside those served before it."""
    left = dict(room)
    order = sorted(
        (demand for demand in given if wants(demand)), key=lambda d: (-d.priority, d.waiting_since, len(set(d.lines)))
    )
    for demand in order:
        places = places_of(demand, circuits)
        fits = all(left[place] - max(demand.minimum, 0.0) >= -ROUNDING_A / 10 for place in places)
        if fits and not given[demand] and demand.minimum > 0:
            yield f"{demand} has nothing but would fit"
        if given[demand]:
            for place in places:
                left[place] -= max(demand.minimum, 0.0)


def random_case(chance: random.Random) -> tuple[Lines, list[Demand], list[Circuit]]:
    """Make a case: a tree of circuits, odd numbers among the likely ones, shortage and plenty."""

    def current() -> float:
        odd = chance.random()
        if odd < 0.02:
            return chance.choice([inf, nan, -5.0, 0.0])
        return round(chance.uniform(0, 80), 1) if odd < 0.6 else float(chance.choice([6, 10, 16, 20, 25, 32, 40, 63]))

    names = [f"c{number}" for number in range(chance.choice([0, 0, 1, 2, 3, 6]))]
    circuits = [
        Circuit(name, (current(), current(), current()), chance.choice([None, *names[:number]]))
        for number, name in enumerate(names)
    ]
    chance.shuffle(circuits)
    lines = [(0, 1, 2), (2, 0, 1), (0,), (1,), (2,), (0, 1), (2, 0)]
    demands = []
    for key in range(chance.choice([0, 1, 2, 3, 5, 8, 13, 30])):
        minimum = chance.choice([6.0, 6.0, 6.0, 8.0, 10.0, 13.0])
        maximum = chance.choice([16.0, 32.0, 32.0, minimum, current(), inf])
        demands.append(
            Demand(
                key,
                chance.choice(lines),
                minimum,
                maximum,
                chance.choice([0, 0, 0, 1]),
                chance.choice([0.0, 0.0, float(key), -inf, chance.random()]),
                chance.choice([None, *names]),
            )
        )
    scale = chance.choice([0.3, 1, 3])
    return (current() * scale, current() * scale, current() * scale), demands, circuits
