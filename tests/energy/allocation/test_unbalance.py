"""The lines of what is charged are kept close together, whatever cars and stations do."""

import json
import random
from dataclasses import replace
from math import inf

import pytest

from energy.allocation import Circuit, Controller, Reason, ReasonCode, Timing, fall_back
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import connector, constant, equally, look

LINES = [(0,), (1,), (2,)]
SINGLE = [*LINES, (0, 1, 2), (1, 2, 0)]


def loads(cars, current_of):
    """Add up what cars of known phases load each line with, A."""
    found = [0.0, 0.0, 0.0]
    for car in cars:
        for line in car.wiring[: car.phases]:
            found[line] += current_of(car)
    return found


def apart(lines):
    return max(lines) - min(lines)


def test_a_single_phase_car_alone_gets_no_more_than_the_limit():
    plant = Plant([Car(0, wiring=(1,))], equally(50), unbalance_a=20.0)
    decision = plant.run(30)
    assert plant.limits() == [20]
    assert decision.reasons[0] == Reason(ReasonCode.UNBALANCE, {"line": "L2", "above_a": 20.0, "other": "L1"})
    assert str(decision.reasons[0]) == "unbalance: L2 20.0 A above L1"


def test_single_phase_cars_are_lowered_and_three_phase_cars_are_not():
    cars = [Car(0, wiring=(0,)), Car(1), Car(2, wiring=(0,), report_at=1)]
    plant = Plant(cars, equally(80), unbalance_a=16.0)
    plant.run(120)
    assert plant.limits() == [8, 32, 8]


def test_cars_on_all_lines_hold_each_other_up_once_they_draw():
    cars = [Car(n, wiring=lines, report_at=n + 0.5) for n, lines in enumerate(LINES)]
    plant = Plant(cars, equally(50), unbalance_a=20.0)
    plant.run(3)
    assert plant.limits() == [20, 20, 20]
    plant.run(60)
    assert plant.limits() == [32, 32, 32]


def test_who_would_fall_below_the_minimum_waits_and_says_why():
    cars = [Car(n, wiring=(2,), report_at=n + 0.5) for n in range(4)]
    plant = Plant(cars, equally(63), unbalance_a=20.0)
    decision = plant.run(60)
    assert sorted(plant.limits()) == [0, 6.6, 6.6, 6.6]
    assert {decision.reasons[car.key].code for car in cars} == {ReasonCode.UNBALANCE}


def test_a_car_that_leaves_lowers_those_it_held_up_at_once():
    cars = [Car(n, wiring=lines, report_at=n + 0.5) for n, lines in enumerate(LINES)]
    plant = Plant(cars, equally(50), unbalance_a=20.0)
    plant.run(60)
    cars[2].unplugged_at = plant.now
    plant.decide()
    assert plant.limits()[:2] == [20, 20]


def test_a_car_lowered_by_its_own_circuit_lowers_the_others_in_the_same_decision():
    cars = [Car(0, wiring=(0,)), Car(1, wiring=(1,), report_at=1), Car(2, wiring=(2,), report_at=2, circuit="c")]
    plant = Plant(cars, equally(50), circuits=(Circuit("c", equally(32)),), unbalance_a=20.0)
    plant.run(60)
    plant.circuits = (Circuit("c", equally(8)),)
    plant.decide()
    assert plant.limits() == [28, 28, 8]


def test_one_sample_shows_that_a_car_at_a_three_phase_station_has_one_phase():
    plant = Plant([Car(0, phases=1)], equally(50), unbalance_a=20.0)
    plant.run(12)
    assert plant.limits() == [20]


def test_a_station_out_of_reach_keeps_what_it_may_draw_and_the_others_get_the_rest():
    cars = [Car(0, wiring=(0,)), Car(1, wiring=(0,), report_at=1)]
    plant = Plant(cars, equally(50), unbalance_a=20.0)
    plant.run(60)
    cars[0].connected = False
    cars[0].wants = 0.0
    plant.run(60)
    assert plant.limits() == [10, 10]


