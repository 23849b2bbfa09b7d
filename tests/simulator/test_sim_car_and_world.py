"""The physics: cars follow their offers, the world adds up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Car, LoadCurve, SimulatorError, Station, World
from simulator.connector import Connector, Transaction

NOWHERE = "ws://127.0.0.1:9/ocpp"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def charging_car(**kind) -> Car:
    car = Car(**kind)
    car.offer(16.0, 0.0)
    car.advance(10.0)
    return car


def test_a_car_follows_a_changed_offer_after_its_dead_time():
    car = charging_car()
    car.offer(8.0, 20.0)
    assert [car.drawn_a(s) for s in (20.0, 21.9, 22.0, 30.0)] == [16, 16, 8, 8]


def test_offers_in_quick_succession_all_take_effect_each_after_the_dead_time():
    car = charging_car()
    car.offer(8.0, 20.0)
    car.offer(10.0, 21.0)
    assert car.drawn_a(21.9) == 16
    car.offer(12.0, 22.0)
    assert [car.drawn_a(s) for s in (22.0, 23.5, 24.5)] == [8, 10, 12]


def test_a_ramping_car_moves_in_a_straight_line():
    car = charging_car(ramps=True)
    car.offer(8.0, 20.0)
    assert [car.drawn_a(s) for s in (20.0, 21.0, 22.0, 23.0)] == [16, 12, 8, 8]
    car.offer(0.0, 30.0)
    assert [car.drawn_a(s) for s in (31.0, 32.0)] == [4, 0]


def test_a_renewed_offer_of_the_same_current_restarts_nothing():
    car = charging_car(ramps=True)
    car.offer(8.0, 20.0)
    car.offer(8.0, 21.0)
    assert car.drawn_a(22.0) == 8


@given(st.floats(0, 40), st.sampled_from([6.0, 8.0]), st.floats(0.5, 1.0))
def test_a_car_never_draws_below_its_minimum_offer_nor_above_offer_and_maximum(offered_a, minimum_a, share):
    car = Car(minimum_a=minimum_a, share=share, maximum_a=20.0)
    car.offer(offered_a, 0.0)
    drawn_a = car.drawn_a(5.0)
    assert drawn_a == (0.0 if offered_a < minimum_a else pytest.approx(min(offered_a, 20.0) * share))


def test_a_car_tapers_and_stops_at_what_it_wanted():
    car = Car(phases=1, wanted_wh=2_000, taper_wh=1_000)
    car.offer(16.0, 0.0)
    draws = []
    for minute in range(120):
        car.advance(minute * 60.0)
        draws.append(car.drawn_a(minute * 60.0))
    assert draws[5] == 16
    assert draws[1:] == sorted(draws[1:], reverse=True)
    assert any(0 < drawn < 6 for drawn in draws)
    assert car.is_full
    assert draws[-1] == 0
    assert car.taken_wh == 2_000


def test_energy_is_voltage_times_current_times_phases_times_time():
    car = Car(wanted_wh=50_000)
    car.offer(16.0, 0.0)
    car.advance(0.0)
    assert car.advance(3602.0) == pytest.approx(3 * 230 * 16)


def test_a_car_has_one_to_three_phases():
    with pytest.raises(ValueError, match="1 to 3 phases, got 4"):
        Car(phases=4)


def test_a_connector_rounds_down_to_its_steps_and_pauses_below_six_amperes():
    connector = Connector(1, lines=(0, 1, 2), maximum_a=32.0, step_a=1.0)
    connector.transaction = Transaction(1, "BADGE", 0.0, 0)
    offered = []
    for limit_a in (13.9, 6.0, 5.9, 40.0):
        connector.offer(limit_a, 0.0)
        offered.append(connector.offered_a)
    assert offered == [13, 6, 0, 32]


def test_the_rotation_decides_which_line_a_car_loads():
    connector = Connector(1, lines=(1, 2, 0), maximum_a=32.0, step_a=0.1)
    connector.transaction = Transaction(1, "BADGE", 0.0, 0)
    connector.plug(Car(phases=2))
    connector.offer(10.0, 0.0)
    assert connector.phases_a(3.0) == (10, 10, 0)
    assert connector.lines_a(3.0) == (0, 10, 10)


async def test_the_grid_carries_the_building_and_all_cars(clock):
    world = World(building_a=(10, 20, 30), clock=clock)
    for number, lines in enumerate([(0, 1, 2), (2, 0, 1)]):
        station = Station(f"CP{number}", NOWHERE, lines=lines, clock=clock, backoff_s=(60, 60))
        world.add(station)
    async with world:
        for station, phases in zip(world.stations.values(), (3, 1), strict=True):
            station.plug(Car(phases=phases))
            station.start_transaction(1, "BADGE")
        clock.now += 3
        assert world.cars_a() == (16, 16, 32)
        world.step(5)
        assert world.grid_a() == (31, 41, 67)
    clock.now += 3
    assert world.cars_a() == (0, 0, 0)
    assert world.grid_a() == (15, 25, 35)


def test_an_identity_can_be_wired_once(clock):
    world = World(clock=clock)
    world.add(Station("CP1", NOWHERE))
    with pytest.raises(SimulatorError, match="CP1 twice"):
        world.add(Station("CP1", NOWHERE))


def test_a_load_curve_is_the_same_for_the_same_seed_and_moves_in_steps():
    curve, same, other = LoadCurve(seed=7), LoadCurve(seed=7), LoadCurve(seed=8)
    moments = range(0, 200, 5)
    assert [curve.current_a(m) for m in moments] == [same.current_a(m) for m in moments]
    assert [curve.current_a(m) for m in moments] != [other.current_a(m) for m in moments]
    assert all(0 <= line_a <= 26 for moment in moments for line_a in curve.current_a(moment))
    quiet = LoadCurve(noise_a=0.0)
    assert quiet.current_a(20.0) == quiet.current_a(39.9) != quiet.current_a(40.0)
