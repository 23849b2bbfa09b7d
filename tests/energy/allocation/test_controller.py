import json
import random
from dataclasses import replace
from math import inf, nan

import pytest

from energy.allocation import (
    REASON_TEXTS,
    Circuit,
    ConnectorSeen,
    Controller,
    Observation,
    Reason,
    ReasonCode,
    Timing,
)
from tests.energy.allocation.plant import Car, Plant


def equally(limit):
    return (limit, limit, limit)


def constant(*lines):
    return lambda _: lines


def step_at(when, before, after):
    return lambda now: after if now >= when else before


def garage(count, **more):
    return [Car(number, report_at=number % 5 + 0.5, **more) for number in range(count)]


def connector(key="a", **more):
    usual = {
        "wiring": (0, 1, 2), "minimum": 6.0, "maximum": 32.0, "charging": True, "drawn": (0.0, 0.0, 0.0),
        "drawn_at": 0.0, "connected": True, "accepted": None, "fail_safe": 0.0,
    }  # fmt: skip
    return ConnectorSeen(key, **{**usual, **more})


def look(*connectors, now=0.0, limit=(50, 50, 50), grid=None, circuits=()):
    return Observation(now, limit, grid, now, tuple(circuits), connectors)


def fresh(*, dynamic=True, **timing):
    return Controller(Timing(**timing), dynamic=dynamic)


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
    plant.run(20)
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


def test_six_cars_come_to_rest_at_equal_shares_within_an_ampere_of_the_fuse():
    cars = [Car(n, plugged_at=7.0 * n, report_s=10, report_at=n + 0.5) for n in range(6)]
    plant = Plant(cars, equally(50.4), constant(10, 10, 10))
    plant.run(180)
    assert plant.limits() == pytest.approx([6.7] * 6)
    assert all(49.4 <= flow <= 50.4 for flow in plant.grid())
    assert plant.worst_over_a <= 1e-6
    assert plant.worst_claim_a <= 1e-6


def test_a_car_that_was_stopped_stays_off_for_a_minute():
    plant = Plant(garage(2), equally(12), dynamic=False)
    plant.run(20)
    plant.usable = equally(6)
    plant.run(5)
    assert sorted(plant.limits()) == [0, 6]
    plant.usable = equally(12)
    plant.run(54)
    assert sorted(plant.limits()) == [0, 12]
    plant.run(20)
    assert plant.limits() == [6, 6]


def test_a_car_that_was_started_stays_on_for_five_minutes_even_if_a_more_important_one_comes():
    plant = Plant([Car(0), Car(1, priority=1, plugged_at=30, report_at=1)], equally(10), dynamic=False)
    plant.run(300)
    assert plant.limits() == [10, 0]
    plant.run(20)
    assert plant.limits() == [0, 10]


def test_a_turn_that_has_just_begun_is_not_ended_by_the_next_epoch():
    plant = Plant([Car(0, plugged_at=700), Car(1, plugged_at=701, report_at=1)], equally(10), dynamic=False)
    plant.run(1790)
    assert plant.limits() == [10, 0]
    plant.run(40)
    assert plant.limits() == [0, 10]


def test_a_place_that_rotates_needs_no_more_headroom_than_was_used_already():
    plant = Plant(garage(4), equally(40), step_at(100, equally(19), equally(21.5)))
    plant.run(890)
    assert [bool(limit) for limit in plant.limits()] == [True, True, True, False]
    plant.run(60)
    assert plant.limits()[3] >= 6
    assert sum(bool(limit) for limit in plant.limits()) == 3


def test_a_newcomer_does_not_make_up_for_the_time_it_was_not_there():
    cars = [Car(0), Car(1, report_at=1), Car(2, report_at=2, plugged_at=6000)]
    plant = Plant(cars, equally(10), dynamic=False)
    turns = []
    for _ in range(14):
        plant.run(900)
        turns.append(plant.limits().index(10))
    assert turns[8:].count(2) <= 3


