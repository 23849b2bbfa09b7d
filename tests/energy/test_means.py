"""Seconds become minutes, minutes become quarters of an hour; the curve is drawn from what is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from energy import means
from energy.curve import Span, points_of, span_of, table_of
from energy.means import MINUTE_S, QUARTER_S, Row, roll_up, rolled_until
from energy.models import ReadingMean
from tests.energy.overview_rows import add_reading

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(seconds, *currents, readings=1):
    return Row(NOON + timedelta(seconds=seconds), readings, currents)


def second(seconds, *, building=20.0, charging=8.0):
    """Write what one turn saw; no building: the meter was silent."""
    grid = None if building is None else (building + charging,) * 3
    return add_reading(NOON + timedelta(seconds=seconds), grid=grid, charging=(charging,) * 3)


def kept(span_s):
    return list(ReadingMean.objects.filter(span_s=span_s).order_by("begins_at"))


# --- the mean


def test_each_minute_has_its_mean():
    found = means.means([row(0, 10.0), row(59, 20.0), row(60, 7.0)], MINUTE_S)
    assert list(found) == [row(0, 15.0, readings=2), row(60, 7.0)]


def test_a_minute_with_more_readings_weighs_more_in_its_quarter():
    (found,) = means.means([row(0, 10.0, readings=60), row(60, 40.0, readings=20)], QUARTER_S)
    assert found == row(0, 17.5, readings=80)


def test_what_was_not_known_counts_for_nothing():
    (found,) = means.means([row(0, None, 4.0), row(1, 12.0, 8.0)], MINUTE_S)
    assert found.currents == (12.0, 6.0)
    (found,) = means.means([row(0, None)], MINUTE_S)
    assert found.currents == (None,)


# --- what is written


@pytest.mark.django_db
def test_complete_minutes_and_quarters_are_written_once():
    for seconds in range(0, 1800, 10):
        second(seconds, charging=8.0 if seconds < 900 else 16.0)
    now = NOON + timedelta(minutes=29, seconds=55)
    for _ in range(2):
        roll_up(now=now)
    assert len(kept(MINUTE_S)) == 29
    assert [(row.begins_at, row.readings, row.charging_l1_a) for row in kept(QUARTER_S)] == [(NOON, 90, 8.0)]
    roll_up(now=NOON + timedelta(minutes=31))
    assert [row.charging_l1_a for row in kept(QUARTER_S)] == [8.0, 16.0]


@pytest.mark.django_db
def test_a_minute_waits_for_a_reading_that_is_written_late():
    second(0)
    roll_up(now=NOON + timedelta(seconds=65))
    assert kept(MINUTE_S) == []
    second(59)
    roll_up(now=NOON + timedelta(seconds=70))
    assert [row.readings for row in kept(MINUTE_S)] == [2]


@pytest.mark.django_db
def test_much_is_rolled_up_in_parts_and_none_of_them_twice(monkeypatch):
    monkeypatch.setattr(means, "ROWS_AT_ONCE", 25)
    for seconds in range(0, 600, 6):
        second(seconds)
    for _ in range(6):
        roll_up(now=NOON + timedelta(hours=1))
    assert [row.readings for row in kept(MINUTE_S)] == [10] * 10


@pytest.mark.django_db
def test_a_pause_of_the_loop_is_passed_over():
    second(0)
    second(86_400)
    roll_up(now=NOON + timedelta(days=1, minutes=20))
    assert [row.begins_at for row in kept(MINUTE_S)] == [NOON, NOON + timedelta(days=1)]
    assert len(kept(QUARTER_S)) == 2


@pytest.mark.django_db
def test_what_a_wrong_clock_wrote_ahead_holds_nothing_up():
    second(0)
    ahead = dict.fromkeys(means.CURRENTS, 1.0)
    ReadingMean.objects.create(span_s=MINUTE_S, begins_at=NOON + timedelta(days=9000), readings=1, **ahead)
    roll_up(now=NOON + timedelta(minutes=2))
    assert rolled_until(MINUTE_S, NOON + timedelta(minutes=2)) == NOON + timedelta(minutes=1)


# --- what is drawn


@pytest.mark.django_db
def test_the_last_quarter_is_drawn_by_the_second_with_unknown_buildings_empty():
    second(-1)
    second(0, building=None)
    add_reading(NOON - timedelta(minutes=16))
    assert points_of(Span.QUARTER, NOON + timedelta(seconds=1)) == [
        [NOON.timestamp() - 1, 20.0, 20.0, 20.0, 8.0, 8.0, 8.0, 30.4, 30.4, 30.4],
        [NOON.timestamp(), None, None, None, 8.0, 8.0, 8.0, 30.4, 30.4, 30.4],
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_day_and_week_are_drawn_up_to_now_whether_rolled_up_or_not(is_rolled_up):
    for seconds in range(0, 1800, 10):
        second(seconds)
    now = NOON + timedelta(minutes=30)
    if is_rolled_up:
        roll_up(now=now)
    day, week = points_of(Span.DAY, now), points_of(Span.WEEK, now)
    assert [point[0] - NOON.timestamp() for point in day] == [60 * n + 30 for n in range(30)]
    assert [point[0] - NOON.timestamp() for point in week] == [450, 1350]
    assert {tuple(point[1:]) for point in day + week} == {(20.0,) * 3 + (8.0,) * 3 + (30.4,) * 3}


@pytest.mark.django_db
def test_the_table_has_a_mean_for_each_minute_newest_first():
    for seconds, charging in ((0, 1.0), (59, 2.0), (60, 3.0)):
        second(seconds, charging=charging)
    rows = table_of(Span.QUARTER, NOON + timedelta(seconds=61))
    assert [(at, row[3]) for at, row in rows] == [(NOON + timedelta(minutes=1), 3.0), (NOON, 1.5)]


@pytest.mark.django_db
def test_the_table_of_a_week_has_a_row_for_each_hour():
    for hour in range(3):
        second(hour * 3600)
    assert len(table_of(Span.WEEK, NOON + timedelta(hours=3))) == 3


def test_an_address_that_asks_for_nothing_known_gets_the_last_quarter():
    assert [span_of(word) for word in ("week", "century", None)] == [Span.WEEK, Span.QUARTER, Span.QUARTER]


@pytest.mark.django_db
@pytest.mark.parametrize("span", list(Span))
def test_a_curve_costs_few_queries(span, django_assert_max_num_queries):
    second(0)
    with django_assert_max_num_queries(3):
        points_of(span, NOON + timedelta(minutes=1))


@pytest.mark.django_db
def test_the_curve_is_given_for_the_span_that_is_asked_for(client):
    assert [client.get(f"/live/history?span={word}").status_code for word in ("quarter", "day", "x")] == [200] * 3
    assert "Last 7 days" in client.get("/history/?span=week").content.decode()
