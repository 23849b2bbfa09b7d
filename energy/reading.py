"""Read the building's meter, and keep what is wrong with it where people see it."""

import logging
import time
from dataclasses import dataclass

from django.utils import timezone

from energy.meters.base import MeterError, MeterMap, MeterSample
from energy.meters.decode import load_maps, manual_map, primary_factor
from energy.meters.modbus import ModbusMeter
from energy.models import Installation, Meter

logger = logging.getLogger(__name__)

MANUAL = "manual"


@dataclass
class _Open:
    """The connection to the meter that is kept between two turns, and what it was opened for."""

    settings: tuple[object, ...] = ()
    meter: ModbusMeter | None = None
    last_good_at: float = 0.0


_open = _Open()


def meter_map(meter: Meter) -> MeterMap:
    """Return the register map of a meter; raises MeterError where there is none or it cannot be used."""
    found = manual_map(meter.manual_map or {}) if meter.model == MANUAL else load_maps().get(meter.model)
    if found is None:
        raise MeterError(f"no register map {meter.model!r}: choose a model of the list, or give a manual map")
    if found.refusal:
        raise MeterError(found.refusal)
    return found


def read_meter(installation: Installation, meter: Meter) -> tuple[MeterSample | None, float]:
    """Read the meter once; returns the sample (None: no usable one) and when the last usable one was asked (s)."""
    asked_at = time.time()
    try:
        sample = _connected(installation, meter).read()
    except MeterError as error:
        note_failure(meter, str(error))
        return None, _open.last_good_at
    if meter.failing_since is not None:
        logger.info("The meter answers again")
        Meter.objects.filter(pk=meter.pk).update(failing_since=None, last_error="")
    _open.last_good_at = asked_at
    return sample, _open.last_good_at


def note_failure(meter: Meter, error: str) -> None:
    """Keep since when and why there is no usable reading."""
    if meter.failing_since is None:
        logger.warning("No usable meter reading: %s", error)
        meter.failing_since = timezone.now()
    if meter.last_error != error[:300]:
        Meter.objects.filter(pk=meter.pk).update(failing_since=meter.failing_since, last_error=error[:300])


def _connected(installation: Installation, meter: Meter) -> ModbusMeter:
    """Return the open meter, opened anew where its settings changed."""
    settings = (
        meter.model,
        meter.url,
        meter.unit,
        repr(meter.manual_map),
        installation.measurement,
        installation.ct_ratio_a,
    )
    if _open.meter is None or settings != _open.settings:
        if _open.meter is not None:
            _open.meter.close()
        found = meter_map(meter)
        factor = primary_factor(found, installation.measurement, installation.ct_ratio_a)
        _open.meter = ModbusMeter(meter.url, meter.unit, found, ct_ratio=factor)
        _open.settings = settings
    return _open.meter