def test_a_silent_decrease_that_is_ignored_is_covered_six_seconds_later():
    cars = garage(4, report_s=1000)
    plant = Plant(cars, equally(64), step_at(60, equally(0), equally(20)))
    plant.run(60)
    cars[0].obeys = False
    plant.run(9)
    assert sum(plant.limits()[1:]) < 3 * 11 - 3


def test_a_car_that_takes_less_is_offered_a_little_more_each_minute():
    plant = Plant([Car(0, wants=10)], equally(48))
    told = set()
    for _ in range(120):
        plant.run(1)
        told.add(plant.limits()[0])
    assert told == {32, 12, 14}


def test_where_the_building_moves_places_rotate_without_admitting_more_than_before():
    plant = Plant(garage(5), equally(35), lambda now: equally(10.5 + 0.5 * (int(now) % 3)))
    plant.run(30)
    plant.worst_over_a = 0.0
    for _ in range(8):
        plant.run(900)
        assert sum(bool(limit) for limit in plant.limits()) == 3
    starts = [car.starts for car in plant.cars]
    assert min(starts) >= 2
    assert max(starts) <= 9
    assert plant.worst_over_a <= 1e-6


def test_while_the_meter_is_old_nobody_is_lowered_for_somebody_who_cannot_be_raised():
    cars = garage(3)
    plant = Plant(cars, equally(48))
    plant.run(60)
    plant.meter_works = False
    plant.run(4)
    cars[0].cap = 10.0
    cars.append(Car("late", plugged_at=plant.now))
    decision = plant.run(2)
    assert decision.state == "meter_old"
    assert plant.limits() == [10, 16, 16, 0]
    assert str(decision.reasons["late"]) == "meter reading old: no increase"


def test_a_small_decrease_of_a_cap_is_sent_at_once():
    plant = Plant(garage(1), equally(48))
    plant.run(30)
    plant.cars[0].cap = 31.5
    plant.run(1)
    assert plant.limits() == [31.5]


def test_a_phase_that_was_free_is_taken_back_as_soon_as_it_draws():
    plant = Plant([Car(0, phases=1), Car(1, (1, 2, 0), phases=1)], equally(40), dynamic=False)
    plant.run(95)
    assert plant.limits() == [32, 32]
    plant.cars[0].phases = 3
    plant.run(10)
    assert plant.limits() == [20, 20]


def test_a_car_that_takes_a_steady_current_is_not_told_anew_at_every_sample():
    car = Car(0, wants=10)
    plant = Plant([car], equally(48))
    told = []
    for second in range(50):
        car.wants = 10 + 0.3 * (second % 2)
        plant.run(1)
        told.append(plant.limits()[0])
    assert sorted(set(told[30:])) == [told[-1]]
    assert 12 <= told[-1] <= 12.3


def test_a_sample_that_is_no_number_changes_nothing():
    plant = Plant(garage(1), equally(30), constant(10, 10, 10))
    plant.run(30)
    plant.cars[0].error = nan
    seen = replace(plant.observation().connectors[0], drawn=(nan, nan, nan), drawn_at=plant.now)
    observation = replace(plant.observation(), connectors=(seen,), grid=equally(30))
    assert plant.controller.decide(observation).allocations == {0: 20}


def test_a_broken_structure_is_not_passed_over():
    with pytest.raises(ValueError, match="nowhere"):
        fresh(dynamic=False).decide(look(connector(circuit="nowhere")))


def test_a_car_that_finds_plenty_is_served_by_the_first_decision():
    plant = Plant([Car(0, plugged_at=20)], equally(50), constant(10, 10, 10))
    plant.run(21)
    assert plant.limits() == [32]


def test_after_a_fall_of_the_building_current_is_given_only_when_it_has_stayed():
    plant = Plant(garage(4), equally(60), step_at(60, equally(20), equally(0)))
    plant.run(60)
    assert plant.limits() == [10] * 4
    plant.run(9)
    assert plant.limits() == [10] * 4
    plant.run(8)
    assert plant.limits() == [15] * 4


def test_a_cap_limits_and_a_cap_below_the_minimum_stops():
    controller = fresh(dynamic=False)
    decision = controller.decide(look(connector("a", cap=10.04), connector("b", cap=5.0)))
    assert decision.allocations == {"a": 10, "b": 0}
    assert str(decision.reasons["b"]) == "operator profile: at most 5.0 A"


