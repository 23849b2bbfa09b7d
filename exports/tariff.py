"""What energy costs, by the time at which it was charged. Pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import NamedTuple

MINUTES_OF_DAY = 24 * 60
CENT = Decimal("0.01")
_DAY, _SECOND, _MICROSECOND = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)
_SPAN = re.compile(r"(\d{1,2})[:h](\d{2})\s*[-–]\s*(\d{1,2})[:h](\d{2})")

Reading = tuple[datetime, int]
"""When, and what the meter showed then, Wh."""

Stretch = tuple[datetime, datetime]
"""From when until when."""


class NoTimes(Exception):
    """A text says no times of a day."""


class OffPeak(NamedTuple):
    """Times of each day, from one minute of it to another; one that ends before it begins goes over midnight.

    A moment is off-peak where the clock in the garage shows a time in them: when summer time ends, an hour comes twice.
    """

    spans: tuple[tuple[int, int], ...]

    def hours_in(self, zone: tzinfo) -> str:
        """Name them with the clock they are read on: what was found by other hours does not hold."""
        written = (
            f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}" for begin, end in sorted(self.spans)
        )
        return f"{','.join(written)} {zone}"

    def overlap(self, since: datetime, until: datetime, zone: tzinfo) -> timedelta:
        """Say how much of a stretch of time lies in them."""
        return _overlap(self._moments(since, until, zone), since, until)

    def wh_within(self, readings: Sequence[Reading], zone: tzinfo) -> int:
        """Say how much energy was charged in them, Wh; between two readings it counts as even."""
        within_wh, moments = Decimal(0), self._moments(readings[0][0], readings[-1][0], zone)
        for (since, before_wh), (until, after_wh) in pairwise(readings):
            if until > since:
                overlap_us, whole_us = _overlap(moments, since, until) // _MICROSECOND, (until - since) // _MICROSECOND
                within_wh += Decimal((after_wh - before_wh) * overlap_us) / whole_us
            elif any(opens <= since < closes for opens, closes in moments):
                within_wh += after_wh - before_wh
        return int(within_wh.to_integral_value(ROUND_HALF_UP))

    def _moments(self, since: datetime, until: datetime, zone: tzinfo) -> list[Stretch]:
        """List when they begin and end round a stretch of time, both its ends included."""
        found = []
        for begin, end, ahead in _steady(since.astimezone(UTC), until.astimezone(UTC) + _MICROSECOND, zone):
            shown, shown_last = begin + ahead, end + ahead
            midnight = datetime.combine(shown.date() - _DAY, time(), UTC)
            while midnight < shown_last:
                for opens, closes in self.spans:
                    length = timedelta(minutes=(closes - opens) % MINUTES_OF_DAY)
                    at = midnight + timedelta(minutes=opens)
                    if at < shown_last and at + length > shown:
                        found.append((max(at, shown) - ahead, min(at + length, shown_last) - ahead))
                midnight += _DAY
        return found


def _shown(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _steady(since: datetime, until: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Cut a stretch of time, UTC, where the clock is changed, and tell how far it is ahead of UTC in each piece."""
    while since < until:
        end, ahead = min(since + _DAY, until), _ahead(since, zone)
        if _ahead(end, zone) != ahead:
            first, end = since.replace(microsecond=0), end.replace(microsecond=0)  # clocks change at whole seconds
            while end - first > _SECOND:
                middle = first + (end - first) // (2 * _SECOND) * _SECOND
                first, end = (middle, end) if _ahead(middle, zone) == ahead else (first, middle)
        yield since, end, ahead
        since = end


def _ahead(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _overlap(moments: Sequence[Stretch], since: datetime, until: datetime) -> timedelta:
    return sum((max(min(until, closes) - max(since, opens), timedelta()) for opens, closes in moments), timedelta())


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

    def cost(self, energy_wh: int, off_peak_wh: int = 0) -> Decimal | None:
        """Price a session, to the cent, so that all sums agree; None without a price."""
        if self.price is None:
            return None
        cheaper = Decimal(0) if self.off_peak_price is None else off_peak_wh * (self.price - self.off_peak_price)
        return ((energy_wh * self.price - cheaper) / 1000).quantize(CENT, ROUND_HALF_UP)
