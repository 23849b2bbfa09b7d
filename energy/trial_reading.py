"""Read a meter as it is entered, before it is saved, without disturbing the loop."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from energy.meter_words import meter_words
from energy.meters.base import MeterError, MeterImplausible, MeterRefused, MeterUnreachable
from energy.meters.decode import primary_factor
from energy.meters.modbus import ModbusMeter, is_same_line
from energy.models import Installation, Meter, Reading
from energy.reading import meter_map

FRESH_S = 10.0  # an older reading of the loop says nothing about now


class Trouble(StrEnum):
    """Why there is no reading; WAITING: the loop has not yet turned since the meter was saved."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    IMPLAUSIBLE = "implausible"
    UNUSABLE = "unusable"
    LOOP_SILENT = "loop_silent"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class TrialReading:
    """What a meter shows per line (A, W), or the trouble and its cause in the words of the reader.

    `is_of_loop`: read by the control loop with the meter as saved.
    """

    at: datetime | None = None
    currents_a: tuple[float, ...] = ()
    powers_w: tuple[float | None, ...] = ()
    is_of_loop: bool = False
    trouble: Trouble | None = None
    cause: str = ""

    @property
    def lines(self) -> list[tuple[str, float, float | None]]:
        """Give name, current and power of each line."""
        powers_w = self.powers_w or (None,) * len(self.currents_a)
        return [
            (f"L{number}", current_a, power_w)
            for number, (current_a, power_w) in enumerate(zip(self.currents_a, powers_w, strict=True), start=1)
        ]

    @property
    def power_w(self) -> float | None:
        """Add the lines up; None where the meter does not tell the power of each."""
        known = [power_w for power_w in self.powers_w if power_w is not None]
        return sum(known) if known and len(known) == len(self.powers_w) else None


def read_as_entered(*, installation: Installation, meter: Meter) -> TrialReading:
    """Read a meter once, as entered.

    On the line that the loop uses nothing is opened: what the loop read last is given instead.
    """
    in_use = Meter.get_solo()
    if in_use.is_present and is_same_line(in_use.url, meter.url):
        return reading_of_loop(in_use)
    try:
        found = meter_map(meter)
        factor = primary_factor(found, installation.measurement, installation.ct_ratio_a)
        opened = ModbusMeter(meter.url, meter.unit, found, ct_ratio=factor)
    except MeterError as error:
        return TrialReading(trouble=Trouble.UNUSABLE, cause=meter_words(str(error)))
    try:
        sample = opened.read()
    except MeterError as error:
        return TrialReading(trouble=_trouble(error), cause=meter_words(str(error)))
    finally:
        opened.close()
    lines = found.phases
    return TrialReading(at=timezone.now(), currents_a=sample.currents_a[:lines], powers_w=sample.powers_w[:lines])


def reading_of_loop(meter: Meter) -> TrialReading:
    """Give the last reading of the control loop, or why there is none."""
    newest = Reading.objects.order_by("-at").first()
    if newest is None or (timezone.now() - newest.at).total_seconds() > FRESH_S:
        return TrialReading(at=newest.at if newest else None, is_of_loop=True, trouble=Trouble.LOOP_SILENT)
    if newest.grid_l1_a is None or newest.grid_l2_a is None or newest.grid_l3_a is None:
        if meter.failing_since is None:
            return TrialReading(is_of_loop=True, trouble=Trouble.WAITING)
        return TrialReading(
            at=newest.at, is_of_loop=True, trouble=Trouble.UNREACHABLE, cause=meter_words(meter.last_error)
        )
    return TrialReading(
        at=newest.at, currents_a=(newest.grid_l1_a, newest.grid_l2_a, newest.grid_l3_a), is_of_loop=True
    )


def _trouble(error: MeterError) -> Trouble:
    kinds = (
        (MeterRefused, Trouble.REFUSED),
        (MeterUnreachable, Trouble.UNREACHABLE),
        (MeterImplausible, Trouble.IMPLAUSIBLE),
    )
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), Trouble.UNUSABLE)