def test_a_connector_without_a_car_has_nothing_and_says_so():
    decision = fresh(dynamic=False).decide(look(connector(charging=False)))
    assert (decision.allocations, str(decision.reasons["a"])) == ({"a": 0}, "not charging")


def test_without_any_reading_a_dynamic_installation_is_fail_safe_at_once():
    decision = fresh().decide(look(connector(fail_safe=9.0)))
    assert (decision.state, decision.allocations) == ("fail_safe", {"a": 9})


def test_a_static_installation_without_a_meter_is_never_silent():
    controller = fresh(dynamic=False)
    assert controller.decide(look(connector())).allocations == {"a": 32}
    assert controller.decide(look(connector(accepted=32.0), now=60.0)).state == "operational"


def test_a_static_installation_with_a_meter_leaves_room_for_the_building():
    assert fresh(dynamic=False).decide(look(connector(), grid=equally(30))).allocations == {"a": 20}


def test_the_static_current_is_named_as_the_reason():
    decision = fresh(dynamic=False).decide(
        look(connector(circuit="static"), limit=equally(63), circuits=[Circuit("static", equally(16))])
    )
    assert str(decision.reasons["a"]) == "static limit on L1 shared by 1"


def test_a_disconnected_station_that_never_accepted_anything_counts_at_its_fail_safe_current():
    decision = fresh(dynamic=False).decide(
        look(connector("off", connected=False, fail_safe=10.0), connector("on"), limit=equally(30))
    )
    assert decision.allocations == {"off": 10, "on": 20}


def test_stations_that_do_not_measure_are_still_used():
    plant = Plant(garage(3, measures=False), equally(50), constant(8, 8, 8))
    plant.run(120)
    assert plant.limits() == pytest.approx([14] * 3, abs=0.1)
    assert plant.worst_over_a <= 1e-6


def test_an_overload_with_stations_that_do_not_measure_is_answered_in_full():
    plant = Plant(garage(3, measures=False), equally(50), step_at(60, equally(8), equally(20)))
    plant.run(120)
    assert plant.longest_over_s <= 3.5
    assert max(plant.grid()) <= 50


def test_measurement_errors_of_stations_do_not_leave_an_overload_standing():
    plant = Plant(garage(6, error=1.02), equally(60), constant(10, 10, 10))
    plant.run(200)
    assert max(plant.grid()) <= 60.05


def test_the_state_can_be_saved_and_taken_up_in_mid_flight():
    one, other = (Plant(garage(5), equally(50), step_at(47, equally(10), equally(25))) for _ in range(2))
    for second in range(100):
        other.controller = restored(other.controller)
        assert one.run(1) == other.run(1), second


def restored(controller):
    copy = fresh()
    copy.restore(json.loads(json.dumps(controller.dump(), allow_nan=False)))
    return copy


