"""A garage on a simulated clock: what it measures, and that it can be put away and taken up."""

import json
from dataclasses import replace

import pytest

from energy.allocation import Controller, Decision, Timing
from energy.planner import (
    Garage,
    Plan,
    Session,
    evenly_wh,
    make_sessions,
    most_wh,
    served_wh,
    standard_curve,
)

QUIET = Plan(50.0, 3, 0, standard_curve("flat", 10), derating_percent=0, noise_a=0)
HOUR = 3600


class Always:
    """Tell every car the same, whatever is seen."""

    def __init__(self, limit_a):
        self.limit_a = limit_a

    def decide(self, seen):
        told = {one.key: self.limit_a if one.charging else 0.0 for one in seen.connectors}
        return Decision(told, {}, seen.now, seen.limit, "operational")


def cars(*wanted_wh, **more):
    usual = {"phases": 3, "maximum_a": 32.0, "arrives_s": 10, "leaves_s": 2 * HOUR}
    return [Session(number, wanted_wh=wish, **{**usual, **more}) for number, wish in enumerate(wanted_wh)]


def controller():
    return Controller(Timing(), dynamic=True)


def test_a_car_gets_what_its_limit_lets_through_and_no_more_than_it_wants():
    garage = Garage(QUIET, cars(5_000), Always(10.0))
    garage.run(HOUR + 12)
    assert served_wh(garage.sessions, garage.tally.got_as) == pytest.approx(5_000, rel=0.01)
    garage = Garage(QUIET, cars(50_000), Always(10.0))
    garage.run(HOUR + 12)
    assert served_wh(garage.sessions, garage.tally.got_as) == pytest.approx(3 * 10 * 230, rel=0.01)


def test_what_is_over_the_fuse_is_measured_and_what_was_commanded_above_it():
    garage = Garage(QUIET, cars(50_000, 50_000), Always(32.0))
    garage.run(110)
    assert garage.tally.peak_a == pytest.approx(74)
    assert garage.tally.longest_over_s == pytest.approx(98)
    assert garage.tally.commanded_excess_as == pytest.approx(99 * 3 * 24)  # the meter shows it a second late


@pytest.mark.parametrize(("maximum_a", "excess_as"), [(16.0, 0.0), (32.0, 3 * 8.0)])
def test_a_limit_that_is_still_on_its_way_counts_at_what_the_car_can_take(maximum_a, excess_as):
    class FirstOneThenBoth:
        told = iter([{0: 30.0, 1: 0.0}])

        def decide(self, seen):
            told = next(self.told, {0: 18.0, 1: 18.0}) if seen.connectors[0].charging else {0: 0.0, 1: 0.0}
            return Decision({**told, 2: 0.0}, {}, seen.now, seen.limit, "operational")

    garage = Garage(QUIET, cars(50_000, 50_000, maximum_a=maximum_a), FirstOneThenBoth(), follow_s=5.0)
    garage.run(30)
    assert garage.tally.commanded_excess_as == pytest.approx(excess_as)


def test_the_controller_keeps_the_fuse_and_serves_nearly_all_there_is():
    garage = Garage(QUIET, cars(50_000, 50_000, 50_000), controller())
    garage.run(HOUR)
    assert garage.tally.longest_over_s == 0
    assert garage.tally.commanded_excess_as == 0
    assert served_wh(garage.sessions, garage.tally.got_as) == pytest.approx(3 * 40 * 230, rel=0.02)


def test_waiting_is_counted_from_the_car_that_has_nothing_until_it_leaves():
    garage = Garage(QUIET, cars(50_000, leaves_s=500), Always(0.0))
    garage.run(HOUR)
    assert garage.tally.waited_s == [490]
    assert garage.tally.starts == [0]


def test_a_run_in_pieces_comes_to_the_same_as_in_one():
    plan = replace(QUIET, stations=4, cars=6, noise_a=2.0, steps=100)
    sessions, _turned_away = make_sessions(plan)
    whole = Garage(plan, sessions, controller(), beat_s=5, step_s=5, end_s=5 * HOUR)
    whole.run(5 * HOUR)
    state = None
    for until_s in range(1000, 5 * HOUR + 1000, 1000):
        piece = Garage(plan, sessions, controller(), beat_s=5, step_s=5, end_s=5 * HOUR)
        if state is not None:
            piece.restore(json.loads(state))
        piece.run(until_s)
        state = json.dumps(piece.dump())
    assert json.loads(state) == json.loads(json.dumps(whole.dump()))


def test_the_bound_counts_what_the_lines_leave_and_what_cars_can_take():
    assert most_wh(QUIET, cars(5_000)) == pytest.approx(5_000)
    assert most_wh(QUIET, cars(90_000, 90_000, leaves_s=HOUR, arrives_s=0)) == pytest.approx(3 * 40 * 230)
    assert most_wh(QUIET, cars(90_000, leaves_s=HOUR, arrives_s=0)) == pytest.approx(3 * 32 * 230)


@pytest.mark.parametrize(("building_a", "left_a"), [(40.0, 10.0), (44.5, 0.0)])
def test_the_bound_gives_a_three_phase_car_no_more_than_its_fullest_line_leaves_and_nothing_below_its_minimum(
    building_a, left_a
):
    uneven = replace(QUIET, curve_a=((building_a, 0.0, 0.0),) * 24)
    assert most_wh(uneven, cars(90_000, leaves_s=HOUR, arrives_s=0)) == pytest.approx(3 * left_a * 230, abs=1)


def test_the_bound_is_as_low_as_what_knowing_all_can_really_serve():
    """On 40 A, the car that leaves after an hour has 32 A, the other one what is left, and 32 A in its second hour."""
    early, late = cars(90_000, 90_000)
    sessions = [replace(early, leaves_s=HOUR, arrives_s=0), replace(late, leaves_s=2 * HOUR, arrives_s=0)]
    assert most_wh(QUIET, sessions) == pytest.approx(3 * (40 + 32) * 230, rel=0.002)


def test_a_planner_who_knows_who_leaves_early_serves_more_than_one_who_shares_evenly():
    early, late = cars(90_000, 27_600)
    sessions = [replace(early, leaves_s=HOUR, arrives_s=0), replace(late, leaves_s=2 * HOUR, arrives_s=0)]
    assert most_wh(QUIET, sessions) > evenly_wh(QUIET, sessions) + 1_000


def test_even_sharing_gives_below_the_minimum_too():
    tight = replace(QUIET, fuse_a=15.0)
    sessions = cars(90_000, 90_000, 90_000, arrives_s=0, leaves_s=HOUR)
    assert evenly_wh(tight, sessions) == pytest.approx(3 * 5 * 230)