def test_a_silent_meter_tells_fail_safe_currents_within_the_limit():
    cars = [Car(n, wiring=(0,), report_at=n + 0.5, fail_safe=10.0) for n in range(3)]
    plant = Plant(cars, equally(63), unbalance_a=20.0)
    plant.run(30)
    plant.meter_works = False
    decision = plant.run(20)
    assert decision.state == "fail_safe"
    assert apart(loads(cars, lambda car: car.accepted)) <= 20


def test_a_decision_that_could_not_be_made_tells_fail_safe_currents_within_the_limit():
    seen = look(*(connector(key, wiring=(0,), fail_safe=16.0) for key in "ab"), connector("c", fail_safe=16.0))
    assert fall_back(replace(seen, unbalance_a=20.0)).allocations == {"a": 10, "b": 10, "c": 16}
    assert fall_back(seen).allocations == {"a": 16, "b": 16, "c": 16}


def random_garage(chance):
    """Make cars on any lines that come, go, taper, report late and lose their connection."""
    return [
        Car(
            number, wiring=chance.choice(SINGLE), wants=chance.choice([7.0, 10.0, 16.0, 32.0, 32.0]),
            follows_s=chance.choice([1.0, 2.0, 5.0]), report_s=chance.choice([5.0, 10.0]),
            report_at=chance.random() * 5, plugged_at=chance.uniform(0, 120),
            unplugged_at=chance.choice([inf, inf, chance.uniform(150, 400)]), step=chance.choice([0.1, 1.0]),
            priority=chance.choice([0, 0, 1]),
        )
        for number in range(chance.choice([2, 4, 7, 12]))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_in_any_garage_the_lines_stay_together_and_the_promises_hold(seed):
    chance = random.Random(seed)
    cars = random_garage(chance)
    limit_a, usable = chance.choice([6.0, 16.0, 20.0]), chance.choice([20.0, 40.0, 100.0])
    is_dynamic = chance.random() < 0.7
    building = constant(3, 0, 8) if is_dynamic else constant(0, 0, 0)
    plant = Plant(cars, equally(usable), building, unbalance_a=limit_a, dynamic=is_dynamic)
    left_at = 0.0
    for _ in range(300):
        plant.run(1)
        decided_at = plant.now - 1
        here = [car for car in cars if car.is_charging(decided_at)]
        assert apart(loads(here, lambda car: car.accepted or 0.0)) <= limit_a + 1e-6
        assert all(not car.accepted or 6 <= car.accepted <= 32 for car in here)
        if any(car.unplugged_at <= decided_at < car.unplugged_at + 1 for car in cars):
            left_at = decided_at
        is_falling = any(limit < car.in_force for car in here for _, limit in car.coming)
        if not is_falling and decided_at - left_at > 10:
            assert apart(loads(here, lambda car, at=decided_at: max(car.draw(at)))) <= limit_a + 1e-6
    assert plant.worst_claim_a <= 0.5 * len(cars)  # so close to its limit a car counts as having followed


@pytest.mark.parametrize("seed", range(4))
def test_a_limit_nobody_reaches_changes_nothing(seed):
    runs = []
    for unbalance_a in (inf, 10_000.0):
        chance = random.Random(seed)
        plant = Plant(random_garage(chance), equally(40), constant(3, 0, 8), unbalance_a=unbalance_a)
        plant.run(120)
        runs.append([(at, decision.allocations, decision.reasons) for at, decision in plant.decisions])
    assert runs[0] == runs[1]


def test_a_new_control_worker_goes_on_within_the_limit():
    cars = [Car(n, wiring=lines, report_at=n + 0.5) for n, lines in enumerate(LINES)]
    plant = Plant(cars, equally(50), unbalance_a=20.0)
    plant.run(60)
    memory = json.loads(json.dumps(plant.controller.dump()))
    plant.controller = Controller(Timing(), dynamic=True)
    plant.controller.restore(memory)
    plant.run(5)
    assert plant.limits() == [32, 32, 32]
