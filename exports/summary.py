"""What was charged in a period, per badge and per station, and what it costs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from exports.columns import Row, defuse, write_energy
from exports.models import ExportSettings
from exports.period import Period
from exports.rows import pages_of, rows_of
from exports.tariff import Reading, Tariff, off_peak_of
from stations.models import MeterValue


@dataclass(slots=True)
class Sum:
    """What one badge or station charged.

    `unknown` counts sessions whose energy is not known: they cost nothing yet; `estimated` those whose off-peak part no
    meter value tells.
    """

    key: str
    name: str
    sessions: int = 0
    unknown: int = 0
    estimated: int = 0
    energy_wh: int = 0
    cost: Decimal = Decimal(0)

    def add(self, row: Row, cost: Decimal | None, *, is_estimated: bool) -> None:
        """Count one session."""
        self.sessions += 1
        self.estimated += is_estimated
        self.unknown += row.energy_wh is None
        self.energy_wh += row.energy_wh or 0
        self.cost += cost or 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The sums of a period; `tariff` has no price where energy has none."""

    period: Period
    tariff: Tariff
    total: Sum
    badges: list[Sum]
    stations: list[Sum]


def tariff() -> Tariff:
    """Return what energy costs here."""
    settings = ExportSettings.get_solo()
    off_peak = off_peak_of(settings.off_peak_times)
    return Tariff(settings.currency, settings.price, settings.off_peak_price, off_peak)


def summarise(period: Period) -> Summary:
    """Add up the sessions that began in a period."""
    prices = tariff()
    total, badges, stations = Sum("", ""), dict[str, Sum](), dict[str, Sum]()
    for page in pages_of(rows_of(period)):
        off_peak = _off_peak(page, prices, period) if prices.has_two_prices else {}
        for row in page:
            cheap_wh, is_estimated = off_peak.get(row, (Decimal(0), False))
            cost = prices.cost(row.energy_wh or 0, cheap_wh)
            for sums, key, name in (
                (badges, row.id_tag.upper(), row.badge_name),
                (stations, row.mac_address or row.station, row.station),
            ):
                found = sums.setdefault(key, Sum(row.id_tag if sums is badges else row.mac_address, name))
                found.name = name or found.name
                found.add(row, cost, is_estimated=is_estimated)
            total.add(row, cost, is_estimated=is_estimated)
    return Summary(period, prices, total, _ordered(badges.values()), _ordered(stations.values()))


def _ordered(sums: Iterable[Sum]) -> list[Sum]:
    return sorted(sums, key=lambda one: (one.name.casefold(), one.key.casefold()))


def _off_peak(page: list[Row], prices: Tariff, period: Period) -> dict[Row, tuple[Decimal, bool]]:
    """Say of sessions how much of their energy, Wh, was charged in off-peak times, and whether that is estimated."""
    found, split = {}, []
    for row in page:
        if row.energy_wh and row.stopped_at is not None:
            within = prices.off_peak.overlap(row.started_at, row.stopped_at, period.zone)
            if within >= row.stopped_at - row.started_at > timedelta():
                found[row] = Decimal(row.energy_wh), False
            elif within or row.stopped_at == row.started_at:
                split.append(row)
    measured = _measured([row.pk for row in split if row.pk is not None])
    for row in split:
        readings = _readings(row, measured.get(row.pk, []))
        is_estimated = len(readings) == 2 and row.stopped_at != row.started_at
        found[row] = prices.off_peak.share(readings, period.zone) * (row.energy_wh or 0), is_estimated
    return found


def _measured(numbers: list[int]) -> dict[int | None, list[Reading]]:
    """Return what the stations' meters showed during transactions."""
    values = MeterValue.objects.filter(transaction_id__in=numbers).order_by("transaction_id", "measured_at", "pk")
    found = values.values_list("transaction_id", "measured_at", "energy_wh").iterator()
    return {
        number: [(at, wh) for _number, at, wh in group if wh is not None]
        for number, group in groupby(found, key=itemgetter(0))
    }


def _readings(row: Row, measured: list[Reading]) -> list[Reading]:
    """Give the meter from 0 at the beginning to the energy of a session at its end, rising, as far as it was read."""
    energy_wh, end = row.energy_wh or 0, row.stopped_at or row.started_at
    readings = [(row.started_at, 0)]
    base_wh = row.meter_start_wh
    for at, wh in measured:
        if readings[-1][0] <= at <= end and readings[-1][1] <= wh - base_wh <= energy_wh:
            readings.append((at, wh - base_wh))
    return [*readings, (end, energy_wh)]


def summary_lines(summary: Summary) -> Iterator[tuple[str, ...]]:
    """Give a summary as lines for a file: first the badges, then the stations, then all."""
    counted = "transactions", "transactionsWithoutEnergy", "energyChargedKwh"
    yield ("summary", "id", "name", *counted, "cost", "currency", "transactionsEstimated")
    for kind, sums in (("badge", summary.badges), ("evcs", summary.stations), ("total", [summary.total])):
        for one in sums:
            price = ("", "") if summary.tariff.price is None else (f"{one.cost:f}", summary.tariff.currency)
            counts = str(one.sessions), str(one.unknown), write_energy(one.energy_wh)
            yield (kind, defuse(one.key), defuse(one.name), *counts, *price, str(one.estimated))
