"""What holds the installation or a circuit down for a time: kept to at every instant, and named."""

import random

import pytest

from energy.allocation import Circuit, Controller, Cut, Observation, Reason, ReasonCode, Timing, fall_back
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import connector, constant, equally, look

TOP = ""
EXTERNAL = Reason(ReasonCode.EXTERNAL_LIMIT, {"limit_a": 20})
TABLE = Reason(ReasonCode.TIME_TABLE, {"limit_a": 40, "until": "2026-03-02T22:00+01:00"})
NO_LIMIT = equally(float("inf"))


def under(limit_a, *connectors, usable_a=50.0, grid=(0.0, 0.0, 0.0), now=0.0):
    """See connectors under a limit from outside."""
    top, cut = Circuit(TOP, equally(limit_a)), Cut(TOP, NO_LIMIT, EXTERNAL)
    return Observation(now, equally(usable_a), grid, now, (top,), connectors, (cut,))


@pytest.mark.parametrize("seed", range(2))
def test_what_is_commanded_stays_within_a_limit_that_moves_at_every_instant(seed):
    chance = random.Random(seed)
    cars = [
        Car(n, circuit=TOP, plugged_at=chance.uniform(0, 60), unplugged_at=chance.uniform(200, 900), report_at=n + 0.5)
        for n in range(5)
    ]
    plant = Plant(cars, equally(60), constant(8, 5, 2))
    limit_a, fell_at = 60.0, -60.0
    for _ in range(400):
        if chance.random() < 0.05:
            before, limit_a = limit_a, chance.choice([0.0, 5.0, 10.0, 16.0, 25.0, 40.0, 60.0])
            fell_at = plant.now if limit_a < before else fell_at
        plant.circuits = (Circuit(TOP, equally(limit_a)),)
        plant.run(1)
        charging = [car for car in cars if car.is_charging(plant.now)]
        assert sum(car.accepted or 0.0 for car in charging) <= limit_a + 1e-6
        if plant.now - fell_at > 10:
            assert sum(car.allowed(plant.now) for car in charging) <= limit_a + 1e-6


def test_a_lower_limit_counts_in_the_same_decision():
    plant = Plant([Car(0, circuit=TOP)], equally(50), circuits=(Circuit(TOP, equally(32)),))
    plant.run(30)
    assert plant.limits() == [32]
    plant.circuits = (Circuit(TOP, equally(10)),)
    plant.decide()
    assert plant.limits() == [10]


def test_a_car_that_is_held_down_says_by_what():
    controller = Controller(Timing(), dynamic=True)
    cars = [connector(key, circuit=TOP, accepted=10.0, drawn=(10, 10, 10)) for key in "ab"]
    for second in range(20):
        decision = controller.decide(under(20.0, *cars, grid=equally(20.0), now=float(second)))
    assert decision.allocations == {"a": 10, "b": 10}
    assert decision.reasons == {"a": EXTERNAL, "b": EXTERNAL}


def test_a_car_that_cannot_have_its_minimum_under_a_limit_says_so_and_not_that_it_waits():
    decision = Controller(Timing(), dynamic=True).decide(under(5.0, connector(circuit=TOP)))
    assert (decision.allocations["a"], decision.reasons["a"]) == (0, EXTERNAL)


def test_a_car_that_only_waits_for_its_turn_under_a_limit_says_that():
    cars = [connector(key, circuit=TOP) for key in "abcd"]
    decision = Controller(Timing(), dynamic=True).decide(under(13.0, *cars))
    assert {decision.reasons[key].code for key in "abcd" if not decision.allocations[key]} == {ReasonCode.WAITING}


