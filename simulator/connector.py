"""One outlet of a station: the car on it, the transaction, the energy register, and what it reports."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from .car import MINIMUM_A, Car
from .link import Payload, SimulatorError
from .profiles import VOLTAGE_V
from .timestamps import format_time


@dataclass(slots=True)
class Transaction:
    """A charging session; `id` is None until the LLM has answered StartTransaction."""

    connector_id: int
    id_tag: str
    started_at: float
    meter_start_wh: int
    id: int | None = None
    samples: list[Payload] = field(default_factory=list)


class Connector:
    """An outlet and its place on the installation's lines.

    `lines` says which installation line (0, 1, 2) feeds the station's phase 1, 2, 3.
    """

    def __init__(self, number: int, *, lines: tuple[int, ...], maximum_a: float, step_a: float) -> None:
        self.number = number
        self.lines = lines
        self.maximum_a = maximum_a
        self.step_a = step_a
        self.car: Car | None = None
        self.transaction: Transaction | None = None
        self.is_operative = True
        self.has_finished = False
        self.reservation_id: int | None = None
        self.reserved_for: str | None = None
        self.remote_id_tag: str | None = None
        self.remote_until = 0.0
        self.offered_a = 0.0
        self.offer_until = math.inf
        self.register_wh = 0.0
        self.next_sample_at = math.inf
        self.reported_status: str | None = None

    @property
    def status(self) -> str:
        """Tell the ChargePointStatus (OCPP 1.6 §7.7)."""
        if self.transaction:
            if self.offered_a < MINIMUM_A:
                return "SuspendedEVSE"
            if self.car is None or self.car.is_full or self.offered_a < self.car.minimum_a:
                return "SuspendedEV"
            return "Charging"
        if not self.is_operative:
            return "Unavailable"
        if self.car:
            return "Finishing" if self.has_finished else "Preparing"
        if self.remote_id_tag:
            return "Preparing"
        return "Reserved" if self.reservation_id is not None else "Available"

    def plug(self, car: Car) -> None:
        """Put a car on the cable; it is offered nothing until a transaction runs."""
        if self.car:
            raise SimulatorError(f"expected connector {self.number} to be free, a car is on it")
        self.car = car
        self.has_finished = False

    def offer(self, limit_a: float, now: float) -> None:
        """Offer the largest current the station can set within a limit: its steps down from there, 0 below 6 A."""
        steps = math.floor(min(limit_a, self.maximum_a) / self.step_a + 1e-6)
        offered_a = round(steps * self.step_a, 3)
        self.offered_a = offered_a if self.transaction and offered_a >= MINIMUM_A else 0.0
        self.advance(now)
        if self.car:
            self.car.offer(self.offered_a, now)

    def advance(self, now: float) -> None:
        """Let the energy flow until now."""
        if self.car:
            self.register_wh += self.car.advance(now)

    def phases_a(self, now: float) -> tuple[float, ...]:
        """Tell the current on each phase of the station."""
        if self.car is None:
            return (0.0,) * len(self.lines)
        drawn_a = self.car.drawn_a(now)
        return tuple(drawn_a if phase < self.car.phases else 0.0 for phase in range(len(self.lines)))

    def lines_a(self, now: float) -> tuple[float, float, float]:
        """Tell the current on each line of the installation."""
        currents_a = [0.0, 0.0, 0.0]
        for line, current_a in zip(self.lines, self.phases_a(now), strict=True):
            currents_a[line] += current_a
        return currents_a[0], currents_a[1], currents_a[2]

    def sample(self, now: float, measurands: Iterable[str], context: str) -> Payload:
        """Make a MeterValue (OCPP 1.6 §7.33) of what flows now."""
        phases_a = self.phases_a(now)
        values: list[Payload] = []

        def add(measurand: str, value: str, unit: str, phase: str | None = None) -> None:
            entry = {"value": value, "context": context, "measurand": measurand, "unit": unit}
            values.append(entry | {"phase": phase} if phase else entry)

        for measurand in measurands:
            if measurand == "Current.Import":
                for number, current_a in enumerate(phases_a, start=1):
                    add(measurand, f"{current_a:.2f}", "A", f"L{number}")
            elif measurand == "Voltage":
                for number in range(1, len(phases_a) + 1):
                    add(measurand, f"{VOLTAGE_V:.1f}", "V", f"L{number}-N")
            elif measurand == "Power.Active.Import":
                add(measurand, f"{VOLTAGE_V * sum(phases_a):.0f}", "W")
            elif measurand == "Energy.Active.Import.Register":
                add(measurand, str(int(self.register_wh)), "Wh")
            elif measurand == "Current.Offered":
                add(measurand, f"{self.offered_a:.1f}", "A")
        return {"timestamp": format_time(now), "sampledValue": values}
