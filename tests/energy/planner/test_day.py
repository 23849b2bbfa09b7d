"""A made day: the same for the same seed, and what the plan says."""

from dataclasses import replace
from itertools import pairwise

import pytest

from energy.planner import DAY_S, KINDS, Building, Plan, make_sessions, standard_curve, wiring_of

PLAN = Plan(100.0, 4, 9, standard_curve("homes", 30), steps=3, seed=7)


def test_the_same_seed_makes_the_same_day_and_another_one_another():
    assert make_sessions(PLAN) == make_sessions(PLAN)
    assert make_sessions(PLAN) != make_sessions(replace(PLAN, seed=8))
    assert [Building(PLAN).at(second) for second in range(100)] == [Building(PLAN).at(second) for second in range(100)]
    assert Building(PLAN).at(50) != Building(replace(PLAN, seed=8)).at(50)


def test_whoever_finds_no_station_free_is_counted_and_no_station_has_two_cars_at_once():
    sessions, turned_away = make_sessions(replace(PLAN, cars=30))
    assert len(sessions) + turned_away == 30
    assert turned_away > 0
    for station in range(4):
        mine = sorted((one.arrives_s, one.leaves_s) for one in sessions if one.station == station)
        assert all(leaves < arrives for (_, leaves), (arrives, _) in pairwise(mine))


def test_every_car_comes_within_the_day_and_is_of_a_known_kind():
    sessions, _turned_away = make_sessions(
        replace(PLAN, stations=50, cars=50, habits={"work": 1, "home": 1, "visit": 1})
    )
    for one in sessions:
        assert 0 <= one.arrives_s < one.leaves_s <= DAY_S
        assert any(
            one.phases == kind.phases and kind.least_wh <= one.wanted_wh <= kind.most_wh for kind in KINDS.values()
        )


def test_twins_are_alike():
    sessions, _turned_away = make_sessions(PLAN, twins=2)
    first, second = sessions[:2]
    assert first.twins
    assert replace(first, station=1) == second


def test_the_building_follows_its_curve_hour_by_hour():
    quiet = Building(replace(PLAN, noise_a=0, steps=0))
    assert quiet.at(0) == pytest.approx((13.5, 13.5, 13.5))
    assert quiet.at(3600) == pytest.approx((19.5, 19.5, 19.5))
    assert quiet.at(1800) == pytest.approx((16.5, 16.5, 16.5))
    assert quiet.at(DAY_S - 1)[0] == pytest.approx(13.5, abs=0.01)


def test_loads_come_and_go_in_whole_steps():
    plan = replace(PLAN, noise_a=0, curve_a=standard_curve("flat", 10), step_a=25.0, steps=2)
    building = Building(plan)
    begins_s, ends_s, lines = building.loads[0]
    first = next(iter(lines))
    before, during = building.at(begins_s - 1)[first], building.at(begins_s)[first]
    assert during - before == pytest.approx(25)
    assert building.at(ends_s - 1)[first] - building.at(ends_s)[first] == pytest.approx(25)


def test_installers_rotate_the_phases():
    assert {wiring_of(station)[0] for station in range(3)} == {0, 1, 2}
