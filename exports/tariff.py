"""What energy costs, by the time at which it was charged. Pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import NamedTuple

MINUTES_OF_DAY = 24 * 60
CENT = Decimal("0.01")
_SPAN = re.compile(r"(\d{1,2})[:h](\d{2})\s*[-–]\s*(\d{1,2})[:h](\d{2})")

Reading = tuple[datetime, int]
"""When, and what the meter showed then, Wh."""

Stretch = tuple[datetime, datetime]
"""From when until when."""


class NoTimes(Exception):
    """A text says no times of a day."""


class OffPeak(NamedTuple):
    """Times of each day, from one minute of it to another; one that ends before it begins goes over midnight."""

    spans: tuple[tuple[int, int], ...]

    def overlap(self, since: datetime, until: datetime, zone: tzinfo) -> timedelta:
        """Say how much of a stretch of time lies in them, by the clock in the garage."""
        return _overlap(self._moments(since, until, zone), since, until)

    def _moments(self, since: datetime, until: datetime, zone: tzinfo) -> list[Stretch]:
        """List when they begin and end round a stretch of time."""
        found = []
        day, last = since.astimezone(zone).date() - timedelta(days=1), until.astimezone(zone).date()
        while day <= last:
            for begin, end in self.spans:
                closes = _clock(day + timedelta(days=int(end <= begin)), end, zone)
                found.append((_clock(day, begin, zone), closes))
            day += timedelta(days=1)
        return found

    def share(self, readings: Sequence[Reading], zone: tzinfo) -> Decimal:
        """Say which part of the energy was charged in them; between two readings it counts as even."""
        total_wh = readings[-1][1] - readings[0][1]
        if total_wh <= 0:
            return Decimal(0)
        within_wh, moments = 0.0, self._moments(readings[0][0], readings[-1][0], zone)
        for (since, before_wh), (until, after_wh) in pairwise(readings):
            if until > since:
                within_wh += (after_wh - before_wh) * (_overlap(moments, since, until) / (until - since))
            elif any(opens <= since < closes for opens, closes in moments):
                within_wh += after_wh - before_wh
        return Decimal(within_wh) / total_wh


def _overlap(moments: Sequence[Stretch], since: datetime, until: datetime) -> timedelta:
    return sum((max(min(until, closes) - max(since, opens), timedelta()) for opens, closes in moments), timedelta())


def _clock(day: date, minute: int, zone: tzinfo) -> datetime:
    """Say when a clock shows a time, for the first time; one that it skips, when it skips it."""
    shown = datetime.combine(day, time(minute // 60, minute % 60), zone)
    at = shown.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return at
    at = shown.replace(fold=1).astimezone(UTC)  # before the clock is put forward
    before = at.astimezone(zone).utcoffset()
    while at.astimezone(zone).utcoffset() == before:
        at += timedelta(minutes=1)
    return at


def off_peak_of(text: str) -> OffPeak:
    """Read times such as 22:00-06:00, 12:30-14:30; raises NoTimes. They may not overlap."""
    spans = [_span(part) for part in re.split(r"[,;]", text) if part.strip()]
    minutes = [minute % MINUTES_OF_DAY for span in spans for minute in _minutes(span)]
    if len(minutes) != len(set(minutes)):
        raise NoTimes
    return OffPeak(tuple(spans))


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise NoTimes
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    begin, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or begin >= MINUTES_OF_DAY or end > MINUTES_OF_DAY:
        raise NoTimes
    if begin == end % MINUTES_OF_DAY:
        raise NoTimes
    return begin, end % MINUTES_OF_DAY


def _minutes(span: tuple[int, int]) -> Iterator[int]:
    begin, end = span
    yield from range(begin, end if end > begin else end + MINUTES_OF_DAY)


class Tariff(NamedTuple):
    """Price per kWh, and where there is one the price of off-peak times; None: energy has no price here."""

    currency: str
    price: Decimal | None
    off_peak_price: Decimal | None = None
    off_peak: OffPeak = OffPeak(())

    @property
    def has_two_prices(self) -> bool:
        """Say whether it matters when energy was charged."""
        return self.price is not None and self.off_peak_price is not None and bool(self.off_peak.spans)

    def cost(self, energy_wh: int, off_peak_wh: Decimal = Decimal(0)) -> Decimal | None:
        """Price a session, to the cent, so that all sums agree; None without a price."""
        if self.price is None:
            return None
        cheaper = Decimal(0) if self.off_peak_price is None else off_peak_wh * (self.price - self.off_peak_price)
        return ((energy_wh * self.price - cheaper) / 1000).quantize(CENT, ROUND_HALF_UP)
