"""A small world to close the loop: a building, stations with cars that follow after some seconds, and a meter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from energy.allocation import Circuit, ConnectorSeen, Controller, Decision, Observation, Timing

Lines = tuple[float, float, float]
PHYSICS_S = 0.5


@dataclass
class Car:
    """A station with a car: what it wants, how fast it follows, how often the station reports."""

    key: str | int
    wiring: tuple[int, ...] = (0, 1, 2)
    wants: float = 32.0
    maximum: float = 32.0
    follows_s: float = 2.0
    report_s: float = 5.0
    report_at: float = 0.0
    phases: int = 3
    plugged_at: float = -inf
    unplugged_at: float = inf
    connected: bool = True
    obeys: bool = True
    rejects: bool = False
    measures: bool = True
    error: float = 1.0
    fail_safe: float = 0.0
    step: float = 0.1
    cap: float = inf
    priority: int = 0
    circuit: str | None = None
    accepted: float | None = None
    in_force: float = 0.0
    coming: list[tuple[float, float]] = field(default_factory=list)
    drawn: Lines = (0.0, 0.0, 0.0)
    drawn_at: float = -1.0
    starts: int = 0
    raises: list[float] = field(default_factory=list)

    def is_charging(self, now: float) -> bool:
        """Tell whether a car is there."""
        return self.plugged_at <= now < self.unplugged_at

    def draw(self, now: float) -> list[float]:
        """Return the A on each of the station's phases."""
        current = min(self.wants, self.in_force) if self.is_charging(now) and self.in_force >= 6 else 0.0
        used = min(self.phases, len(self.wiring))
        return [current * self.error if phase < used else 0.0 for phase in range(len(self.wiring))]

    def allowed(self, now: float) -> float:
        """Return the largest current the car may come to take.

        The pilot shows a new limit at once (IEC 61851-1): a car below it cannot rise to an older one, one above it
        draws on until it has followed, one that is following an older raise may still arrive there.
        """
        on_the_way = [min(limit, self.wants) for _, limit in self.coming]
        return max([*self.draw(now), self.accepted or 0.0, *on_the_way])


class Plant:
    """Run a controller against cars, a building and a meter; remember the worst."""

    def __init__(
        self,
        cars: list[Car],
        usable: Lines,
        building: Callable[[float], Lines] = lambda _: (0.0, 0.0, 0.0),
        *,
        dynamic: bool = True,
        circuits: tuple[Circuit, ...] = (),
        timing: Timing | None = None,
        unbalance_a: float = inf,
    ) -> None:
        self.cars = cars
        self.unbalance_a = unbalance_a
        self.usable = usable
        self.building = building
        self.circuits = circuits
        self.dynamic = dynamic
        self.controller = Controller(timing or Timing(), dynamic=dynamic)
        self.now = 0.0
        self.meter_works = True
        self.has_meter = dynamic
        self.decisions: list[tuple[float, Decision]] = []
        self.over_s = 0.0
        self.longest_over_s = 0.0
        self.worst_over_a = 0.0
        self.worst_claim_a = -inf

    def grid(self) -> Lines:
        """Return what flows through the connection now."""
        found = list(self.building(self.now))
        for car in self.cars:
            for line, current in zip(car.wiring, car.draw(self.now), strict=True):
                found[line] += current
        return found[0], found[1], found[2]

    def claims(self) -> Lines:
        """Return what building and cars may take together by what is commanded."""
        found = list(self.building(self.now))
        for car in self.cars:
            if car.is_charging(self.now):
                for line in car.wiring[: car.phases]:
                    found[line] += car.allowed(self.now)
        return found[0], found[1], found[2]

    def observation(self) -> Observation:
        """Gather what the controller sees."""
        grid = self.grid() if self.has_meter and self.meter_works else None
        return Observation(
            self.now, self.usable, grid, self.now, self.circuits, tuple(self._seen(car) for car in self.cars),
            unbalance_a=self.unbalance_a,
        )  # fmt: skip

    def _seen(self, car: Car) -> ConnectorSeen:
        return ConnectorSeen(
            car.key, car.wiring, 6.0, car.maximum, car.is_charging(self.now),
            car.drawn if car.measures else None, car.drawn_at, car.connected, car.accepted, car.fail_safe,
            car.priority, car.cap, car.circuit, car.step,
        )  # fmt: skip

    def decide(self) -> Decision:
        """Let the controller decide once and the stations take in the answer."""
        decision = self.controller.decide(self.observation())
        for car in self.cars:
            limit = decision.allocations[car.key]
            if not car.connected or car.rejects or limit == car.accepted:
                continue
            if limit > (car.accepted or 0.0):
                car.raises.append(self.now)
            if limit and not car.accepted:
                car.starts += 1
            car.accepted = limit
            if car.obeys:
                car.coming.append((self.now + car.follows_s, limit))
        self.decisions.append((self.now, decision))
        return decision

    def run(self, duration_s: float) -> Decision:
        """Let time pass, with a decision each second."""
        end = self.now + duration_s
        while self.now < end:
            self._physics()
            if self.now == int(self.now):
                self.decide()
                excess = [claim - usable for claim, usable in zip(self.claims(), self.usable, strict=True)]
                self.worst_claim_a = max(self.worst_claim_a, *excess)
            self.now += PHYSICS_S
        return self.decisions[-1][1]

    def _physics(self) -> None:
        for car in self.cars:
            while car.coming and car.coming[0][0] <= self.now:
                car.in_force = car.coming.pop(0)[1]
            if car.connected and car.measures and self.now >= car.report_at:
                phases = [*car.draw(self.now), 0.0, 0.0][:3]
                car.drawn, car.drawn_at = (phases[0], phases[1], phases[2]), self.now
                car.report_at = self.now + car.report_s
        over = max(flow - usable for flow, usable in zip(self.grid(), self.usable, strict=True))
        self.worst_over_a = max(self.worst_over_a, over)
        self.over_s = self.over_s + PHYSICS_S if over > 0.05 else 0.0
        self.longest_over_s = max(self.longest_over_s, self.over_s)

    def limits(self) -> list[float]:
        """Return what each station accepted last."""
        return [car.accepted or 0.0 for car in self.cars]
