"""What was charged in a period, per badge and per station, and what it costs: added up by the database."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Q, QuerySet, Sum, Value

from badges.models import Badge
from exports.columns import defuse, write_energy
from exports.models import ImportedTransaction
from exports.off_peak import ENDED, Ended, Split, is_kept, splits_of, tariff
from exports.one_moment import one_moment
from exports.period import Period
from exports.tariff import CENT, Tariff
from stations.models import Connector, Transaction

LARGEST_WH = 2**31  # what is more, no car took: it is priced one by one, where whole numbers do not overflow
PAGE = 500
COLUMNS_OF = {False: ("connector",), True: ("station_identity", "station_name", "station_mac_address")}  # deleted: True


class Who(NamedTuple):
    """A badge or a station: what makes it this one and no other, its number or MAC address, and its name."""

    key: str
    id: str
    name: str


class Part(NamedTuple):
    """What some sessions of one badge at one station charged."""

    badge: Who
    station: Who
    sessions: int
    unknown: int
    energy_wh: int
    cost: Decimal
    estimated: int = 0
    older: int = 0


@dataclass(slots=True)
class Total:
    """What one badge or station charged.

    `unknown` counts sessions whose energy is not known: they cost nothing yet; `estimated` those whose off-peak part no
    meter value tells; `older` those split by earlier off-peak times, as their meter values are deleted.
    """

    key: str
    name: str
    sessions: int = 0
    unknown: int = 0
    estimated: int = 0
    older: int = 0
    energy_wh: int = 0
    cost: Decimal = Decimal(0)

    def add(self, part: Part) -> None:
        """Count some sessions."""
        self.sessions += part.sessions
        self.unknown += part.unknown
        self.estimated += part.estimated
        self.older += part.older
        self.energy_wh += part.energy_wh
        self.cost += part.cost


@dataclass(frozen=True, slots=True)
class Summary:
    """The sums of a period; `tariff` has no price where energy has none."""

    period: Period
    tariff: Tariff
    total: Total
    badges: list[Total]
    stations: list[Total]


class NotSplitYet(Exception):
    """The off-peak times have changed, and not all sessions are split by them yet: `done` of `total` are."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(f"{done} of {total}")
        self.done, self.total = done, total

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 * self.done // self.total


class _Session(NamedTuple):
    """One that is priced by itself; `ended` is None where its end is not known."""

    badge: Who
    station: Who
    energy_wh: int | None
    ended: Ended | None


class _Names:
    """Who charged where, as they are called now, or were when they were deleted."""

    def __init__(self) -> None:
        self._stations = _stations()
        self._by_address = {one.id.lower(): one for one in reversed(self._stations.values())}
        self._comments = dict(Badge.objects.exclude(comment="").values_list("pk", "comment"))

    def ours(self, id_tag: str, badge: int | None, *place: Any) -> tuple[Who, Who]:
        """Name who charged: at a connector, or at a station that was deleted (see COLUMNS_OF)."""
        station = self._stations[place[0]] if len(place) == 1 else self._deleted(*place)
        return _badge(id_tag, self._comments.get(badge or 0, "")), station

    def _deleted(self, *told: str) -> Who:
        """Name a station that was deleted: what an old device tells of its address is still of it."""
        station = _station(*told)
        self._by_address.setdefault(station.id.lower(), station)
        return station

    def old(self, id_tag: str, badge_name: str, address: str, name: str) -> tuple[Who, Who]:
        """Name who charged as an old device tells it, after all of `ours`: the address says which station that is."""
        here = self._by_address.get(address.lower()) if address else None
        return _badge(id_tag, badge_name), here or Who(address.lower() or f"name {name}", address, name)


def _stations() -> dict[int, Who]:
    """Name the station of each connector."""
    of_station = "station__identity", "station__name", "station__mac_address"
    connectors = Connector.objects.order_by("station__identity", "pk").values_list("pk", *of_station)
    return {pk: _station(*told) for pk, *told in connectors}


def _badge(id_tag: str, name: str) -> Who:
    return Who(id_tag.strip().upper(), id_tag, name)


def _station(identity: str, name: str, address: str) -> Who:
    return Who(f"identity {identity}", address or identity, name or identity)


def summarise(period: Period, *, at_most: int | None = None) -> Summary:
    """Add up the sessions that began in a period.

    Raises NotSplitYet where more than `at_most` would have to be looked at one by one.
    """
    prices = tariff()
    with one_moment():
        return add_up(period, prices, at_most=at_most)


def add_up(period: Period, prices: Tariff, *, at_most: int | None = None) -> Summary:
    """Add them up within the caller's `one_moment`: else what ends or is split between two statements is in neither.

    `prices` are asked for before it, as their row may have to be written.
    """
    names = _Names()
    begun = Transaction.objects.filter(started_at__gte=period.since, started_at__lt=period.until)
    hours = prices.off_peak.hours_in(period.zone)
    is_known = Q(meter_stop_wh__lte=F("meter_start_wh") + LARGEST_WH)
    if prices.has_two_prices:
        is_known &= is_kept(hours)
    parts = list(_added_up(begun.filter(is_known), prices, hours, names))
    count = begun.count()
    rest = count - sum(part.sessions for part in parts)
    if at_most is not None and rest > at_most:
        raise NotSplitYet(count - rest, count)
    if rest > 0:  # most often the newest: the search ends with the last of them
        left = begun.exclude(is_known).order_by("-started_at")
        parts += _priced(_singly(left, rest, names), prices, period)
    parts += _priced(_imported(period, names), prices, period)
    return _summary(parts, prices, period)


