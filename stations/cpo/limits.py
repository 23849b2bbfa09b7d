"""The limits an operator sets: charging profiles read and evaluated (OCPP 1.6 §3.13, §5.16, §7.8–7.14); pure.

Times are Unix seconds, limits A per phase. A profile that says nothing now (too early, run out, not valid) is no limit.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from typing import Any

from stations.ocpp16.profiles import NOMINAL_V, Purpose

RECURRENCE_S = {"Daily": 86_400.0, "Weekly": 604_800.0}
MOST_PERIODS = 100  # also of what is said (ChargingScheduleMaxPeriods)
MOST_EDGES, LONGEST_SAID_S = 1000, 604_800.0


class UnfitProfile(ValueError):
    """A charging profile that cannot be kept to; the message says why."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One charging profile as it bounds one connector; `connector` 0: all of the station.

    `anchor_at` is when the schedule begins where it names no time of its own: the start of the transaction
    (`follows_start`), or when the profile came.
    """

    connector: int
    purpose: Purpose
    stack_level: int
    periods: tuple[tuple[float, float], ...]  # from s, A
    anchor_at: float
    recurs_s: float | None = None
    duration_s: float = math.inf
    valid_from: float = -math.inf
    valid_to: float = math.inf
    follows_start: bool = False

    def limit_a(self, at: float) -> float | None:
        """Return what the profile allows at a time; None: it says nothing."""
        begin = self._begin(at)
        if not self.valid_from <= at < self.valid_to or not begin <= at < begin + self.duration_s:
            return None
        return self.periods[bisect_right(self.periods, at, key=lambda period: begin + period[0]) - 1][1]

    def _begin(self, at: float) -> float:
        """Return when the turn of the schedule that counts at a time began."""
        if self.recurs_s is None or at < self.anchor_at:
            return self.anchor_at
        return at - (at - self.anchor_at) % self.recurs_s

    def whenever_begun(self) -> "Limit":
        """Return the limit as it bounds a transaction that may begin at any time: by the least it says of it."""
        if not self.follows_start:
            return self
        least_a = min(amps for _from_s, amps in self.periods)
        return replace(self, periods=((0.0, least_a),), anchor_at=0.0, duration_s=math.inf)

    def edges(self, at: float) -> Iterator[float]:
        """List the times after `at` when the profile may say something else, in order; a recurring one has no end."""
        bounds = sorted((self.valid_from, self.valid_to))
        return (edge for edge in merge(bounds, self._turns(self._begin(at))) if edge > at)

    def _turns(self, begin: float) -> Iterator[float]:
        """List when the periods begin and the schedule ends, from the turn on that begins then."""
        starts = sorted({self.duration_s, *(from_s for from_s, _amps in self.periods)})
        within = [from_s for from_s in starts if 0 <= from_s < (self.recurs_s or math.inf)]
        yield from (begin + from_s for from_s in within)
        while self.recurs_s is not None:
            begin += self.recurs_s
            yield from (begin + from_s for from_s in within)


def read_limit(
    payload: Mapping[str, Any], *, connector: int, installed_at: float, charging_since: float | None, phases: int
) -> Limit:
    """Read a csChargingProfiles that fits its schema; watts become amperes at 230 V on the phases of the station.

    All of them, whatever numberPhases says: nothing keeps a car to fewer. Raises UnfitProfile.
    """
    schedule = payload["chargingSchedule"]
    kind, purpose = payload["chargingProfileKind"], Purpose(payload["chargingProfilePurpose"])
    starts_at = _time(schedule, "startSchedule")
    if kind == "Recurring" and (starts_at is None or payload.get("recurrencyKind") not in RECURRENCE_S):
        raise UnfitProfile("a recurring profile needs a recurrencyKind and a startSchedule")
    if kind == "Relative":
        starts_at = None
    relative_to = installed_at if purpose is Purpose.STATION or charging_since is None else charging_since
    is_per_phase = schedule["chargingRateUnit"] == "A"
    periods = []
    for period in schedule["chargingSchedulePeriod"]:
        amount = float(period["limit"])
        if not amount >= 0 or period["startPeriod"] < 0:
            raise UnfitProfile("limits and starts of periods must not be negative")
        periods.append((float(period["startPeriod"]), amount if is_per_phase else amount / (NOMINAL_V * phases)))
    if len(periods) > MOST_PERIODS:
        raise UnfitProfile(f"a schedule may have {MOST_PERIODS} periods")
    if not periods or periods[0][0] != 0 or sorted(periods, key=lambda period: period[0]) != periods:
        raise UnfitProfile("the periods must begin at 0 and follow each other")
    return Limit(
        connector=connector,
        purpose=purpose,
        stack_level=payload["stackLevel"],
        periods=tuple(periods),
        anchor_at=_or(starts_at, relative_to),
        recurs_s=RECURRENCE_S[payload["recurrencyKind"]] if kind == "Recurring" else None,
        duration_s=float(schedule.get("duration", math.inf)),
        valid_from=_or(_time(payload, "validFrom"), -math.inf),
        valid_to=_or(_time(payload, "validTo"), math.inf),
        follows_start=starts_at is None and purpose is not Purpose.STATION,
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _time(mapping: Mapping[str, Any], key: str) -> float | None:
    """Read a time; without zone it is UTC."""
    if mapping.get(key) is None:
        return None
    try:
        at = datetime.fromisoformat(mapping[key])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UnfitProfile(f"{key} is no time") from None


def cap_of(limits: Iterable[Limit], connector: int, at: float) -> float:
    """Return what a connector may draw: by the TxProfile, else by the TxDefaultProfile that counts.

    Of each purpose the highest level that says something now counts. On one level a default for the connector goes
    before one for the whole station (§3.13.3). A ChargePointMaxProfile bounds each connector, and all of them together
    (`station_cap`).
    """
    best: dict[Purpose, tuple[tuple[int, int], float]] = {}
    for limit in limits:
        if limit.connector not in (0, connector) or (amps := limit.limit_a(at)) is None:
            continue
        rank = (limit.stack_level, limit.connector)
        if limit.purpose not in best or best[limit.purpose][0] < rank:
            best[limit.purpose] = (rank, amps)
    own = best.get(Purpose.TRANSACTION) or best.get(Purpose.DEFAULT)
    whole = best.get(Purpose.STATION)
    return min(own[1] if own else math.inf, whole[1] if whole else math.inf)


def station_cap(limits: Iterable[Limit], at: float) -> float:
    """Return what all connectors of a station may draw together."""
    return cap_of((limit for limit in limits if limit.purpose is Purpose.STATION), 0, at)


def composite(
    limits: list[Limit], *, connector: int, maximum_a: float, begin_at: float, duration_s: float
) -> tuple[list[tuple[float, float]], float]:
    """Merge what bounds a connector into one schedule (§5.7): (s from the beginning, A), and for how long it holds, s.

    That is less than asked where it would have too many periods, or days.
    """
    own = [limit for limit in limits if limit.connector in (0, connector)]
    end_at = begin_at + min(duration_s, LONGEST_SAID_S)
    periods: list[tuple[float, float]] = []
    edges = merge([begin_at], *(limit.edges(begin_at) for limit in own))
    for count, (edge, _same) in enumerate(groupby(edges)):
        amps = min(maximum_a, cap_of(own, connector, edge))
        is_new = not periods or periods[-1][1] != amps
        if edge >= end_at or count == MOST_EDGES or (is_new and len(periods) == MOST_PERIODS):
            return periods, min(edge, end_at) - begin_at
        if is_new:
            periods.append((edge - begin_at, amps))
    return periods, end_at - begin_at
