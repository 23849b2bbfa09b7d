"""Transformers that are swapped or the wrong way round are found from what cars draw; a building is no such fault."""

import random
from dataclasses import replace

import pytest

from energy.allocation import Controller, Timing
from energy.allocation.transformers import CERTAIN, TURNED, Transformers
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import equally


class Miswired(Plant):
    """A plant whose meter shows the lines in another order, or with another sign."""

    order, signs = (0, 1, 2), (1, 1, 1)

    def observation(self):
        seen = super().observation()
        grid = [0.0, 0.0, 0.0]
        for line, there in enumerate(self.order):
            grid[there] = seen.grid[line] * self.signs[there]
        return replace(seen, grid=tuple(grid))


def restless(seed, high_a=12.0):
    """Make a building of steps each 40 s, with noise of 2 A each second."""
    chance = random.Random(seed)
    levels = [tuple(chance.uniform(5, 5 + high_a) for _ in range(3)) for _ in range(100)]
    noise = [tuple(chance.uniform(-2, 2) for _ in range(3)) for _ in range(300)]
    return lambda now: tuple(map(sum, zip(levels[int(now) // 40 % 100], noise[int(now) % 300], strict=True)))


def single_phase_cars(count=6):
    """Make cars that come and go, each on one line."""
    return [
        Car(n, (n % 3,), phases=1, fail_safe=6.0, report_at=n + 0.5, plugged_at=90.0 * n, report_s=10)
        for n in range(count)
    ]


def play(order=(0, 1, 2), signs=(1, 1, 1), *, minutes=30, seed=1, cars=None):
    plant = Miswired(cars or single_phase_cars(), equally(60), restless(seed))
    plant.order, plant.signs = order, signs
    for _ in range(minutes):
        plant.run(60)
        if plant.controller.transformers.fault is not None:
            break
    return plant


@pytest.mark.parametrize("seed", range(2))
def test_a_restless_building_is_no_fault_of_the_transformers(seed):
    plant = play(seed=seed, minutes=25)
    found = plant.controller.transformers
    assert found.fault is None
    assert found.doubts[0] < CERTAIN / 2
    assert max(found.doubts) >= CERTAIN


@pytest.mark.parametrize(
    ("order", "shifted"),
    [((0, 2, 1), ((1, 2), (2, 1))), ((1, 2, 0), ((0, 1), (1, 2), (2, 0)))],
)
def test_case_20_swapped_transformers_are_found_within_half_an_hour_and_their_readings_refused(order, shifted):
    plant = play(order)
    fault = plant.controller.transformers.fault
    assert fault is not None
    assert set(fault.shifted) <= set(shifted)
    while not fault.is_certain and plant.now < 1800:
        plant.run(60)
        fault = plant.controller.transformers.fault
    assert (fault.shifted, fault.is_certain) == (shifted, True)
    plant.run(15)
    assert plant.decisions[-1][1].state == "fail_safe"
    assert max(plant.limits()) <= 6


def test_a_line_that_falls_when_cars_rise_has_its_transformer_the_wrong_way_round():
    fault = play(signs=(1, -1, 1)).controller.transformers.fault
    assert (fault.turned, fault.is_certain) == ((1,), True)


def test_a_building_that_feeds_in_is_not_taken_for_a_turned_transformer():
    plant = Miswired(single_phase_cars(), equally(60), lambda now: equally(-90 + now % 3))
    plant.run(600)
    found = plant.controller.transformers
    assert found.fault is None
    assert max(found.turns) <= 0


def test_a_meter_without_sign_on_a_line_that_feeds_in_is_not_taken_for_a_turned_transformer():
    """Such a line falls as cars rise, but reads more than the building draws: nothing is given away."""
    plant = Miswired(single_phase_cars(), equally(200), lambda now: equally(-90 + now % 3))
    plant.signs = (-1, -1, -1)
    plant.run(600)
    assert plant.controller.transformers.fault is None


def test_one_station_wired_otherwise_than_entered_is_told_and_refuses_no_reading():
    cars = [Car(0, (0,), phases=1, report_s=10), Car(1, (2,), phases=1, report_at=3, report_s=10)]
    plant = Miswired(cars, equally(60), restless(1))
    plant.order = (1, 0, 2)
    for n in range(10):
        cars[n % 2].wants = 32.0 if cars[n % 2].wants == 8.0 else 8.0
        plant.run(120)
    fault = plant.controller.transformers.fault
    assert (fault.shifted[0], fault.keys, fault.is_certain) == ((0, 1), (0,), False)
    assert plant.decisions[-1][1].state == "operational"


def test_what_was_found_is_remembered_by_the_next_control_worker_and_forgotten_when_it_is_mended():
    plant = play((1, 0, 2))
    again = Controller(Timing(), dynamic=True)
    again.restore(plant.controller.dump())
    assert again.transformers.fault.shifted == plant.controller.transformers.fault.shifted
    again.transformers.forget()
    assert again.transformers.fault is None
    assert Transformers(Timing()).dump() == again.transformers.dump()


@pytest.mark.parametrize(
    ("doubts", "turns"),
    [((CERTAIN - 10, 0, 80, 80, 80, 80), (0, 0, 0)), ((0, 0, 0, 0, 0, 0), (TURNED - 10, 0, 0))],
)
def test_what_was_found_once_is_not_doubted_because_the_control_worker_began_anew(doubts, turns):
    state = {"doubts": doubts, "turns": turns, "keys": [1, 2]}
    found, unfound = Transformers(Timing()), Transformers(Timing())
    found.restore({**state, "has_fault": True})
    unfound.restore({**state, "has_fault": False})
    again = Transformers(Timing())
    again.restore(found.dump())
    assert again.fault == found.fault
    assert again.fault.is_certain
    assert unfound.fault is None


def test_a_memory_from_before_it_was_watched_is_restored():
    memory = Controller(Timing(), dynamic=True).dump()
    del memory["transformers"]
    Controller(Timing(), dynamic=True).restore(memory)


def test_another_rotation_begins_anew():
    plant = play((1, 0, 2))
    for car in plant.cars:
        car.wiring = ((1, 0, 2)[car.wiring[0]],)
    plant.run(30)
    assert plant.controller.transformers.fault is None
    plant.run(600)
    assert plant.controller.transformers.fault is None
