"""Writes of meter values: the reports of many stations in one database transaction.

This is what stations say most: the statements are written out, which costs a tenth of what models cost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from stations.cpo.telling import Heard, tell_of_values
from stations.models import Connector, MeterValue, Transaction
from stations.ocpp16.normalise import MeterValues, Sample
from stations.services import ask_to_decide, connector_of
from stations.statements import insert, quoted

LIVE_FOR = timedelta(minutes=10)

Report = tuple[int, MeterValues]
"""Station (primary key) and what it reported of one connector."""

_COLUMNS = (
    "connector_id",
    "transaction_id",
    "measured_at",
    "context",
    "energy_wh",
    "power_w",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "offered_a",
    "soc_percent",
)


class Belonging(NamedTuple):
    """The transaction that a report belongs to."""

    pk: int
    connector_id: int
    station_id: int
    is_authorised: bool
    stopped_at: datetime | None


@transaction.atomic
def record_meter_values(*, reports: Sequence[Report]) -> list[Belonging | None]:
    """Keep the samples of each report; returns the transaction each belongs to, in the same order.

    Samples of connector 0 measure the whole station: without a transaction they belong to no connector and are skipped.
    """
    numbered = _numbered({values.transaction_id for _, values in reports if values.transaction_id})
    found: list[Belonging | None] = []
    rows: list[tuple[int, int | None, Sample]] = []
    live: dict[int, Sample] = {}
    for station_id, values in reports:
        belonging = _belonging(station_id, values, numbered)
        found.append(belonging)
        if belonging is None and values.connector == 0:
            continue
        connector_id = belonging.connector_id if belonging else connector_of(station_id, values.connector).pk
        transaction_id = belonging.pk if belonging else None
        rows += [(connector_id, transaction_id, sample) for sample in values.samples]
        if values.samples and not (belonging and belonging.stopped_at):
            live[connector_id] = values.samples[-1]
    keep_samples(rows)
    told = [
        Heard(station_id, values, belonging.pk if belonging else None)
        for (station_id, values), belonging in zip(reports, found, strict=True)
        if values.sent is not None
    ]
    if told:
        tell_of_values(told)
    _note_live(live)
    ask_to_decide()
    return found


@transaction.atomic
def record_portion(*, station_id: int, values: MeterValues) -> Belonging | None:
    """Keep what is new of a portion of a long message: the rest was kept before the message broke off."""
    belonging = _belonging(station_id, values, _numbered({values.transaction_id} if values.transaction_id else set()))
    if belonging is not None or values.connector > 0:
        connector_id = belonging.connector_id if belonging else connector_of(station_id, values.connector).pk
        kept = _samples_of(connector_id, {sample.at for sample in values.samples})
        is_repeated = any(sample in kept for sample in values.samples)
        values = replace(
            values,
            samples=tuple(sample for sample in values.samples if sample not in kept),
            sent=None if is_repeated else values.sent,
        )
    return record_meter_values(reports=[(station_id, values)])[0]


def _samples_of(connector_id: int, times: set[datetime]) -> set[Sample]:
    """Read the samples of some moments back as they were kept."""
    rows = MeterValue.objects.filter(connector=connector_id, measured_at__in=times)
    return {
        Sample(at, context, energy_wh, power_w, (l1_a, l2_a, l3_a), (l1_v, l2_v, l3_v), offered_a, soc_percent)
        for at, context, energy_wh, power_w, l1_a, l2_a, l3_a, l1_v, l2_v, l3_v, offered_a, soc_percent in (
            rows.values_list(*_COLUMNS[2:])
        )
    }


def _numbered(numbers: set[int]) -> dict[int, Belonging]:
    """Look up transactions by number."""
    if not numbers:
        return {}
    return {row[0]: Belonging(*row) for row in _rows().filter(pk__in=numbers)}


def _belonging(station_id: int, values: MeterValues, numbered: dict[int, Belonging]) -> Belonging | None:
    """Find the transaction of a report: the one it names, if that is this station's, else the connector's open one."""
    named = numbered.get(values.transaction_id or 0)
    if named is not None and named.station_id == station_id:
        return named
    ours = _rows().filter(connector__station_id=station_id, connector__number=values.connector)
    row = ours.filter(stopped_at=None).first()
    return Belonging(*row) if row else None


def _rows() -> Any:
    """Query transactions with what a Belonging needs."""
    return Transaction.objects.values_list("pk", "connector_id", "connector__station_id", "is_authorised", "stopped_at")


def keep_samples(rows: Iterable[tuple[int, int | None, Sample]]) -> None:
    """Insert one row of each sample; with it, the connector and the transaction (primary keys) it belongs to."""
    adapt = connection.ops.adapt_datetimefield_value
    insert(MeterValue, _COLUMNS, [_row(*row, adapt(row[2].at)) for row in rows])


def _row(connector_id: int, transaction_id: int | None, sample: Sample, measured_at: Any) -> tuple[Any, ...]:
    """Lay a sample out in the order of `_COLUMNS`."""
    return (
        connector_id,
        transaction_id,
        measured_at,
        sample.context,
        sample.energy_wh,
        sample.power_w,
        *sample.currents_a,
        *sample.voltages_v,
        sample.offered_a,
        sample.soc_percent,
    )


def _note_live(newest: dict[int, Sample]) -> None:
    """Note each connector's newest sample as what flows now.

    Its age is taken at receipt: station clocks differ by minutes. What a sample does not say is left as it was.
    """
    now = timezone.now()
    fresh = {pk: s for pk, s in newest.items() if now - s.at <= LIVE_FOR and s.context != "Transaction.End"}
    measured_at: Any = connection.ops.adapt_datetimefield_value(now)
    measured = [(*s.currents_a, measured_at, s.energy_wh, s.power_w, pk) for pk, s in fresh.items() if s.has_currents]
    counted = [(s.energy_wh, s.power_w, pk) for pk, s in fresh.items() if not s.has_currents]
    counts = "energy_wh = coalesce(%s, energy_wh), power_w = coalesce(%s, power_w) WHERE id = %s"
    update = f"UPDATE {quoted(Connector._meta.db_table)} SET "
    with connection.cursor() as cursor:
        if measured:
            currents = "current_l1_a = %s, current_l2_a = %s, current_l3_a = %s, measured_at = %s, "
            cursor.executemany(update + currents + counts, measured)
        if counted:
            cursor.executemany(update + counts, counted)
