"""How much of a session was charged in off-peak times: told by its meter values, and kept before they are deleted."""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from celery import current_app
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from exports.models import ExportSettings, OffPeakEnergy
from exports.tariff import OffPeak, Reading, Tariff, off_peak_of
from stations.models import MeterValue, Transaction

logger = logging.getLogger(__name__)

PAGE = 200
ENDED = "started_at", "stopped_at", "meter_start_wh"
SLICE_S = 1.0
SETTLED_AFTER = timedelta(days=1)  # meter values may come late; what comes later than that no longer counts


class Ended(NamedTuple):
    """A session that has ended; `pk` is that of its transaction, 0 for one of an old device."""

    pk: int
    started_at: datetime
    stopped_at: datetime
    meter_start_wh: int
    energy_wh: int


class Split(NamedTuple):
    """How much of its energy was charged off-peak, and whether that is estimated: no meter value tells it."""

    off_peak_wh: int
    is_estimated: bool


def tariff() -> Tariff:
    """Return what energy costs here."""
    settings = ExportSettings.get_solo()
    off_peak = off_peak_of(settings.off_peak_times)
    return Tariff(settings.currency, settings.price, settings.off_peak_price, off_peak)


def splits_of(sessions: Sequence[Ended], off_peak: OffPeak, zone: tzinfo) -> list[Split]:
    """Split the energy of some sessions, in the same order, by their meter values where their time alone does not."""
    found = [_plain(one, off_peak, zone) for one in sessions]
    measured = _measured(one.pk for one, split in zip(sessions, found, strict=True) if split is None)
    both = zip(sessions, found, strict=True)
    return [split or _split(one, measured.get(one.pk, []), off_peak, zone) for one, split in both]


def _plain(one: Ended, off_peak: OffPeak, zone: tzinfo) -> Split | None:
    """Split what charged wholly within off-peak times, wholly outside, or nothing; None for all else."""
    within, whole = off_peak.overlap(one.started_at, one.stopped_at, zone), one.stopped_at - one.started_at
    if one.energy_wh and (not whole or timedelta() < within < whole):
        return None
    return Split(one.energy_wh if within else 0, is_estimated=False)


def _measured(numbers: Iterable[int]) -> dict[int | None, list[Reading]]:
    """Return what the stations' meters showed during transactions."""
    wanted = [number for number in numbers if number]
    values = MeterValue.objects.filter(transaction_id__in=wanted).order_by("transaction_id", "measured_at", "pk")
    found = values.values_list("transaction_id", "measured_at", "energy_wh").iterator()
    return {
        number: [(at, wh) for _number, at, wh in group if wh is not None]
        for number, group in groupby(found, key=itemgetter(0))
    }


def _split(one: Ended, measured: Sequence[Reading], off_peak: OffPeak, zone: tzinfo) -> Split:
    """Follow the meter from 0 at the beginning to the energy of a session at its end, rising, as far as it was read."""
    readings = [(one.started_at, 0)]
    for at, meter_wh in measured:
        wh = meter_wh - one.meter_start_wh
        if readings[-1][0] <= at <= one.stopped_at and readings[-1][1] <= wh <= one.energy_wh:
            readings.append((at, wh))
    is_estimated = len(readings) == 1 and one.stopped_at > one.started_at
    return Split(off_peak.wh_within([*readings, (one.stopped_at, one.energy_wh)], zone), is_estimated)


def is_kept(hours: str) -> Q:
    """Match transactions whose off-peak energy is kept: for these hours, or for older where it can't be found anew."""
    as_it_ended = Q(off_peak__energy_wh=F("meter_stop_wh") - F("meter_start_wh"), off_peak__stopped_at=F("stopped_at"))
    return as_it_ended & (Q(off_peak__hours=hours) | Q(off_peak__is_final=True))


def ask_to_keep() -> None:
    """Have the worker keep the off-peak energy of what ended; where the broker is away, the next hour does."""
    try:
        current_app.send_task("exports.tasks.keep_off_peak", retry=False)
    except OperationalError:
        logger.warning("The broker is away: off-peak energy is looked up within the hour")


def keep_on(*, after: int = 0) -> int | None:
    """Keep the off-peak energy of what ended, for about a second, in the order of numbers.

    Returns the number it came to, None at the end. Where there is one price all day, nothing is kept.
    """
    prices, zone = tariff(), timezone.get_current_timezone()
    until = time.monotonic() + SLICE_S
    if not prices.has_two_prices:
        return None
    settled = Transaction.objects.filter(stopped_at__lt=timezone.now() - SETTLED_AFTER)
    while page := _due(settled.filter(pk__gt=after), prices, zone):
        _keep(page, prices, zone, is_final=False)
        after = page[-1].pk
        if time.monotonic() >= until:
            return after
    return None


def keep_for_good(*, transaction_ids: Sequence[int]) -> None:
    """Keep the off-peak energy of transactions whose meter values are about to be deleted."""
    prices, zone = tariff(), timezone.get_current_timezone()
    if prices.has_two_prices:
        while page := _due(Transaction.objects.filter(pk__in=transaction_ids), prices, zone):
            _keep(page, prices, zone, is_final=True)
    kept = OffPeakEnergy.objects.filter(pk__in=transaction_ids, is_final=False)
    if kept.exists():
        kept.update(is_final=True)


def _due(begun: QuerySet[Transaction], prices: Tariff, zone: tzinfo) -> list[Ended]:
    """Read the next ended sessions whose off-peak energy is to be found."""
    ended = begun.filter(stopped_at__isnull=False, meter_stop_wh__isnull=False).order_by("pk")
    energy_wh = F("meter_stop_wh") - F("meter_start_wh")
    due = ended.exclude(is_kept(prices.off_peak.hours_in(zone))).values_list("pk", *ENDED, energy_wh)
    return [Ended(*row) for row in due[:PAGE]]


def _keep(sessions: Sequence[Ended], prices: Tariff, zone: tzinfo, *, is_final: bool) -> None:
    """Find and write their off-peak energy; what is final stays so."""
    hours = prices.off_peak.hours_in(zone)
    changed = ["energy_wh", "stopped_at", "hours", "off_peak_wh", "is_estimated"]
    OffPeakEnergy.objects.bulk_create(
        (
            OffPeakEnergy(
                transaction_id=one.pk,
                energy_wh=one.energy_wh,
                stopped_at=one.stopped_at,
                hours=hours,
                off_peak_wh=split.off_peak_wh,
                is_estimated=split.is_estimated,
                is_final=is_final,
            )
            for one, split in zip(sessions, splits_of(sessions, prices.off_peak, zone), strict=True)
        ),
        update_conflicts=True,
        unique_fields=["transaction"],
        update_fields=[*changed, "is_final"] if is_final else changed,
    )