def test_a_circuit_with_a_time_table_says_so_and_the_others_do_not():
    cut = Cut("basement", equally(32), TABLE)
    circuits = (Circuit("basement", equally(10)),)
    cars = (
        connector("in", circuit="basement", accepted=10.0, drawn=(10, 10, 10)),
        connector("out", accepted=32.0, drawn=(32, 32, 32)),
    )
    controller = Controller(Timing(), dynamic=True)
    for second in range(20):
        seen = Observation(float(second), equally(63), equally(42.0), float(second), circuits, cars, (cut,))
        decision = controller.decide(seen)
    assert decision.reasons["in"] == TABLE
    assert decision.reasons["out"].code == ReasonCode.STATION_MAXIMUM


def test_a_building_above_three_times_the_time_table_is_no_broken_meter():
    cut = Cut(None, equally(50), TABLE)
    grid, controller = (35.0, 30.0, 35.0), Controller(Timing(), dynamic=True)
    for second in range(15):
        seen = Observation(float(second), equally(10), grid, float(second), (), (connector(),), (cut,))
        decision = controller.decide(seen)
    assert (decision.state, decision.limit, decision.allocations["a"]) == ("operational", (0, 0, 0), 0)
    assert (
        Controller(Timing(), dynamic=True).decide(look(connector(), limit=equally(10), grid=grid)).state == "fail_safe"
    )


@pytest.mark.parametrize(
    ("limit_a", "told"),
    [(40, {"a": 16, "b": 16}), (20, {"a": 10, "b": 10}), (8, {"a": 8, "b": 0}), (5, {"a": 0, "b": 0})],
)
def test_with_a_silent_meter_the_fail_safe_currents_stay_within_the_limit_together(limit_a, told):
    cars = [connector(key, circuit=TOP, fail_safe=16.0) for key in "ab"]
    decision = Controller(Timing(), dynamic=True).decide(under(limit_a, *cars, grid=None))
    assert decision.allocations == told
    assert {reason.code for reason in decision.reasons.values()} == {ReasonCode.METER_SILENT}


def test_what_a_station_out_of_reach_keeps_is_not_given_to_others_when_the_meter_is_silent():
    cars = [connector("away", circuit=TOP, connected=False, accepted=12.0), connector(circuit=TOP, fail_safe=16.0)]
    assert Controller(Timing(), dynamic=True).decide(under(20, *cars, grid=None)).allocations == {"away": 12, "a": 8}


def test_with_a_silent_meter_the_fail_safe_currents_stay_within_the_time_table():
    cars = tuple(connector(key, fail_safe=16.0) for key in "ab")
    seen = Observation(0.0, equally(24), None, 0.0, (), cars, (Cut(None, equally(50), TABLE),))
    assert Controller(Timing(), dynamic=True).decide(seen).allocations == {"a": 12, "b": 12}


def test_when_no_decision_can_be_made_the_limit_from_outside_holds_all_the_same():
    broken = (Circuit(TOP, equally(20)), Circuit("x", equally(16), "y"), Circuit("y", equally(16), "x"))
    cars = tuple(connector(key, circuit="x", fail_safe=16.0) for key in "ab")
    seen = Observation(0.0, equally(50), None, 0.0, broken, cars, (Cut(TOP, NO_LIMIT, EXTERNAL),))
    assert fall_back(seen).allocations == {"a": 10, "b": 10}


def test_when_no_decision_can_be_made_nobody_is_told_more_than_it_has():
    cars = [connector(key, circuit=TOP, fail_safe=12.0, accepted=has) for key, has in (("a", 18.0), ("b", 8.0))]
    assert fall_back(under(26, *cars)).allocations == {"a": 12, "b": 8}


def test_when_no_decision_can_be_made_a_circuit_with_a_time_table_is_not_filled_again():
    cars = tuple(connector(key, circuit="c", fail_safe=12.0, accepted=has) for key, has in (("a", 6.0), ("b", 0.0)))
    circuits = (Circuit(TOP, equally(40)), Circuit("c", equally(10), TOP))
    seen = Observation(0.0, equally(63), equally(20.0), 0.0, circuits, cars, (Cut("c", equally(32), TABLE),))
    assert fall_back(seen).allocations == {"a": 6, "b": 0}