@pytest.mark.parametrize("seed", [*range(8), 21, 45])
def test_whatever_the_building_and_the_cars_do_the_fuse_is_over_only_while_cars_follow(seed):
    chance = random.Random(seed)
    curve = [chance.choice([0, 10, 20, 30, 40]) for _ in range(40)]
    cars = [
        Car(n, chance.choice([(0, 1, 2), (1, 2, 0), (2,), (0,)]), maximum=chance.choice([16.0, 32.0]),
            report_s=chance.choice([5, 7, 10]), report_at=n % 5 + 0.5, plugged_at=chance.uniform(0, 400),
            unplugged_at=chance.choice([inf, chance.uniform(450, 700)]))
        for n in range(10)
    ]  # fmt: skip
    plant = Plant(cars, equally(70), lambda now: (curve[int(now) // 30], curve[int(now) // 30], 10))
    plant.run(900)
    assert plant.longest_over_s <= 3.5
    for _, decision in plant.decisions:
        assert all(current == 0 or 6 <= current <= 32 for current in decision.allocations.values())


@pytest.mark.parametrize("seed", [*range(5), 35])
def test_where_the_building_is_still_commands_never_add_up_to_more_than_the_fuse(seed):
    chance = random.Random(seed)
    cars = [
        Car(n, report_s=chance.choice([5, 10]), report_at=n % 5 + 0.5, follows_s=chance.choice([2.0, 5.0]),
            plugged_at=chance.uniform(0, 300), unplugged_at=chance.choice([inf, chance.uniform(350, 600)]),
            wants=chance.choice([8.0, 16.0, 32.0]))
        for n in range(8)
    ]  # fmt: skip
    plant = Plant(cars, equally(60), constant(12, 12, 12))
    plant.run(700)
    assert plant.worst_over_a <= 1e-6
    assert plant.worst_claim_a <= 1e-6


def test_every_code_has_a_sentence_and_every_reason_reads_as_one():
    assert set(REASON_TEXTS) == set(ReasonCode)
    assert str(Reason(ReasonCode.WAITING, {"ahead": 2})) == "waiting: 2 ahead"


def test_a_car_that_begins_above_its_standing_limit_is_given_its_share_and_not_stopped():
    controller = fresh(dynamic=False)
    idle = connector(charging=False, accepted=6.0, fail_safe=6.0)
    controller.decide(look(idle, limit=equally(20)))
    begun = replace(idle, charging=True, drawn=(9.5, 9.5, 9.5), drawn_at=1.0)
    decision = controller.decide(look(begun, now=1.0, limit=equally(20)))
    assert 9.5 <= decision.allocations["a"] <= 20


def test_a_car_that_goes_on_above_what_it_never_was_told_is_set_apart_in_the_end():
    controller = fresh(dynamic=False)
    idle = connector(charging=False, accepted=6.0, fail_safe=6.0)
    controller.decide(look(idle, limit=equally(3)))
    for second in range(1, 20):
        begun = replace(idle, charging=True, drawn=(9.5, 9.5, 9.5), drawn_at=float(second))
        decision = controller.decide(look(begun, now=float(second), limit=equally(3)))
        assert decision.allocations["a"] == 0
    assert decision.reasons["a"].code == ReasonCode.IGNORES_LIMIT


def test_a_clock_that_was_set_back_is_noticed_and_nothing_of_the_old_one_counts():
    controller = fresh()
    controller.decide(look(connector(), now=1000.0, grid=equally(10)))
    restored = fresh()
    restored.restore(json.loads(json.dumps(controller.dump())))
    for second in range(500, 520):
        decision = restored.decide(replace(look(connector(fail_safe=7.0), now=float(second)), grid_at=1000.0))
        assert decision.state == "fail_safe"
        assert decision.allocations["a"] == 7


@pytest.mark.parametrize("field", ["minimum", "maximum", "fail_safe", "cap", "accepted", "step", "drawn_at"])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_figure_that_is_none_never_stops_the_decision_of_others(field, value):
    controller = fresh(dynamic=False)
    for second in range(3):
        strange = connector("strange", **{field: value})
        decision = controller.decide(look(connector("good"), strange, now=float(second), limit=equally(20)))
        assert decision.allocations["good"] >= 6
        assert 0 <= decision.allocations["strange"] <= 20


def test_no_cap_that_is_a_number_is_no_permission():
    decision = fresh(dynamic=False).decide(look(connector(cap=nan), limit=equally(20)))
    assert decision.allocations["a"] == 0


def test_wild_samples_are_not_believed_and_the_sane_ones_after_them_count():
    controller = fresh()
    for second in range(60):
        drawn = equally(1e308) if 10 <= second < 14 else equally(0.0)
        cars = [connector(key, drawn=drawn, drawn_at=float(second)) for key in "ab"]
        decision = controller.decide(look(*cars, now=float(second), grid=equally(10)))
    assert all(limit_a >= 6 for limit_a in decision.allocations.values())


@pytest.mark.parametrize(
    "times",
    [{"beat_s": "1"}, {"beat_s": nan}, {"ramp_hold_s": 0}, {"probe_s": -1}, {"stale_meter_s": 61}, {"beat_s": 6}],
)
def test_times_that_cannot_be_are_refused_by_name(times):
    (name,) = times
    with pytest.raises(ValueError, match=name):
        Timing(**times)
