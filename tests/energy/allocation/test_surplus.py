"""Charging from the sun: what is above the minimums follows the export, and contactors move rarely."""

import json
from dataclasses import replace
from math import pi, sin

import pytest

from energy.allocation import Circuit, Controller, Reason, ReasonCode, SurplusRule, Timing
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import constant, equally, garage, step_at

SUN = Reason(ReasonCode.SOLAR_SURPLUS)
WAITS = Reason(ReasonCode.WAITING_SURPLUS)


DAY_S = 7200


class Roof(Plant):
    """A plant whose cars charge from the sun."""

    rule = SurplusRule.ONLY

    def observation(self):
        return replace(super().observation(), surplus=self.rule)


class Fed(Roof):
    """The same, with the minimum from wherever it comes."""

    rule = SurplusRule.MINIMUM


def cloudy(now):
    """Draw 2 A on each line under a roof of 25 A at noon of a short day; clouds take most of it for 20 to 100 s."""
    second = int(now)
    sun_a = 25 * max(0.0, sin(pi * second / DAY_S))
    is_shaded = second % 420 < 20 + second // 420 * 37 % 80
    return equally(2 - sun_a * (0.25 if is_shaded else 1.0))


def test_a_cloudy_day_is_charged_from_the_sun_with_few_starts():
    roof = Roof([Car("a", wants=32, report_s=10)], equally(50), cloudy)
    imported_as = exported_as = charged_as = 0.0
    for _ in range(DAY_S):
        roof.run(1)
        net_a = sum(roof.grid())
        imported_as += max(0.0, net_a)
        exported_as += max(0.0, -net_a)
        charged_as += sum(roof.cars[0].draw(roof.now))
    assert roof.cars[0].starts == 1
    assert imported_as < 0.08 * charged_as
    assert charged_as > 0.85 * (charged_as + exported_as)
    assert roof.worst_over_a <= 1e-6


def test_a_car_begins_when_the_surplus_was_enough_for_three_minutes_and_says_so_meanwhile():
    roof = Roof(garage(1), equally(50), step_at(30, equally(0), equally(-7)))
    decision = roof.run(200)
    assert (roof.limits(), decision.reasons[0]) == ([0], WAITS)
    decision = roof.run(30)
    assert (roof.limits(), decision.reasons[0]) == ([7], SUN)


def test_a_surplus_below_the_minimum_starts_nobody():
    roof = Roof(garage(1), equally(50), constant(-5.9, -5.9, -5.9))
    decision = roof.run(900)
    assert (roof.limits(), decision.reasons[0]) == ([0], WAITS)


def test_a_cloud_takes_all_but_the_minimum_at_once_and_the_car_stays_on():
    roof = Roof(garage(1), equally(50), step_at(300, equally(-16), equally(1)))
    roof.run(300)
    assert roof.limits() == [16]
    roof.run(1)
    assert roof.limits() == [6]
    roof.run(290)
    assert roof.limits() == [6]
    assert roof.cars[0].starts == 1
    roof.run(20)
    assert roof.limits() == [0]
    assert roof.run(60).reasons[0] == WAITS


def test_the_sun_that_comes_back_within_minutes_stops_nobody():
    roof = Roof(garage(1), equally(50), lambda now: equally(2 if 300 < now < 590 else -10))
    roof.run(900)
    assert roof.limits() == [10]
    assert roof.cars[0].starts == 1


def test_what_one_line_exports_another_may_take_and_imports_count_against_it():
    cars = [Car("single", wiring=(1,), phases=1)]
    roof = Roof(cars, equally(50), constant(-20, 2, 2))
    roof.run(300)
    assert roof.limits() == [16]
    three = Roof(garage(1), equally(50), constant(-28, 2, 2))
    three.run(300)
    assert three.limits() == [8]


def test_cars_share_the_sun_and_the_second_waits_until_it_is_enough_for_both():
    roof = Roof(garage(2), equally(50), step_at(600, equally(-10), equally(-13)))
    decision = roof.run(600)
    assert sorted(roof.limits()) == [0, 10]
    assert {reason.code for reason in decision.reasons.values()} == {SUN.code, WAITS.code}
    roof.run(300)
    assert roof.limits() == [6.5, 6.5]


