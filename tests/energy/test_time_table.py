"""Limits by the day of the week and the time of day, also in the nights in which the clock is changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.time_table import DAY_MIN, WEEK_MIN, Row, limit_at, next_change, overlap, week_of

PARIS = ZoneInfo("Europe/Paris")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # whose clock goes forward by half an hour
EVERY_DAY = tuple(range(7))
DAY = Row(EVERY_DAY, 6 * 60, 22 * 60, 40)
NIGHT = Row(EVERY_DAY, 22 * 60, 6 * 60, 63)
MONDAY, SUNDAY = datetime(2026, 3, 2), datetime(2026, 3, 8)  # noqa: DTZ001 (the zone is put on below)


def at(day, clock, zone=PARIS, fold=0):
    hours, minutes = map(int, clock.split(":"))
    return day.replace(hour=hours, minute=minutes, tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("clock", "limit_a"), [("05:59", 63), ("06:00", 40), ("21:59", 40), ("22:00", 63), ("00:00", 63), ("12:30", 40)]
)
def test_by_day_and_by_night_another_limit_holds(clock, limit_a):
    assert limit_at([DAY, NIGHT], at(MONDAY, clock)) == limit_a


def test_between_the_rows_there_is_no_limit():
    assert limit_at([DAY], at(MONDAY, "23:00")) is None
    assert limit_at([], at(MONDAY, "12:00")) is None


def test_a_row_over_midnight_belongs_to_the_day_on_which_it_begins():
    sunday_night = Row((6,), 22 * 60, 6 * 60, 16)
    assert limit_at([sunday_night], at(SUNDAY, "23:00")) == 16
    assert limit_at([sunday_night], at(MONDAY, "05:59")) == 16, "the week begins within it"
    assert limit_at([sunday_night], at(SUNDAY, "05:00")) is None
    assert limit_at([sunday_night], at(MONDAY, "22:30")) is None


def test_the_same_time_twice_means_a_whole_day():
    whole = Row((0,), 0, 0, 10)
    assert limit_at([whole], at(MONDAY, "00:00")) == limit_at([whole], at(MONDAY, "23:59")) == 10
    assert limit_at([whole], at(MONDAY + timedelta(days=1), "00:00")) is None


def test_a_change_is_told_across_midnight_and_the_end_of_the_week():
    assert next_change([DAY, NIGHT], at(MONDAY, "12:07")) == at(MONDAY, "22:00")
    assert next_change([DAY], at(SUNDAY, "22:00")) == at(SUNDAY + timedelta(days=1), "06:00")
    assert next_change([Row((0,), 600, 660, 16)], at(MONDAY, "11:00")) == at(MONDAY + timedelta(days=7), "10:00")


def test_rows_that_follow_each_other_with_one_limit_are_one():
    rows = [Row(EVERY_DAY, 6 * 60, 12 * 60, 40), Row(EVERY_DAY, 12 * 60, 22 * 60, 40)]
    assert next_change(rows, at(MONDAY, "08:00")) == at(MONDAY, "22:00")


def test_a_limit_that_always_holds_has_no_end():
    assert next_change([Row(EVERY_DAY, 0, 0, 40)], at(MONDAY, "08:00")) is None


def test_in_the_night_without_two_o_clock_a_row_of_that_hour_is_left_out():
    forward = datetime(2026, 3, 29)  # noqa: DTZ001
    missing = Row((6,), 2 * 60, 3 * 60, 16)
    first = at(forward, "00:00").astimezone(UTC)
    limits = [limit_at([missing], (first + timedelta(minutes=n)).astimezone(PARIS)) for n in range(0, 23 * 60, 5)]
    assert set(limits) == {None}
    begins = Row((6,), 60, 2 * 60 + 30, 16)
    assert next_change([begins], at(forward, "01:30")) == at(forward, "03:00"), "the clock jumps over its end"


def test_in_the_night_with_two_o_clock_twice_a_row_of_that_hour_counts_both_times():
    back = datetime(2026, 10, 25)  # noqa: DTZ001
    hour = Row((6,), 2 * 60, 3 * 60, 16)
    first = at(back, "00:00").astimezone(UTC)
    minutes = [limit_at([hour], (first + timedelta(minutes=n)).astimezone(PARIS)) for n in range(25 * 60)]
    assert minutes.count(16) == 120
    assert next_change([hour], at(back, "02:10")).astimezone(UTC) == at(back, "03:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (DAY, NIGHT, None),
        (DAY, Row((0,), 8 * 60, 9 * 60, 16), (8 * 60, 9 * 60)),
        (Row((6,), 22 * 60, 6 * 60, 16), Row((0,), 0, 60, 20), (0, 60)),
        (Row((0,), 0, 0, 16), Row((1,), 0, 0, 20), None),
        (Row((6,), 0, 0, 16), Row((6,), 23 * 60, 0, 20), (WEEK_MIN - 60, WEEK_MIN)),
    ],
)
def test_an_overlap_is_found_also_over_the_end_of_the_week(one, other, common):
    assert overlap(one, other) == overlap(other, one) == common


def test_the_week_is_laid_out_day_by_day_with_its_gaps():
    sunday_night = Row((6,), 22 * 60, 6 * 60, 16)
    week = week_of([sunday_night])
    assert week[6] == [(22 * 60, DAY_MIN, 16)]
    assert week[0] == [(0, 6 * 60, 16)]
    assert week[1:6] == [[]] * 5


rows_of_a_table = st.lists(
    st.builds(
        Row,
        st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        st.integers(0, DAY_MIN - 1),
        st.integers(0, DAY_MIN - 1),
        st.sampled_from([0.0, 16.0, 40.0, 63.0]),
    ),
    max_size=4,
)
minutes_of_a_year = st.integers(0, 366 * DAY_MIN).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def as_a_person_reads_it(rows, moment):
    """Look at the wall clock, and for each row at today and at yesterday evening."""
    clock, today = moment.hour * 60 + moment.minute, moment.weekday()
    limits = []
    for row in rows:
        is_overnight = row.ends_min <= row.begins_min
        begun_today = today in row.days and clock >= row.begins_min and (is_overnight or clock < row.ends_min)
        begun_yesterday = (today - 1) % 7 in row.days and is_overnight and clock < row.ends_min
        if begun_today or begun_yesterday:
            limits.append(row.limit_a)
    return min(limits, default=None)


@given(rows=rows_of_a_table, moment=minutes_of_a_year, zone=st.sampled_from([PARIS, LORD_HOWE]))
@settings(max_examples=100, deadline=None)
def test_over_a_year_the_limit_is_what_a_person_reads_off_table_and_clock(rows, moment, zone):
    local = moment.astimezone(zone)
    assert limit_at(rows, local) == as_a_person_reads_it(rows, local)


@given(rows=rows_of_a_table, moment=minutes_of_a_year, zone=st.sampled_from([PARIS, LORD_HOWE]))
@settings(max_examples=20, deadline=None)
def test_until_the_change_that_is_told_the_limit_stays_and_then_it_is_another(rows, moment, zone):
    local = moment.astimezone(zone)
    change = next_change(rows, local)
    end = change.astimezone(UTC) if change else moment + timedelta(days=1)
    present = limit_at(rows, local)
    while moment < min(end, local.astimezone(UTC) + timedelta(days=1)):
        assert limit_at(rows, moment.astimezone(zone)) == present
        moment += timedelta(minutes=1)
    assert change is None or limit_at(rows, change) != present
