"""What the controller decides over time, besides the numbered cases."""

import json
import random
from dataclasses import replace
from math import inf, nan

import pytest

from energy.allocation import (
    REASON_TEXTS,
    Circuit,
    Reason,
    ReasonCode,
    Timing,
)
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import connector, constant, equally, fresh, garage, look, step_at


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


def test_a_place_changes_hands_only_for_a_difference_of_more_than_half_a_turn():
    plant = Plant(garage(2), equally(10), dynamic=False)
    plant.run(300)
    plant.usable = equally(0)
    plant.run(100)
    plant.usable = equally(10)
    plant.run(580)
    assert plant.limits() == [0, 10]
    plant.run(900)
    assert plant.limits() == [10, 0]


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


def test_a_car_that_stops_in_the_second_in_which_the_building_rises_does_not_hide_the_rise():
    def building(now):
        return equally(20 if now < 49 else 14 if now < 59 else 18)

    plant = Plant(garage(4), equally(60), building)
    plant.run(59)
    assert plant.limits() == [10] * 4
    plant.cars[3].wants = 0
    plant.run(20)
    assert plant.worst_claim_a <= 1e-6
    assert sum(plant.limits()) == pytest.approx(42, abs=0.4)


def test_a_car_that_takes_less_and_less_does_not_hide_a_rise_of_the_building_between_two_samples():
    def building(now):
        return equally(20 if now < 49 else 14 if now < 63 else 14.6)

    cars = garage(4)
    cars[3].report_at = 4.5
    plant = Plant(cars, equally(60), building)
    plant.run(20)
    for _ in range(45):
        plant.run(1)
        cars[3].wants = 0.99 * min(cars[3].wants, 9.0)
    assert plant.worst_claim_a <= 1e-6
    assert sum(plant.limits()) > 42


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


@pytest.mark.parametrize(("building_a", "told"), [(20.0, [9, 9]), (36.0, [7, 7]), (40.0, [9, 0]), (46.0, [0, 0])])
def test_with_a_silent_meter_nobody_is_raised_into_what_the_building_took_when_it_was_last_seen(building_a, told):
    controller = fresh()
    cars = connector("a", fail_safe=9.0), connector("b", fail_safe=9.0)
    controller.decide(look(*cars, grid=equally(building_a)))
    decision = controller.decide(replace(look(*cars, now=20.0), grid_at=0.0))
    assert (decision.state, list(decision.allocations.values())) == ("fail_safe", told)


def test_with_a_silent_meter_a_circuit_holds():
    cars = [connector(key, fail_safe=9.0, circuit="attic") for key in "ab"]
    seen = look(*cars, circuits=(Circuit("attic", equally(16)),))
    assert list(fresh().decide(seen).allocations.values()) == [8, 8]


def test_when_the_meter_falls_silent_nobody_is_raised_into_what_another_has_not_given_back_yet():
    cars = garage(2, fail_safe=12.0, follows_s=4.0)
    cars[1].wants = 6.0
    plant = Plant(cars, equally(26))
    plant.run(45)
    assert plant.limits() == [18, 8]
    plant.meter_works = False
    plant.run(13)
    assert plant.limits() == [12, 8]
    plant.run(20)
    assert plant.limits() == [12, 12]
    assert plant.worst_claim_a <= 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_where_a_meter_falls_silent_again_and_again_commands_never_add_up_to_more_than_a_fuse(seed):
    chance = random.Random(seed)
    cars = [
        Car(n, chance.choice([(0, 1, 2), (1, 2, 0), (0,)]), report_at=n + 0.5, follows_s=chance.choice([2.0, 5.0]),
            wants=chance.choice([6.0, 10.0, 32.0]), fail_safe=chance.choice([0.0, 6.0, 8.0, 12.0, 16.0]))
        for n in range(5)
    ]  # fmt: skip
    plant = Plant(cars, equally(45), constant(8, 5, 2))
    plant.run(20)
    for _ in range(8):
        plant.meter_works = not plant.meter_works
        plant.run(chance.choice([12, 25, 60]))
    assert plant.worst_claim_a <= 1e-6


