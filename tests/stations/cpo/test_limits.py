"""The limits of operators, evaluated as a station would (OCPP 1.6 §3.13): held against the simulator's own rules."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.profiles import ProfileStore, read_profile
from stations.cpo.limits import UnfitProfile, cap_of, composite, read_limit

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
T0 = NOW.timestamp()
PURPOSES = ("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile")


def time(offset_s):
    return (NOW + timedelta(seconds=offset_s)).isoformat()


def profile(limit=10.0, *, purpose="TxDefaultProfile", level=0, kind="Absolute", unit="A", periods=None, **values):
    schedule = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods or [{"startPeriod": 0, "limit": limit}],
        **{key: values.pop(key) for key in ("startSchedule", "duration") if key in values},
    }
    return {
        "chargingProfileId": values.pop("number", 1),
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
        **values,
    }


def read(payload, connector=1, **given):
    return read_limit(payload, connector=connector, **{"installed_at": T0, "charging_since": T0, "phases": 3, **given})


offsets = st.sampled_from([-100_000, -3600, -60, 0, 60, 3600, 100_000])
amps = st.sampled_from([0.0, 6.0, 10.0, 16.5, 32.0])


@st.composite
def profiles(draw):
    kind = draw(st.sampled_from(["Absolute", "Relative", "Recurring"]))
    starts = sorted({0, *draw(st.lists(st.sampled_from([30, 60, 3600, 50_000]), max_size=3))})
    values = {"periods": [{"startPeriod": start, "limit": draw(amps)} for start in starts]}
    if kind == "Recurring" or draw(st.booleans()):
        values["startSchedule"] = time(draw(offsets))
    if kind == "Recurring":
        values["recurrencyKind"] = draw(st.sampled_from(["Daily", "Weekly"]))
    for key in draw(st.sets(st.sampled_from(["validFrom", "validTo"]))):
        values[key] = time(draw(offsets))
    if draw(st.booleans()):
        values["duration"] = draw(st.sampled_from([60, 3600, 90_000]))
    purpose = draw(st.sampled_from(PURPOSES))
    return profile(purpose=purpose, kind=kind, level=draw(st.integers(0, 3)), **values)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), profiles()), max_size=5), offsets, offsets)
def test_what_counts_is_what_a_station_would_keep_to(held, since, at):
    store = ProfileStore()
    for number, (connector, payload) in enumerate(held):
        store.install(connector, read_profile({**payload, "chargingProfileId": number}, now=T0))
    kept = {(where, one.purpose, one.stack_level): one.id for where, one in store}
    limits = [
        read(payload, connector, charging_since=T0 + since)
        for number, (connector, payload) in enumerate(held)
        if number in kept.values()
    ]
    assert cap_of(limits, 1, T0 + at) == store.limits(1, T0 + at, T0 + since).least(math.inf)


@settings(max_examples=40)
@given(st.lists(profiles(), max_size=4), offsets)
def test_a_composite_schedule_says_what_counts_at_each_moment(held, since):
    limits = [read(payload, charging_since=T0 + since) for payload in held]
    periods, said_s = composite(limits, connector=1, maximum_a=25.0, begin_at=T0, duration_s=7200)
    assert (periods[0][0], said_s) == (0, 7200)
    for at in range(0, 7200, 600):
        said = next(limit for begin, limit in reversed(periods) if begin <= at)
        assert said == min(25.0, cap_of(limits, 1, T0 + at))


def daily(level, step_s):
    """A limit that changes a hundred times each day, every `step_s`."""
    periods = [{"startPeriod": turn * step_s, "limit": 6 + (turn + level) % 20} for turn in range(100)]
    return read(profile(level=level, kind="Recurring", recurrencyKind="Daily", startSchedule=time(0), periods=periods))


@pytest.mark.parametrize(("limits", "expected_s", "periods"), [
    ([], 604_800, 1), ([daily(0, 60)], 86_400, 100), ([daily(0, 864)], 86_400, 100),
    ([daily(0, 864)] * 20, 86_400, 100),
])  # fmt: skip
def test_a_composite_schedule_says_how_long_it_holds_where_the_whole_would_be_too_much(limits, expected_s, periods):
    said, said_s = composite(limits, connector=1, maximum_a=32.0, begin_at=T0, duration_s=10**18)
    assert (said_s, len(said)) == (expected_s, periods)
    for from_s, amps in said:
        assert amps == min(32.0, cap_of(limits, 1, T0 + from_s))


def test_a_composite_schedule_of_limits_that_never_count_ends_too(monkeypatch):
    monkeypatch.setattr("stations.cpo.limits.MOST_EDGES", 50)
    said, said_s = composite([daily(0, 60)], connector=1, maximum_a=5.0, begin_at=T0, duration_s=86_400)
    assert (said, said_s) == ([(0, 5.0)], 50 * 60)


def test_limits_of_other_connectors_do_not_shorten_a_composite_schedule():
    others = [read(profile(periods=[{"startPeriod": turn, "limit": turn} for turn in range(100)]), 2)] * 2
    assert composite(others, connector=1, maximum_a=5.0, begin_at=T0, duration_s=600) == ([(0, 5.0)], 600)


@pytest.mark.parametrize(("phases", "stated", "expected_a"), [(3, None, 10), (1, None, 30), (3, 1, 10), (1, 3, 30)])
def test_watts_are_shared_by_the_phases_that_a_car_may_use(phases, stated, expected_a):
    period = {"startPeriod": 0, "limit": 6900, **({"numberPhases": stated} if stated else {})}
    assert read(profile(unit="W", periods=[period]), phases=phases).limit_a(T0) == expected_a


@pytest.mark.parametrize("payload", [
    profile(-1), profile(periods=[{"startPeriod": 5, "limit": 6}]), profile(startSchedule="noon"),
    profile(kind="Recurring", startSchedule=time(0)), profile(kind="Recurring", recurrencyKind="Daily"),
    profile(periods=[{"startPeriod": start, "limit": 6} for start in range(101)]),
])  # fmt: skip
def test_what_cannot_be_kept_to_is_refused(payload):
    with pytest.raises(UnfitProfile):
        read(payload)
