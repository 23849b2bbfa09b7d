"""Whether an accepted limit is kept is judged by what the station shows, and never too early."""

from datetime import UTC, datetime, timedelta

import pytest

from stations.ocpp16.normalise import Sample
from stations.ocpp16.obeying import OBEY_S, Promise, shown
from stations.ocpp16.profiles import Purpose, Rung

RUNG = Rung(Purpose.TRANSACTION, "A", "Absolute", 0)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def sample(at_s, *currents_a, offered_a=None):
    phases = (*currents_a, None, None, None)[:3]
    return Sample(at=NOON + timedelta(seconds=at_s), currents_a=phases, offered_a=offered_a)


def promise(*limits):
    made = Promise(7, RUNG)
    for at_s, limit_a in limits:
        made.accept(limit_a, at_s)
    return made


def hear(made, *samples):
    """Let samples be heard at their own times; returns the last verdict."""
    verdict = None
    for heard in samples:
        verdict = made.hear(heard, (heard.at - NOON).total_seconds())
    return verdict


def test_two_samples_in_a_row_above_the_limit_break_it():
    assert hear(promise((0, 10)), sample(20, 16), sample(30, 16, 16, 16)) == (16, 10)


def test_one_sample_breaks_nothing():
    assert hear(promise((0, 10)), sample(20, 16), sample(30, 10), sample(40, 16)) is None


def test_the_same_sample_sent_twice_is_one():
    assert hear(promise((0, 10)), sample(20, 16), sample(20, 16)) is None


def test_a_car_has_time_to_follow():
    before = OBEY_S - 0.1
    assert hear(promise((0, 10)), sample(before - 1, 16), sample(before, 16), sample(OBEY_S, 16)) is None


@pytest.mark.parametrize(("limit_a", "drawn_a", "is_kept"), [(10, 11.5, True), (10, 11.6, False), (32, 34.5, True)])
def test_the_station_s_own_tolerance_is_an_ampere_and_a_twentieth(limit_a, drawn_a, is_kept):
    assert (hear(promise((0, limit_a)), sample(20, drawn_a), sample(30, drawn_a)) is None) is is_kept


def test_a_pause_that_is_not_kept_is_broken():
    assert hear(promise((0, 0)), sample(20, 6), sample(30, 6)) == (6, 0)


def test_a_decrease_a_moment_ago_does_not_count_yet_but_the_limit_before_it_does():
    assert hear(promise((0, 16), (25, 6)), sample(30, 16), sample(35, 16)) is None
    assert hear(promise((0, 16), (25, 6)), sample(30, 20), sample(35, 20)) == (20, 16)


def test_limits_that_change_all_the_time_do_not_hide_a_station_that_keeps_none():
    made = promise()
    for at_s in range(0, 60, 10):
        made.accept(10 + at_s / 100, at_s)
        verdict = hear(made, sample(at_s + 1, 32))
    assert verdict is not None
    assert verdict[0] == 32
    assert len(made.limits) <= 3


def test_without_a_measurement_the_offer_counts():
    """Hager witty share without its meter reports Current.Offered alone."""
    offered = [sample(at_s, offered_a=16) for at_s in (20, 30)]
    assert hear(promise((0, 10)), *offered) == (16, 10)


def test_beside_a_measurement_the_offer_proves_nothing():
    """Some report their maximum, or the sum of the phases."""
    assert shown(sample(0, 9.8, 9.9, 9.7, offered_a=32)) == 9.9


def test_a_station_that_shows_nothing_is_not_judged():
    assert hear(promise((0, 10)), sample(20), sample(30), sample(40)) is None


def test_when_no_other_form_is_left_nothing_is_said_again():
    made = promise((0, 10))
    made.is_moot = True
    assert hear(made, sample(20, 16), sample(30, 16)) is None