def _added_up(begun: QuerySet[Transaction], prices: Tariff, hours: str, names: _Names) -> Iterator[Part]:
    """Let the database add up sessions, each rounded to the cent as `Tariff.cost` does it."""
    energy_wh: Any = F("meter_stop_wh") - F("meter_start_wh")
    sums: dict[str, Any] = {"count": Count("pk"), "wh": Sum(_whole(energy_wh))}
    if prices.price is not None:
        scaled = energy_wh * _hundred_thousandths(prices.price)
        if prices.has_two_prices:
            cheaper = _hundred_thousandths(prices.price) - _hundred_thousandths(prices.off_peak_price or Decimal(0))
            scaled -= F("off_peak__off_peak_wh") * cheaper
            sums["estimated"] = Count("pk", filter=Q(off_peak__is_estimated=True))
            sums["older"] = Count("pk", filter=~Q(off_peak__hours=hours))
        sums["cents"] = Sum(_whole((scaled + 500_000) / Value(1_000_000)))
    for is_deleted, columns in COLUMNS_OF.items():
        there = begun.filter(connector__isnull=is_deleted).order_by()
        for told in there.values(*columns, "badge", "id_tag").annotate(**sums):
            badge, station = names.ours(told["id_tag"], told["badge"], *(told[column] for column in columns))
            cost = told.get("cents", 0) * CENT
            estimated, older = told.get("estimated", 0), told.get("older", 0)
            yield Part(badge, station, told["count"], 0, told["wh"], cost, estimated, older)


def _whole(expression: Any) -> Any:
    return ExpressionWrapper(expression, BigIntegerField())


def _hundred_thousandths(price: Decimal) -> int:
    return int(price * 100_000)


def _singly(left: QuerySet[Transaction], count: int, names: _Names) -> Iterator[_Session]:
    """Read sessions that the database cannot add up: those that run, those whose off-peak energy is not kept."""
    for is_deleted, columns in COLUMNS_OF.items():
        there = left.filter(connector__isnull=is_deleted)
        rows = there.values_list("pk", *ENDED, "meter_stop_wh", "id_tag", "badge", *columns)[:count]
        for pk, started_at, stopped_at, start_wh, stop_wh, *who in rows.iterator(PAGE):
            energy_wh = None if stop_wh is None else stop_wh - start_wh
            ended = stopped_at and Ended(pk, started_at, stopped_at, start_wh, energy_wh or 0)
            yield _Session(*names.ours(*who), energy_wh, ended)


def _imported(period: Period, names: _Names) -> Iterator[_Session]:
    """Read the sessions of an old device."""
    begun = ImportedTransaction.objects.filter(started_at__gte=period.since, started_at__lt=period.until)
    columns = "started_at", "stopped_at", "energy_wh", "id_tag", "badge_name", "station_mac_address", "station_name"
    rows = begun.order_by("-started_at", "-pk").values_list(*columns)
    for started_at, stopped_at, energy_wh, *who in rows.iterator(PAGE):
        ended = stopped_at and Ended(0, started_at, stopped_at, 0, energy_wh or 0)
        yield _Session(*names.old(*who), energy_wh, ended)


def _priced(sessions: Iterator[_Session], prices: Tariff, period: Period) -> Iterator[Part]:
    """Price sessions one by one."""
    while page := list(islice(sessions, PAGE)):
        splits: Iterator[Split] = iter(())
        if prices.has_two_prices:
            splits = iter(splits_of([one.ended for one in page if one.ended], prices.off_peak, period.zone))
        for one in page:
            energy_wh = one.energy_wh or 0
            unsplit = Split(0, is_estimated=prices.has_two_prices and energy_wh > 0)
            split = next(splits, unsplit) if one.ended else unsplit
            cost = prices.cost(energy_wh, split.off_peak_wh) or Decimal(0)
            yield Part(one.badge, one.station, 1, int(one.energy_wh is None), energy_wh, cost, int(split.is_estimated))


def _summary(parts: Iterable[Part], prices: Tariff, period: Period) -> Summary:
    """Gather parts per badge and per station; of names the first counts."""
    total, badges, stations = Total("", ""), dict[str, Total](), dict[str, Total]()
    for part in parts:
        for totals, who in ((badges, part.badge), (stations, part.station)):
            found = totals.setdefault(who.key, Total(who.id, who.name))
            found.name = found.name or who.name
            found.add(part)
        total.add(part)
    return Summary(period, prices, total, _ordered(badges), _ordered(stations))


def _ordered(totals: dict[str, Total]) -> list[Total]:
    return sorted(totals.values(), key=lambda one: (one.name.casefold(), one.key.casefold()))


def summary_lines(summary: Summary) -> Iterator[tuple[str, ...]]:
    """Give a summary as lines for a file: first the badges, then the stations, then all."""
    counted = "transactions", "transactionsWithoutEnergy", "energyChargedKwh"
    yield ("summary", "id", "name", *counted, "cost", "currency", "transactionsEstimated")
    for kind, totals in (("badge", summary.badges), ("evcs", summary.stations), ("total", [summary.total])):
        for one in totals:
            price = ("", "") if summary.tariff.price is None else (f"{one.cost:.2f}", summary.tariff.currency)
            counts = str(one.sessions), str(one.unknown), write_energy(one.energy_wh)
            yield (kind, defuse(one.key), defuse(one.name), *counts, *price, str(one.estimated))
