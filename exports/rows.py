"""The rows of an export: transactions and those of an old device, in the order in which they began."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Q

from exports.columns import Row
from exports.models import ImportedTransaction
from exports.period import Period
from stations.models import Transaction

PAGE = 1000
_OWN = (
    "pk",
    "started_at",
    "stopped_at",
    "meter_start_wh",
    "meter_stop_wh",
    "id_tag",
    "badge__comment",
    "station_identity",
    "station_name",
    "station_mac_address",
    "connector__station__identity",
    "connector__station__name",
    "connector__station__mac_address",
)
_IMPORTED = (
    "pk",
    "started_at",
    "stopped_at",
    "number",
    "energy_wh",
    "id_tag",
    "badge_name",
    "station_name",
    "station_mac_address",
)


def rows_of(period: Period) -> Iterator[Row]:
    """Give what began in a period, a page at a time: no statement stays open, however long the reader takes."""
    own = _paged(Transaction.objects, _OWN, _own_row, period)
    imported = _paged(ImportedTransaction.objects, _IMPORTED, _imported_row, period)
    return heapq.merge(own, imported, key=lambda row: row[:2])


def pages_of(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Gather rows into pages."""
    while page := list(islice(rows, PAGE)):
        yield page


def _paged(manager: Any, columns: tuple[str, ...], read: Callable[..., Row], period: Period) -> Iterator[Row]:
    within = manager.filter(started_at__lt=period.until).order_by("started_at", "pk").values_list(*columns)
    rest = within.filter(started_at__gte=period.since)
    while page := list(rest[:PAGE]):
        for values in page:
            yield read(*values)
        pk, started_at = page[-1][:2]
        rest = within.filter(started_at__gte=started_at).exclude(Q(started_at=started_at, pk__lte=pk))


def _own_row(
    pk: int,
    started_at: datetime,
    stopped_at: datetime | None,
    start_wh: int,
    stop_wh: int | None,
    id_tag: str,
    comment: str | None,
    *places: str | None,
) -> Row:
    was, now = places[:3], places[3:]
    identity, name, mac_address = was if now[0] is None else now
    energy_wh = None if stop_wh is None else stop_wh - start_wh
    station = name or identity or ""
    return Row(started_at, pk, stopped_at, mac_address or "", station, id_tag, comment or "", energy_wh, pk, start_wh)


def _imported_row(
    _pk: int,
    started_at: datetime,
    stopped_at: datetime | None,
    number: int,
    energy_wh: int | None,
    id_tag: str,
    badge_name: str,
    station_name: str,
    mac_address: str,
) -> Row:
    return Row(started_at, number, stopped_at, mac_address, station_name, id_tag, badge_name, energy_wh, None)
