"""Messages with more measurements than are written at once.

They are kept portion by portion, each on disk before the next is read, so that others' reports come between and none
fills the memory. One that breaks off gets no reply and is sent again whole: what was kept of it is not kept twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.utils import timezone

from stations.metering import Belonging, record_portion
from stations.ocpp16 import normalise
from stations.ocpp16.database import in_database


async def keep_portions(
    station_id: int, portions: Iterable[Mapping[str, Any]], *, tells_operator: bool = False
) -> tuple[normalise.MeterValues, Belonging | None]:
    """Keep one portion after the other, at least one; returns the last, and the transaction that it belongs to."""
    for portion in portions:
        values = normalise.read_meter_values(portion, timezone.now())
        values = replace(values, sent=portion) if tells_operator else values
        belonging = await in_database(record_portion, station_id=station_id, values=values)
    return values, belonging