def test_a_station_that_ignores_its_limit_is_not_told_more_when_the_meter_falls_silent():
    car = Car(0, fail_safe=16.0, wants=20.0)
    plant = Plant([car], equally(50))
    plant.run(30)
    car.obeys, car.cap = False, 7.5
    plant.run(30)
    car.cap = inf
    plant.meter_works = False
    decision = plant.run(30)
    assert (decision.state, plant.limits()) == ("fail_safe", [7.5])


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


def test_who_waits_for_the_static_current_waits():
    circuits = [Circuit("static", equally(8))]
    seen = look(connector(circuit="static"), connector("b", circuit="static"), limit=equally(63), circuits=circuits)
    assert str(fresh(dynamic=False).decide(seen).reasons["b"]) == "waiting: 0 ahead"


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


@pytest.mark.parametrize("lines", [(0,), (0, 1, 2)])
def test_a_building_that_moves_a_little_while_cars_begin_does_not_stop_them(lines):
    moved = [12.0 if line in lines else 10.0 for line in range(3)]
    plant = Plant(garage(3), equally(40), step_at(2, equally(10), tuple(moved)))
    plant.run(60)
    assert [car.starts for car in plant.cars] == [1, 1, 1]
    assert plant.limits() == pytest.approx([28 / 3] * 3, abs=0.2)
    assert plant.longest_over_s <= 3.5


@pytest.mark.parametrize("apart_s", [0, 0.5, 2])
def test_cars_that_begin_together_at_standing_currents_that_do_not_fit_are_lowered_and_not_stopped(apart_s):
    cars = [replace(car, fail_safe=8.4, plugged_at=5 + at * apart_s) for at, car in enumerate(garage(6))]
    plant = Plant(cars, equally(50.4), lambda _now: equally(10))
    plant.run(5)
    for car in cars:
        car.coming.append((car.plugged_at + 1, 8.4))  # the contactor closes a second after the session has begun
    plant.run(120)
    assert [car.starts for car in cars] == [1] * 6
    assert plant.limits() == pytest.approx([40.4 / 6] * 6, abs=0.1)


def test_a_step_of_the_building_while_cars_begin_is_still_answered_in_full():
    plant = Plant(garage(3), equally(60), step_at(1, equally(10), (45, 10, 10)))
    plant.run(60)
    assert plant.longest_over_s <= 3.5
    assert max(plant.grid()) <= 60


def test_a_full_car_gives_up_its_minimum_to_those_who_want_more_and_is_tried_again_later():
    cars = garage(3)
    cars[0].wants = 0.0
    plant = Plant(cars, equally(30))
    plant.run(250)
    assert plant.limits() == pytest.approx([6, 12, 12])
    plant.run(100)
    assert plant.limits() == pytest.approx([0, 15, 15])
    assert str(plant.decisions[-1][1].reasons[0]) == "car takes no more"
    cars[0].wants = 32.0
    plant.run(1900)
    assert plant.limits() == pytest.approx([10, 10, 10], abs=0.2)
    assert plant.worst_over_a <= 1e-6


def test_a_full_car_keeps_what_nobody_else_can_use():
    cars = garage(2, wants=16.0)
    cars[0].wants = 0.0
    plant = Plant(cars, equally(40))
    plant.run(2500)
    assert plant.limits()[0] == 6
    assert cars[0].starts == 1


def test_a_car_that_was_stopped_is_started_again_on_headroom_that_stayed_longer_each_time():
    def swings(now):
        return equally(26 if now > 400 and now % 400 < 5 else 20)

    plant = Plant(garage(1, maximum=16.0), equally(30), swings)
    plant.run(3600)
    assert 2 <= plant.cars[0].starts <= 5


def test_small_raises_are_not_put_off_for_ever_by_small_decreases():
    cars = garage(10, maximum=16.0)
    plant = Plant(cars, equally(120), lambda now: equally(10 if now < 300 else 6 if now % 20 else 6.5))
    plant.run(300)
    before = sum(plant.limits())
    plant.run(300)
    assert sum(plant.limits()) >= before + 3