def test_a_sun_too_weak_for_all_stops_only_those_it_cannot_carry():
    roof = Roof(garage(2), equally(50), step_at(400, equally(-14), equally(-8)))
    roof.run(400)
    assert roof.limits() == [7, 7]
    roof.run(250)
    assert roof.limits() == [6, 6]
    roof.run(120)
    assert sorted(roof.limits()) == [0, 8]


def test_places_in_the_sun_rotate_without_more_contactors_than_turns():
    roof = Roof(garage(2), equally(50), constant(-8, -8, -8))
    roof.run(3600)
    assert sum(car.starts for car in roof.cars) <= 5
    assert min(car.starts for car in roof.cars) >= 1
    assert sorted(roof.limits()) == [0, 8]


def test_who_goes_first_has_the_sun_first():
    roof = Roof([Car("late", priority=1, plugged_at=250), Car("early", report_at=1)], equally(50), constant(-8, -8, -8))
    roof.run(280)
    assert roof.limits() == [0, 8]
    roof.run(320)
    assert roof.limits() == [8, 0]


def test_with_the_minimum_from_the_grid_cars_begin_at_night_and_follow_the_sun_by_day():
    fed = Fed(garage(2), equally(50), step_at(200, equally(3), equally(-5)))
    decision = fed.run(200)
    assert (fed.limits(), list(decision.reasons.values())) == ([6, 6], [SUN, SUN])
    fed.run(60)
    assert fed.limits() == [8.5, 8.5]


def test_with_the_minimum_from_the_grid_a_car_that_takes_less_leaves_the_sun_to_the_others():
    fed = Fed([Car("full", wants=4), Car("hungry", report_at=1)], equally(50), constant(-6, -6, -6))
    fed.run(120)
    assert fed.limits()[1] == 12


def test_who_waits_for_a_circuit_leaves_the_sun_to_the_others():
    cars = [Car("a"), Car("b", circuit="cellar", report_at=1), Car("c", circuit="cellar", report_at=2)]
    fed = Fed(cars, equally(50), constant(-6, -6, -6), circuits=(Circuit("cellar", equally(8)),))
    fed.run(200)
    assert sorted(fed.limits()) == [0, 8, 10]


def test_an_overload_overrides_the_rules_of_the_sun():
    roof = Roof(garage(1), equally(20), step_at(300, constant(-40, 1, 1)(0), (-40, 17, 1)))
    roof.run(300)
    assert roof.limits() == [12.6]
    roof.run(3)
    assert roof.limits() == [0]


def test_with_a_silent_meter_the_fail_safe_current_holds_and_the_sun_is_watched_anew():
    roof = Roof([Car("a", fail_safe=8)], equally(50), constant(-16, -16, -16))
    roof.run(300)
    roof.meter_works = False
    roof.run(30)
    assert roof.limits() == [8]
    roof.building, roof.meter_works = constant(1, 1, 1), True
    roof.run(290)
    assert roof.limits() == [6]
    roof.run(30)
    assert roof.limits() == [0]


@pytest.mark.parametrize("kind", [Roof, Fed])
def test_a_new_control_worker_goes_on_as_the_last_one_would_have(kind):
    days = [kind(garage(2), equally(50), lambda now: cloudy(now + 1500)) for _ in range(2)]
    for day in days:
        day.run(700)
    memory = json.loads(json.dumps(days[1].controller.dump()))
    days[1].controller = Controller(Timing(), dynamic=True)
    days[1].controller.restore(memory)
    for day in days:
        day.run(700)
    assert [decision for _, decision in days[0].decisions] == [decision for _, decision in days[1].decisions]


def test_a_memory_from_before_there_was_a_surplus_is_taken_up():
    memory = Controller(Timing(), dynamic=True).dump()
    del memory["surplus"]
    roof = Roof(garage(1), equally(50), constant(-10, -10, -10))
    roof.controller.restore(memory)
    roof.run(250)
    assert roof.limits() == [10]
