"""Charging profiles as a station keeps and evaluates them (OCPP 1.6 §3.13, §7.8–7.14); pure, times are unix seconds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .timestamps import parse_time

VOLTAGE_V = 230.0
MAXIMUM, DEFAULT, TRANSACTION = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
PURPOSES = (MAXIMUM, DEFAULT, TRANSACTION)
KINDS = ("Absolute", "Recurring", "Relative")
RECURRENCE_S = {"Daily": 86_400.0, "Weekly": 604_800.0}


class ProfileError(ValueError):
    """A charging profile that cannot be read."""


@dataclass(frozen=True, slots=True)
class Period:
    """One step of a schedule; it lasts until the next one starts."""

    start_s: float
    limit_a: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile with its limits turned into amperes per phase."""

    id: int
    stack_level: int
    purpose: str
    kind: str
    unit: str
    periods: tuple[Period, ...]
    installed_at: float
    recurrence_s: float | None = None
    start_at: float | None = None
    duration_s: float | None = None
    valid_from: float = -math.inf
    valid_to: float = math.inf
    transaction_id: int | None = None

    def begin(self, now: float, charging_since: float | None) -> float:
        """Find when the schedule that matters at `now` began or begins.

        Without a startSchedule, and for Relative profiles, that is the start of the transaction (§7.13), or, where
        there is none to refer to, the moment the profile arrived.
        """
        if self.kind == "Relative" or self.start_at is None:
            return self.installed_at if self.purpose == MAXIMUM or charging_since is None else charging_since
        if self.recurrence_s is None:
            return self.start_at
        return self.start_at + max(0, math.floor((now - self.start_at) / self.recurrence_s)) * self.recurrence_s

    def limit_a(self, now: float, charging_since: float | None) -> float | None:
        """Tell the limit at `now`, or None while the profile says nothing: too early, run out, not valid."""
        begin = self.begin(now, charging_since)
        if not self.valid_from <= now < self.valid_to or now < begin:
            return None
        if self.duration_s is not None and now >= begin + self.duration_s:
            return None
        limit = None
        for period in self.periods:
            if begin + period.start_s <= now:
                limit = period.limit_a
        return limit

    def edges(self, now: float, charging_since: float | None) -> Iterator[float]:
        """List the times at which what `limit_a` says may change."""
        begin = self.begin(now, charging_since)
        yield self.valid_from
        yield self.valid_to
        for period in self.periods:
            yield begin + period.start_s
        if self.duration_s is not None:
            yield begin + self.duration_s
        if self.recurrence_s is not None:
            yield begin + self.recurrence_s


def read_profile(payload: Mapping[str, Any], *, now: float) -> Profile:
    """Read a `csChargingProfiles` object; watts become 230 V × phases, three phases unless told (§7.14).

    Raises ProfileError naming what is missing or wrong.
    """
    try:
        schedule = payload["chargingSchedule"]
        unit = str(schedule["chargingRateUnit"])
        periods = tuple(
            Period(float(period["startPeriod"]), _limit_a(period, unit))
            for period in schedule["chargingSchedulePeriod"]
        )
        profile = Profile(
            id=int(payload["chargingProfileId"]),
            stack_level=int(payload["stackLevel"]),
            purpose=str(payload["chargingProfilePurpose"]),
            kind=str(payload["chargingProfileKind"]),
            unit=unit,
            periods=periods,
            installed_at=now,
            recurrence_s=RECURRENCE_S[payload.get("recurrencyKind", "Daily")]
            if payload["chargingProfileKind"] == "Recurring"
            else None,
            start_at=_time(schedule, "startSchedule"),
            duration_s=float(schedule["duration"]) if "duration" in schedule else None,
            valid_from=-math.inf if (since := _time(payload, "validFrom")) is None else since,
            valid_to=math.inf if (until := _time(payload, "validTo")) is None else until,
            transaction_id=payload.get("transactionId"),
        )
    except KeyError as error:
        raise ProfileError(f"charging profile: {error} is missing or not known") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"charging profile: {error}") from error
    if profile.purpose not in PURPOSES or profile.kind not in KINDS or not periods:
        raise ProfileError(
            f"charging profile: expected a purpose of {PURPOSES}, a kind of {KINDS} and at least one period, "
            f"got {profile.purpose}, {profile.kind}, {len(periods)} periods"
        )
    return profile


