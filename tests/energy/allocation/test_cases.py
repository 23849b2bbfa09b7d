"""The controller against the numbered cases of load management: what a garage must never see, and what it must."""

import random
from dataclasses import replace
from math import inf, nan

import pytest

from energy.allocation import (
    Circuit,
    ReasonCode,
)
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import connector, constant, equally, fresh, garage, look, step_at


def test_case_03_over_four_hours_nobody_starves_and_turns_are_equal():
    cars = [Car(f"three{n}", maximum=16, report_at=n % 5 + 0.5) for n in range(6)]
    cars += [Car(f"one{line}{n}", (line,), report_at=n + 0.5, phases=1) for line in range(3) for n in range(2)]
    plant = Plant(cars, equally(20), dynamic=False)
    served = dict.fromkeys([car.key for car in cars], 0)
    waits = dict.fromkeys(served, 0)
    longest = dict(waits)
    for _ in range(4 * 3600 // 10):
        plant.run(10)
        for car in cars:
            served[car.key] += bool(car.accepted)
            waits[car.key] = 0 if car.accepted else waits[car.key] + 10
            longest[car.key] = max(longest[car.key], waits[car.key])
    assert max(longest.values()) <= 120 * 60
    assert min(served.values()) >= 0.9 * max(served.values())


def test_case_06_a_single_phase_car_of_unknown_wiring_is_counted_on_every_line_until_its_phase_is_seen():
    plant = Plant([Car(0, phases=1), Car(1, (1, 2, 0), phases=1)], equally(40), dynamic=False)
    plant.run(5)
    assert plant.limits() == [20, 20]
    plant.run(90)
    assert plant.limits() == [32, 32]


def test_case_09_what_the_building_takes_is_not_there_for_cars():
    decision = fresh().decide(look(connector(charging=False), limit=equally(40), grid=(0, 45, 30)))
    assert decision.limit == (40, 0, 10)


def test_case_10_a_line_that_exports_has_more_for_charging_but_no_more_than_the_station_carries():
    seen = look(connector(wiring=(0,)), limit=equally(16), grid=(-10, 0, 0))
    decision = fresh().decide(seen)
    assert decision.limit == (26, 16, 16)
    assert decision.allocations == {"a": 26}
    assert fresh().decide(replace(seen, connectors=(connector(wiring=(0,), maximum=20.0),))).allocations == {"a": 20}


def test_case_12_a_long_overload_never_wraps_below_zero():
    plant = Plant(garage(3), equally(50), step_at(30, equally(10), equally(90)))
    plant.run(60)
    for _ in range(24):
        plant.now += 3600
        decision = plant.run(5)
        assert decision.limit == (0, 0, 0)
        assert plant.limits() == [0, 0, 0]


def test_case_13_one_ampere_over_lowers_but_does_not_stop():
    plant = Plant(garage(4), equally(50), step_at(60, equally(10), equally(11)))
    plant.run(60)
    assert plant.limits() == [10, 10, 10, 10]
    plant.run(1)
    assert plant.limits() == pytest.approx([9.7] * 4)
    plant.run(60)
    assert plant.limits() == pytest.approx([9.7] * 4)


def test_case_14_a_third_car_joins():
    plant = Plant([Car(0), Car(1, report_at=1), Car(2, report_at=2, plugged_at=40)], equally(35))
    plant.run(40)
    assert plant.limits()[:2] == pytest.approx([17.5, 17.5])
    plant.run(40)
    assert plant.limits() == pytest.approx([11.6] * 3)
    assert plant.worst_over_a <= 1e-6


def test_case_15_current_that_a_car_leaves_is_found_and_given_on():
    cars = garage(4)
    plant = Plant(cars, equally(64))
    plant.run(60)
    assert plant.limits() == [16] * 4
    cars[0].wants = 10
    plant.run(15)
    assert min(plant.limits()[1:]) >= 17
    cars[0].wants = 32
    plant.run(60)
    assert plant.limits() == pytest.approx([16] * 4, abs=0.2)
    assert plant.worst_over_a <= 1e-6


def test_case_16_a_fifth_car_waits_or_swaps_once():
    cars = [*garage(4), Car(4, plugged_at=100)]
    plant = Plant(cars, equally(24), dynamic=False)
    for _ in range(12):
        before = [car.starts for car in cars]
        plant.run(300)
        assert all(car.starts - start <= 1 for car, start in zip(cars, before, strict=True))
        assert sum(bool(limit) for limit in plant.limits()) == 4
    assert cars[4].starts >= 1


@pytest.mark.parametrize(("follows_s", "over_s"), [(2.0, 3.5), (5.0, 6.5)])
def test_case_17_a_step_of_the_building_is_answered_by_the_next_decision(follows_s, over_s):
    plant = Plant(garage(12, follows_s=follows_s), equally(150), step_at(60, equally(10), (35, 10, 10)))
    plant.run(60)
    before = sum(plant.limits())
    plant.run(1)
    assert before - sum(plant.limits()) >= 24.9
    plant.run(60)
    assert plant.longest_over_s <= over_s
    assert plant.limits() == pytest.approx([plant.limits()[0]] * 12)
    assert sum(plant.limits()) == pytest.approx(115, abs=1.3)


def test_case_18_who_ignores_its_limit_is_covered_by_the_others_and_set_apart_alone():
    cars = garage(4)
    plant = Plant(cars, equally(64), step_at(60, equally(0), equally(20)))
    plant.run(60)
    cars[0].obeys = False
    decision = plant.run(40)
    assert max(plant.grid()) <= 64
    assert plant.longest_over_s <= 14
    codes = [reason.code for reason in decision.reasons.values()]
    assert codes == [ReasonCode.IGNORES_LIMIT, *[ReasonCode.LINE_FULL] * 3]
    assert plant.limits()[1:] == pytest.approx([(64 - 20 - 16) / 3] * 3, abs=0.1)


def test_case_19_a_silent_meter_holds_increases_at_3_s_and_brings_fail_safe_at_10_s():
    cars = garage(3, fail_safe=8.0)
    cars[0].unplugged_at = 61
    plant = Plant(cars, equally(48))
    plant.run(60)
    assert plant.limits() == [16, 16, 16]
    plant.meter_works = False
    plant.run(2)
    states = []
    for _ in range(12):
        states.append(plant.run(1).state)
        if states[-1] != "fail_safe":
            assert plant.limits()[1:] == [16, 16]
    assert states == ["operational"] + ["meter_old"] * 6 + ["fail_safe"] * 5 or states[:7].count("meter_old") == 7
    assert plant.limits()[1:] == [8, 8]
    assert str(plant.decisions[-1][1].reasons[1]) == "meter silent: fail-safe current"
    plant.meter_works = True
    plant.run(5)
    assert plant.limits()[1:] == [8, 8]
    plant.run(30)
    assert plant.limits()[1:] == [24, 24]


@pytest.mark.parametrize("bad", [(nan, 0, 0), (0, inf, 0), (0, 0, 151), (0, -151, 0)])
def test_case_20_an_impossible_reading_counts_as_none(bad):
    decision = fresh().decide(look(connector(fail_safe=7.0), grid=bad))
    assert (decision.state, decision.allocations) == ("fail_safe", {"a": 7})


def frozen(now, *, jitter):
    drawn = (10 + jitter * (now // 10 % 2),) * 3
    return look(connector(drawn=drawn, drawn_at=now // 10 * 10, accepted=12.0), now=now, grid=equally(20))


def test_case_20_a_reading_that_never_moves_while_stations_do_counts_as_none():
    controller = fresh()
    states = [controller.decide(frozen(now, jitter=0.5)).state for now in range(100)]
    assert states[59] == "operational"
    assert states[80] == "fail_safe"


def test_a_quiet_installation_may_read_the_same_for_long():
    controller = fresh()
    assert {controller.decide(frozen(now, jitter=0)).state for now in range(200)} == {"operational"}


def test_case_21_a_station_offline_stays_reserved_at_what_it_accepted():
    cars = garage(3)
    plant = Plant(cars, equally(48))
    plant.run(60)
    cars[0].connected = False
    cars[0].unplugged_at = inf
    cars[0].wants = 6
    decision = plant.run(120)
    assert decision.allocations[0] == 16
    assert str(decision.reasons[0]) == "disconnected: 16.0 A reserved"
    assert plant.limits() == pytest.approx([16, 16, 16], abs=0.1)
    cars[0].wants = 32
    plant.run(20)
    assert plant.worst_over_a <= 0.1


def test_case_22_a_station_that_returns_raises_nobody_before_it_has_reported():
    cars = garage(3)
    plant = Plant(cars, equally(48))
    plant.run(60)
    cars[0].connected = False
    plant.run(60)
    cars[0].connected, cars[0].report_at = True, plant.now + 30
    plant.run(29)
    assert plant.limits() == pytest.approx([16, 16, 16], abs=0.1)
    assert plant.worst_over_a <= 1e-6


def test_case_23_a_restart_under_load_stops_and_raises_nobody_before_all_have_reported():
    cars = garage(12)
    plant = Plant(cars, equally(150), constant(10, 10, 10))
    plant.run(60)
    before = plant.limits()
    for number, car in enumerate(cars):
        if number >= 3:
            car.measures, car.report_at = False, inf
    plant.controller = fresh()
    plant.usable = equally(170)
    assert plant.run(20).state == "starting"
    assert plant.limits() == before
    for car in cars[3:]:
        car.measures, car.report_at = True, plant.now
    plant.run(20)
    assert min(plant.limits()) > max(before)


def test_case_24_in_a_swap_the_sum_stays_within_the_limit_at_every_instant():
    cars = [Car(0, follows_s=5), Car(1, follows_s=5, report_at=2)]
    cars[1].cap = 6.0
    plant = Plant(cars, equally(22))
    plant.run(60)
    assert plant.limits() == [16, 6]
    cars[0].cap, cars[1].cap = 6.0, inf
    plant.run(60)
    assert plant.limits() == [6, 16]
    assert plant.worst_over_a <= 1e-6
    assert plant.worst_claim_a <= 1e-6


def test_case_25_noise_of_the_building_neither_ratchets_nor_raises_more_than_each_10_s():
    chance = random.Random(1)
    noise = [chance.uniform(-2, 2) for _ in range(2000)]
    cars = garage(4)
    plant = Plant(cars, equally(60), lambda now: equally(15 + noise[int(now)]))
    plant.run(600)
    for car in cars:
        assert all(later - earlier >= 10 for earlier, later in zip(car.raises, car.raises[1:], strict=False))
    middle = sum(plant.limits())
    assert 60 - 17.1 - 2 <= middle <= 60 - 15
    plant.run(600)
    assert sum(plant.limits()) == pytest.approx(middle, abs=2)


def test_case_26_headroom_about_the_minimum_starts_nobody():
    plant = Plant(garage(1), equally(30), lambda now: equally(23.9 if int(now) % 7 < 3 else 24.1))
    plant.run(600)
    assert plant.cars[0].starts == 0


def test_case_27_a_station_of_whole_amperes_gets_whole_amperes():
    decision = fresh(dynamic=False).decide(look(connector(step=1.0), limit=equally(13.9)))
    assert decision.allocations == {"a": 13}
    assert fresh(dynamic=False).decide(look(connector(), limit=equally(13.9))).allocations == {"a": 13.9}


def test_a_minimum_between_two_steps_is_rounded_up():
    station = connector(step=1.0, minimum=6.5)
    assert fresh(dynamic=False).decide(look(station, limit=equally(7.5))).allocations == {"a": 7}
    assert fresh(dynamic=False).decide(look(station, limit=equally(6.9))).allocations == {"a": 0}


def test_case_28_a_rejected_decrease_stays_counted():
    cars = [Car(0), Car(1, report_at=2, plugged_at=30)]
    plant = Plant(cars, equally(32), dynamic=False)
    plant.run(30)
    cars[0].rejects = True
    plant.run(60)
    assert plant.limits() == [32, 0]
    assert plant.worst_claim_a <= 1e-6


def test_case_29_a_full_car_frees_its_current_and_may_wake_later():
    cars = garage(4)
    plant = Plant(cars, equally(64))
    plant.run(60)
    cars[0].wants = 0
    decision = plant.run(20)
    assert str(decision.reasons[0]) == "car takes no more"
    assert plant.limits() == pytest.approx([6, 19.3, 19.3, 19.3])
    cars[0].wants = 32
    plant.run(60)
    assert plant.limits() == pytest.approx([16] * 4, abs=0.2)


def test_case_30_nested_circuits_both_hold():
    circuits = (Circuit("outer", equally(32)), Circuit("inner", equally(16), "outer"))
    cars = [*garage(3, circuit="inner"), Car("first", circuit="inner", priority=1), Car("out", circuit="outer")]
    plant = Plant(cars, equally(100), dynamic=False, circuits=circuits)
    plant.run(120)
    assert sum(plant.limits()[:4]) <= 16
    assert sum(plant.limits()) <= 32
    assert plant.limits()[3] == 8
    assert plant.limits()[4] == 16


def test_case_31_when_a_thousand_stations_return_together_nobody_is_stopped_or_raised_before_it_has_reported():
    cars = [Car(number, (number % 3,), phases=1, report_at=number % 5 + 0.5) for number in range(1000)]
    plant = Plant(cars, equally(4000), constant(100, 100, 100))
    plant.run(20)
    before = plant.limits()
    assert min(before) >= 6
    for car in cars:
        car.connected = False
    plant.run(5)
    for car in cars:
        car.connected, car.report_at = True, plant.now + 10 + car.key % 5
    plant.run(10)
    assert plant.limits() == before
    plant.run(15)
    assert min(plant.limits()) >= min(before)
    assert plant.worst_over_a <= 1e-6
    assert plant.worst_claim_a <= 1e-6
