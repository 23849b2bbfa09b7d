"""Keep what piles up no longer than it is wanted, in small bites: who else writes never waits for long."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from energy.means import MINUTE_S, QUARTER_S, rolled_until
from energy.models import Allocation, Reading, ReadingMean, Retention
from energy.signals import forgetting_values
from stations.message_log import old_frames
from stations.models import Connector, MeterValue, Transaction

KEPT = ("readings_days", "minutes_days", "quarters_days", "meter_values_days", "messages_days")
ROWS_AT_ONCE = 250
REST = 4  # times as long as a bite took
PRUNE_FOR_S = 2.0


def prune(*, now: datetime, for_s: float = PRUNE_FOR_S) -> bool:
    """Delete what is older than the settings say, for about so many seconds; returns whether something may be left."""
    began_at = time.monotonic()
    for rows in _outdated(Retention.get_solo(), now):
        while _bite(rows):
            if time.monotonic() - began_at >= for_s:
                return True
    return False


def _bite(rows: QuerySet[Any]) -> bool:
    """Delete the next few rows, then rest; returns whether there were any. Nothing is locked where there are none."""
    began_at = time.monotonic()
    keys = list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE])
    if not keys:
        return False
    if rows.model is MeterValue:
        _tell_before(keys)
    rows.model._default_manager.filter(pk__in=keys).delete()
    time.sleep(REST * (time.monotonic() - began_at))
    return True


def _tell_before(keys: list[int]) -> None:
    """Let whoever needs the meter values of these transactions take what they tell: they are about to be deleted."""
    of_transactions = MeterValue.objects.filter(pk__in=keys, transaction__isnull=False)
    transaction_ids = list(of_transactions.order_by("transaction").values_list("transaction", flat=True).distinct())
    if transaction_ids:
        forgetting_values.send(MeterValue, transaction_ids=transaction_ids)


def _outdated(kept: Retention, now: datetime) -> Iterator[QuerySet[Any]]:
    """List what is too old, kind by kind.

    A reading stays until its mean is written, the newest limit of a connector always, and so do the values of a
    charging that runs: its end may have to be estimated from them.
    """
    minute, quarter = rolled_until(MINUTE_S, now), rolled_until(QUARTER_S, now)
    minutes = ReadingMean.objects.order_by("begins_at")
    if minute is not None:
        yield Reading.objects.filter(at__lt=min(minute, now - timedelta(days=kept.readings_days))).order_by("at")
    if quarter is not None:
        before = min(quarter, now - timedelta(days=kept.minutes_days))
        yield minutes.filter(span_s=MINUTE_S, begins_at__lt=before)
    yield minutes.filter(span_s=QUARTER_S, begins_at__lt=now - timedelta(days=kept.quarters_days))
    yield old_frames(days=kept.messages_days)
    before = now - timedelta(days=kept.meter_values_days)
    running = Transaction.objects.filter(stopped_at=None)
    for connector in Connector.objects.order_by("pk").values_list("pk", flat=True):
        values = MeterValue.objects.filter(connector=connector, measured_at__lt=before)
        yield values.exclude(transaction__in=running)
        told = Allocation.objects.filter(connector=connector)
        newest = told.order_by("-decided_at", "-pk").values("pk")[:1]
        yield told.filter(decided_at__lt=before).exclude(pk__in=newest)
