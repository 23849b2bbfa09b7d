"""Writes of meter values: the reports of many stations in one database transaction."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from stations.models import Connector, MeterValue, Transaction
from stations.ocpp16.normalise import MeterValues, Sample
from stations.services import ask_to_decide, connector_of

LIVE_FOR = timedelta(minutes=10)

Report = tuple[int, MeterValues]
"""Station (primary key) and what it reported of one connector."""


@transaction.atomic
def record_meter_values(*, reports: Sequence[Report]) -> list[Transaction | None]:
    """Keep the samples of each report; returns the transaction each belongs to, in the same order.

    Samples of connector 0 measure the whole station: without a transaction they belong to no connector and are skipped.
    """
    numbers = {values.transaction_id for _, values in reports if values.transaction_id}
    numbered = Transaction.objects.select_related("connector").in_bulk(list(numbers))
    found: list[Transaction | None] = []
    rows: list[MeterValue] = []
    live: dict[int, Sample] = {}
    for station_id, values in reports:
        belonging = _belonging(station_id, values, numbered)
        found.append(belonging)
        if belonging is None and values.connector == 0:
            continue
        connector_id = belonging.connector_id if belonging else connector_of(station_id, values.connector).pk
        rows += sample_rows(connector_id, belonging.pk if belonging else None, values.samples)
        if values.samples and not (belonging and belonging.stopped_at):
            live[connector_id] = values.samples[-1]
    MeterValue.objects.bulk_create(rows)
    _note_live(live)
    ask_to_decide()
    return found


def _belonging(station_id: int, values: MeterValues, numbered: dict[int, Transaction]) -> Transaction | None:
    """Find the transaction of a report: the one it names, if that is this station's, else the connector's open one."""
    named = numbered.get(values.transaction_id or 0)
    if named is not None and named.connector.station_id == station_id:
        return named
    ours = Transaction.objects.filter(connector__station_id=station_id, connector__number=values.connector)
    return ours.filter(stopped_at=None).select_related("connector").first()


def sample_rows(connector_id: int, transaction_id: int | None, samples: Iterable[Sample]) -> Iterator[MeterValue]:
    """Make one unsaved row of each sample."""
    for sample in samples:
        yield MeterValue(
            connector_id=connector_id,
            transaction_id=transaction_id,
            measured_at=sample.at,
            context=sample.context,
            energy_wh=sample.energy_wh,
            power_w=sample.power_w,
            current_l1_a=sample.currents_a[0],
            current_l2_a=sample.currents_a[1],
            current_l3_a=sample.currents_a[2],
            voltage_l1_v=sample.voltages_v[0],
            voltage_l2_v=sample.voltages_v[1],
            voltage_l3_v=sample.voltages_v[2],
            offered_a=sample.offered_a,
            soc_percent=sample.soc_percent,
        )


def _note_live(newest: dict[int, Sample]) -> None:
    """Note each connector's newest sample as what flows now.

    Its age is taken at receipt: station clocks differ by minutes. What a sample does not say is left as it was.
    """
    now = timezone.now()
    fresh = {pk: s for pk, s in newest.items() if now - s.at <= LIVE_FOR and s.context != "Transaction.End"}
    measured_at = connection.ops.adapt_datetimefield_value(now)
    measured = [(*s.currents_a, measured_at, pk) for pk, s in fresh.items() if s.has_currents]
    counted = [(s.energy_wh, s.power_w, pk) for pk, s in fresh.items()]
    table = connection.ops.quote_name(Connector._meta.db_table)
    with connection.cursor() as cursor:
        if measured:
            cursor.executemany(
                f"UPDATE {table} SET current_l1_a = %s, current_l2_a = %s, current_l3_a = %s, measured_at = %s "
                "WHERE id = %s",
                measured,
            )
        if counted:
            cursor.executemany(
                f"UPDATE {table} SET energy_wh = coalesce(%s, energy_wh), power_w = coalesce(%s, power_w) "
                "WHERE id = %s",
                counted,
            )