def _limit_a(period: Mapping[str, Any], unit: str) -> float:
    limit = float(period["limit"])
    if not limit >= 0:
        raise ValueError(f"expected a limit of 0 or more, got {limit}")
    if unit == "A":
        return limit
    if unit == "W":
        return limit / (VOLTAGE_V * int(period.get("numberPhases", 3)))
    raise ValueError(f"expected the unit A or W, got {unit}")


def _time(mapping: Mapping[str, Any], key: str) -> float | None:
    return parse_time(mapping[key]) if key in mapping else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the profiles of a connector say at one moment, in A per phase; None is no limit."""

    station_a: float | None
    transaction_a: float | None
    until: float

    def least(self, maximum_a: float) -> float:
        """Tell the lowest of both limits and the given maximum."""
        limits_a = (maximum_a, self.station_a, self.transaction_a)
        return min(limit_a for limit_a in limits_a if limit_a is not None)


class ProfileStore:
    """The charging profiles of one station, by connector; connector 0 is the station itself."""

    def __init__(self) -> None:
        self._installed: list[tuple[int, Profile]] = []

    def __iter__(self) -> Iterator[tuple[int, Profile]]:
        return iter(self._installed)

    def __len__(self) -> int:
        return len(self._installed)

    def install(self, connector_id: int, profile: Profile) -> None:
        """Keep a profile in place of one of the same id, or of the same purpose, level and connector (§5.16)."""
        slot = (connector_id, profile.purpose, profile.stack_level)
        self._installed = [
            (where, other)
            for where, other in self._installed
            if other.id != profile.id and (where, other.purpose, other.stack_level) != slot
        ]
        self._installed.append((connector_id, profile))

    def clear(
        self,
        *,
        profile_id: int | None = None,
        connector_id: int | None = None,
        purpose: str | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Drop the profile with this id or, without an id, all that match; return how many went (§5.5)."""

        def goes(where: int, profile: Profile) -> bool:
            if profile_id is not None:
                return profile.id == profile_id
            return (
                connector_id in (None, where)
                and purpose in (None, profile.purpose)
                and stack_level in (None, profile.stack_level)
            )

        before = len(self._installed)
        self._installed = [(where, profile) for where, profile in self._installed if not goes(where, profile)]
        return before - len(self._installed)

    def end_transaction(self, connector_id: int) -> None:
        """Drop what was meant for the transaction that has ended (§3.13.1)."""
        self.clear(connector_id=connector_id, purpose=TRANSACTION)

    def limits(
        self, connector_id: int, now: float, charging_since: float | None, *, ignore_new_default: bool = False
    ) -> Limits:
        """Evaluate all profiles for a connector: TxProfile before TxDefaultProfile, the highest valid level of each.

        On the same level a connector's own default wins over that of connector 0. `ignore_new_default` is the
        habit of some stations to apply a TxDefaultProfile to the next transaction only.
        """
        best: dict[str, tuple[tuple[int, int], float]] = {}
        until = math.inf
        for where, profile in self._installed:
            if where not in (0, connector_id):
                continue
            late_default = profile.purpose == DEFAULT and profile.installed_at > (charging_since or math.inf)
            if ignore_new_default and late_default:
                continue
            until = min([until, *(edge for edge in profile.edges(now, charging_since) if edge > now)])
            limit_a = profile.limit_a(now, charging_since)
            rank = (profile.stack_level, where)
            if limit_a is not None and (profile.purpose not in best or best[profile.purpose][0] < rank):
                best[profile.purpose] = (rank, limit_a)
        winner = best.get(TRANSACTION) or best.get(DEFAULT)
        station = best.get(MAXIMUM)
        return Limits(station[1] if station else None, winner[1] if winner else None, until)

    def composite(
        self, connector_id: int, now: float, duration_s: float, charging_since: float | None, maximum_a: float
    ) -> tuple[Period, ...]:
        """Merge everything into one schedule from `now` on (§5.7); neighbours that say the same become one."""
        periods: list[Period] = []
        moment = now
        while moment < now + duration_s:
            limits = self.limits(connector_id, moment, charging_since)
            limit_a = limits.least(maximum_a)
            if not periods or periods[-1].limit_a != limit_a:
                periods.append(Period(moment - now, limit_a))
            moment = limits.until
        return tuple(periods)
