"""What is told to operators of what happens at stations, in the commit that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from stations.cpo.keeping import WAITS_FOR_CAR, sample_interval_s
from stations.cpo.outbox import current_link, enqueue, enqueue_many, link_of, take_back
from stations.cpo.wording import loss_message, meter_message, start_message, stop_message
from stations.models import CpoLink, CpoProfile, CpoTransaction, Station, Transaction
from stations.ocpp16.normalise import MeterValues, Start, Stop

PERIODIC = "Sample.Periodic"
MOST_REMEMBERED = 10_000
STOP_COMES_WITHIN = timedelta(hours=1)  # a station repeats itself for minutes (§9.1, TransactionMessageRetryInterval)

_last_told: dict[int, datetime] = {}
"""When the last periodic sample of each transaction that was told was measured; a restart tells one more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a station reported, and the transaction it belongs to (primary key), None: none."""

    station_id: int
    values: MeterValues
    transaction_id: int | None


def tell_of_start(*, link: CpoLink, begun: Transaction, start: Start, raw: dict[str, Any]) -> None:
    """Let the operator be told that a transaction has begun; it stays with this operator until it ends."""
    CpoTransaction.objects.create(transaction=begun, link=link)
    payload = start_message(raw, start)
    enqueue(link_id=link.pk, action="StartTransaction", payload=payload, transaction_id=begun.pk)
    waiting = CpoProfile.objects.filter(
        link=link,
        transaction=None,
        connector__in=(0, start.connector),
        installed_at__gte=timezone.now() - WAITS_FOR_CAR,
    )
    waiting.filter(id_tag=start.id_tag.upper()).exclude(id_tag="").update(
        transaction=begun, connector=start.connector, id_tag=""
    )


def tell_of_stop(*, ended: Transaction, stop: Stop, was_lost: bool) -> None:
    """Let the operator be told that a transaction has ended, if it began with one; its limits end with it.

    Of one that was counted as lost it was told already what was supposed (`tell_of_loss`): it hears of one end.
    """
    link_id = link_of(ended.pk)
    if link_id is None or ended.meter_stop_wh is None or ended.stopped_at is None:
        return
    payload = stop_message(stop.sent or {}, stop, ended.meter_stop_wh, ended.stopped_at)
    if not was_lost or take_back(transaction_id=ended.pk, payload=payload):
        enqueue(link_id=link_id, action="StopTransaction", payload=payload, transaction_id=ended.pk)
    _forget(ended)


def tell_of_loss(*, lost: Transaction, is_stop_to_come: bool) -> None:
    """Let the operator be told of an end that was not heard: for it, the transaction would run for ever.

    A start that a station kept is mostly followed by its stop: that is waited for.
    """
    link_id = link_of(lost.pk)
    if link_id is None or lost.meter_stop_wh is None or lost.stopped_at is None:
        return
    held_until = timezone.now() + STOP_COMES_WITHIN if is_stop_to_come else None
    payload = loss_message(lost.meter_stop_wh, lost.stopped_at)
    enqueue(link_id=link_id, action="StopTransaction", payload=payload, transaction_id=lost.pk, held_until=held_until)
    _forget(lost)


def _forget(ended: Transaction) -> None:
    """Forget what counts while a transaction runs."""
    CpoProfile.objects.filter(transaction=ended).delete()
    _last_told.pop(ended.pk, None)


def tell_of_values(reports: Sequence[Heard]) -> None:
    """Let operators be told what stations measured, as often as they want it: one look, one insert."""
    links = _links_of(reports)
    rows = []
    for heard in reports:
        key = ("t", heard.transaction_id) if heard.transaction_id else ("s", heard.station_id)
        if heard.values.sent is None or key not in links:
            continue
        link_id, settings = links[key]
        if not _is_due(heard, settings):
            continue
        is_of_transaction = heard.transaction_id is not None
        payload = meter_message(heard.values.sent, heard.values, is_of_transaction=is_of_transaction)
        if payload is not None:
            rows.append((link_id, "MeterValues", payload, heard.transaction_id))
    enqueue_many(rows)


def _links_of(reports: Sequence[Heard]) -> dict[tuple[str, int], tuple[int, dict[str, str]]]:
    """Find the link of each transaction, and of each station that reports outside of one."""
    numbers = {heard.transaction_id for heard in reports if heard.transaction_id}
    told = CpoTransaction.objects.filter(transaction__in=numbers)
    columns = ("transaction_id", "link_id", "link__settings")
    found = {("t", number): (link_id, kept) for number, link_id, kept in told.values_list(*columns)}
    idle = {heard.station_id for heard in reports if not heard.transaction_id}
    for station in Station.objects.filter(Q(pk__in=idle), is_cpo_enabled=True) if idle else ():
        link = current_link(station)
        if link is not None:
            found["s", station.pk] = (link.pk, link.settings)
    return found


def _is_due(heard: Heard, settings: dict[str, str]) -> bool:
    """Say whether the operator wants these values: of the periodic ones some may be enough."""
    samples = heard.values.samples
    if not samples or any(sample.context != PERIODIC for sample in samples):
        return bool(samples)
    interval, at = sample_interval_s(settings), samples[-1].at
    if interval is None:
        return False
    key = heard.transaction_id or -heard.station_id
    last = _last_told.get(key)
    if last is not None and last <= at < last + interval:
        return False
    _last_told.pop(key, None)
    _last_told[key] = at
    if len(_last_told) > MOST_REMEMBERED:
        del _last_told[next(iter(_last_told))]
    return True
