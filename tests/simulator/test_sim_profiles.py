"""How a station evaluates charging profiles (OCPP 1.6 §3.13, §7.8-7.14)."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.profiles import DEFAULT, MAXIMUM, TRANSACTION, ProfileError, ProfileStore, read_profile
from simulator.timestamps import format_time

NOW = 1_800_000_000.0
DAY_S = 86_400.0


def payload(
    limit: float = 10.0,
    *,
    profile_id: int = 1,
    level: int = 0,
    purpose: str = DEFAULT,
    kind: str = "Absolute",
    unit: str = "A",
    periods: list[dict[str, Any]] | None = None,
    start_at: float | None = NOW - 60,
    duration: int | None = None,
    **extra: Any,
) -> dict[str, Any]:
    schedule: dict[str, Any] = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods or [{"startPeriod": 0, "limit": limit}],
    }
    if start_at is not None:
        schedule["startSchedule"] = format_time(start_at)
    if duration is not None:
        schedule["duration"] = duration
    return {
        "chargingProfileId": profile_id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
        **extra,
    }


def store(*entries: tuple[int, dict[str, Any]], now: float = NOW) -> ProfileStore:
    profiles = ProfileStore()
    for connector_id, entry in entries:
        profiles.install(connector_id, read_profile(entry, now=now))
    return profiles


def limit_a(profiles: ProfileStore, at: float = NOW, *, connector_id: int = 1, since: float | None = NOW - 30) -> float:
    return profiles.limits(connector_id, at, since).least(32.0)


def test_without_a_profile_the_station_gives_its_maximum():
    limits = ProfileStore().limits(1, NOW, None)
    assert limits.least(32.0) == 32.0
    assert limits.until == math.inf


def test_a_transaction_profile_overrules_the_default_in_both_directions():
    profiles = store((1, payload(6, level=8)), (1, payload(20, profile_id=2, purpose=TRANSACTION)))
    assert limit_a(profiles) == 20
    profiles.end_transaction(1)
    assert limit_a(profiles) == 6


def test_the_station_maximum_bounds_what_the_transaction_may_have():
    profiles = store((0, payload(8, purpose=MAXIMUM)), (1, payload(20, profile_id=2, purpose=TRANSACTION)))
    assert limit_a(profiles) == 8


def test_the_highest_level_that_is_valid_wins_not_the_lowest_limit():
    profiles = store((1, payload(6, level=0)), (1, payload(25, profile_id=2, level=3, duration=120)))
    assert limit_a(profiles, NOW) == 25
    assert limit_a(profiles, NOW + 60) == 6


def test_a_default_of_the_connector_wins_over_one_of_the_station_on_the_same_level():
    profiles = store((1, payload(11)), (0, payload(22, profile_id=2)))
    assert limit_a(profiles, connector_id=1) == 11
    assert limit_a(profiles, connector_id=2) == 22


def test_a_profile_of_another_connector_says_nothing():
    assert limit_a(store((2, payload(7)))) == 32.0


def test_a_schedule_of_the_future_is_no_limit_until_it_starts():
    profiles = store((1, payload(9, start_at=NOW + 10)))
    assert limit_a(profiles) == 32.0
    assert profiles.limits(1, NOW, None).until == NOW + 10
    assert limit_a(profiles, NOW + 10) == 9


def test_a_profile_holds_from_valid_from_until_before_valid_to():
    profiles = store((1, payload(9, validFrom=format_time(NOW + 5), validTo=format_time(NOW + 8))))
    assert [limit_a(profiles, NOW + s) for s in (4, 5, 7, 8)] == [32, 9, 9, 32]


def test_periods_follow_each_other_and_the_duration_ends_them():
    periods = [{"startPeriod": 0, "limit": 6.0}, {"startPeriod": 100, "limit": 16.0}]
    profiles = store((1, payload(periods=periods, start_at=NOW, duration=300)))
    assert [limit_a(profiles, NOW + s) for s in (0, 99, 100, 299, 300)] == [6, 6, 16, 16, 32]


def test_a_relative_schedule_counts_from_the_start_of_the_transaction():
    profiles = store((1, payload(7, kind="Relative", start_at=None, duration=60, purpose=TRANSACTION)))
    assert limit_a(profiles, NOW, since=NOW - 59) == 7
    assert limit_a(profiles, NOW, since=NOW - 60) == 32


def test_a_relative_station_maximum_counts_from_its_arrival():
    profiles = store((0, payload(7, kind="Relative", start_at=None, duration=60, purpose=MAXIMUM)))
    assert limit_a(profiles, NOW + 59, since=NOW - 3600) == 7
    assert limit_a(profiles, NOW + 60, since=NOW - 3600) == 32


def test_a_daily_schedule_comes_back_each_day():
    profiles = store((1, payload(7, kind="Recurring", recurrencyKind="Daily", start_at=NOW - 10 * DAY_S, duration=60)))
    assert [limit_a(profiles, NOW + s) for s in (0, 59, 60, DAY_S, DAY_S + 60)] == [7, 7, 32, 7, 32]
    assert profiles.limits(1, NOW + 60, None).until == NOW + DAY_S


@pytest.mark.parametrize(
    ("phases", "expected_a"),
    [
        ({}, 16.0),
        ({"numberPhases": 1}, 48.0),
        ({"numberPhases": 2}, 24.0),
    ],
)
def test_watts_become_amperes_at_230_volts_for_three_phases_unless_told(phases, expected_a):
    entry = payload(unit="W", periods=[{"startPeriod": 0, "limit": 11_040.0, **phases}])
    assert store((1, entry)).limits(1, NOW, None).transaction_a == pytest.approx(expected_a)


def test_a_profile_replaces_one_of_the_same_id_or_the_same_place():
    profiles = store((1, payload(6, profile_id=1)), (1, payload(7, profile_id=2)), (2, payload(8, profile_id=2)))
    assert [(where, one.id) for where, one in profiles] == [(2, 2)]


def test_a_default_that_needs_a_new_transaction_leaves_the_running_one_alone():
    profiles = store((1, payload(6)))
    assert profiles.limits(1, NOW, NOW - 30, ignore_new_default=True).least(32) == 32
    assert profiles.limits(1, NOW + 2, NOW + 1, ignore_new_default=True).least(32) == 6


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({}, set()),
        ({"profile_id": 2, "purpose": DEFAULT}, {1, 3}),
        ({"connector_id": 0}, {2, 3}),
        ({"purpose": DEFAULT, "stack_level": 1}, {1, 2}),
        ({"profile_id": 9}, {1, 2, 3}),
    ],
)
def test_clearing_takes_the_id_or_else_all_that_match(asked, left):
    profiles = store(
        (0, payload(profile_id=1, purpose=MAXIMUM)),
        (1, payload(profile_id=2, purpose=TRANSACTION)),
        (1, payload(profile_id=3, level=1)),
    )
    assert profiles.clear(**asked) == 3 - len(left)
    assert {profile.id for _, profile in profiles} == left


@pytest.mark.parametrize(
    "broken",
    [
        {"chargingProfileId": 1},
        payload(-1),
        payload(math.nan),
        payload(unit="kW"),
        payload(purpose="Other"),
        payload(kind="Sometimes"),
        payload(kind="Recurring", recurrencyKind="Hourly"),
        payload(validTo="tomorrow"),
        payload(validTo=5),
        payload() | {"chargingSchedule": None},
        payload() | {"chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": []}},
    ],
)
def test_a_profile_that_cannot_be_read_says_so(broken):
    with pytest.raises(ProfileError, match="charging profile"):
        read_profile(broken, now=NOW)


def test_the_composite_schedule_joins_neighbours_that_say_the_same():
    periods = [{"startPeriod": start_s, "limit": limit} for start_s, limit in ((0, 6.0), (100, 6.0), (200, 16.0))]
    profiles = store(
        (1, payload(periods=periods, start_at=NOW, duration=300)), (0, payload(10, profile_id=2, purpose=MAXIMUM))
    )
    schedule = profiles.composite(1, NOW, 400, None, 32.0)
    assert [(period.start_s, period.limit_a) for period in schedule] == [(0, 6), (200, 10)]


entries = st.builds(
    payload,
    st.sampled_from([0.0, 6.0, 10.5, 32.0]),
    profile_id=st.integers(1, 6),
    level=st.integers(0, 2),
    purpose=st.sampled_from([MAXIMUM, DEFAULT, TRANSACTION]),
    kind=st.sampled_from(["Absolute", "Relative", "Recurring"]),
    start_at=st.none() | st.integers(-200, 200).map(lambda s: NOW + s),
    duration=st.none() | st.integers(1, 300),
    periods=st.none()
    | st.lists(st.integers(0, 250), min_size=1, max_size=4, unique=True).map(
        lambda starts: [{"startPeriod": s, "limit": float(s % 33)} for s in sorted(starts)]
    ),
)


@given(st.lists(st.tuples(st.integers(0, 1), entries), max_size=6), st.integers(0, 400))
def test_nothing_changes_before_the_announced_time(installed, after_s):
    profiles = store(*installed)
    limits = profiles.limits(1, NOW + after_s, NOW - 30)
    assert limits.until > NOW + after_s
    later = min(limits.until - 0.001, NOW + after_s + 500)
    again = profiles.limits(1, later, NOW - 30)
    assert (again.station_a, again.transaction_a) == (limits.station_a, limits.transaction_a)
    schedule = profiles.composite(1, NOW, 400, NOW - 30, 32.0)
    said = [period.limit_a for period in schedule if period.start_s <= after_s][-1]
    assert said == limits.least(32.0)


@given(st.lists(st.tuples(st.integers(0, 1), entries), max_size=6))
def test_no_two_profiles_share_an_id_or_a_place(installed):
    profiles = store(*installed)
    assert len({profile.id for _, profile in profiles}) == len(profiles)
    assert len({(where, profile.purpose, profile.stack_level) for where, profile in profiles}) == len(profiles)
