import random
from math import inf, isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.allocation import Circuit, Demand, ReasonCode, allocate, explain
from tests.energy.allocation.invariants import capacities, loads, places_of, random_case, violations, wants

ALL = (0, 1, 2)


def cars(count, lines=ALL, maximum=16.0, *, name="car", **more):
    return [Demand(f"{name}{number}", lines, 6, maximum, **more) for number in range(count)]


def mixed_garage():
    singles = [car for line in ALL for car in cars(2, (line,), 32, name=f"single{line}-")]
    return cars(6, name="three") + singles


def equally(limit):
    return (limit, limit, limit)


def test_case_01_plenty_for_all_minimums_gives_all_the_same():
    assert list(allocate(equally(63), mixed_garage()).values()) == pytest.approx([7.875] * 12)


def test_case_02_shortage_admits_as_many_in_any_listing_order():
    for seed in range(50):
        demands = mixed_garage()
        random.Random(seed).shuffle(demands)
        result = allocate(equally(20), demands)
        charging = [current for current in result.values() if current]
        assert charging == pytest.approx([20 / 3] * 7)
        assert sum(1 for demand in demands if len(demand.lines) == 3 and result[demand.key]) <= 1


def priority_for(demands, keys):
    return [Demand(d.key, d.lines, d.minimum, d.maximum, int(d.key in keys)) for d in demands]


def test_case_04_a_line_with_more_room_takes_more_three_phase_cars():
    first = {"three0", "three1", "three2", "three3", "single0-0", "single0-1"}
    demands = priority_for(mixed_garage(), first)
    result = allocate((40, 63, 63), demands)
    assert [result[key] for key in sorted(first)] == pytest.approx([40 / 6] * 6)
    others = [result[f"single{line}-{number}"] for line in (1, 2) for number in (0, 1)]
    assert others == pytest.approx([(63 - 4 * 40 / 6) / 2] * 4)
    assert others[0] == pytest.approx(18.17, abs=0.01)


def test_case_05_a_scarce_line_holds_back_only_who_loads_it():
    first = {"three0", "three1"}
    demands = [d for d in mixed_garage() if d.key in first or len(d.lines) == 1]
    result = allocate((63, 25, 63), demands)
    assert [result[key] for key in (*sorted(first), "single1-0", "single1-1")] == pytest.approx([6.25] * 4)
    assert [result[f"single{line}-{n}"] for line in (0, 2) for n in (0, 1)] == pytest.approx([25.25] * 4)


def test_case_06_known_wiring_doubles_what_two_single_phase_cars_get():
    assert list(allocate(equally(40), cars(2, ALL, 32)).values()) == pytest.approx([20, 20])
    known = [Demand("a", (0,), 6, 32), Demand("b", (1,), 6, 32)]
    assert allocate(equally(40), known) == {"a": 32, "b": 32}


def test_case_07_a_short_line_leaves_a_car_elsewhere_untouched():
    assert allocate((40, 40, 3), [Demand("a", (0,), 6, 32)]) == {"a": 32}


def test_case_08_minimums_within_a_sub_circuit_are_served():
    garage = Circuit("garage", (16, 12, 14))
    demands = [Demand(line, (line,), low, low, circuit="garage") for line, low in enumerate((10, 6, 6))]
    result = allocate((32, 30, 31), demands, [garage])
    assert result == {0: 10, 1: 6, 2: 6}
    load = loads({demand: result[demand.key] for demand in demands}, [garage])
    assert [32 - load[None, 0], 30 - load[None, 1], 31 - load[None, 2]] == [22, 24, 25]


def test_case_10_a_sub_circuit_below_the_minimum_gives_nothing():
    demand = Demand("a", ALL, 6, 16, circuit="garage")
    assert allocate(equally(63), [demand], [Circuit("garage", equally(5.9))]) == {"a": 0}


def test_case_11_what_one_cannot_take_goes_to_the_other():
    demands = [Demand("a", ALL, 6, 32), Demand("b", ALL, 6, 8)]
    assert allocate(equally(32), demands) == {"a": 24, "b": 8}


def test_case_14_a_third_car_makes_three_equal_shares():
    assert list(allocate(equally(35), cars(3)).values()) == pytest.approx([35 / 3] * 3)


def test_case_30_nested_circuits_both_hold_with_a_priority_car_inside():
    circuits = [Circuit("inner", equally(16), "outer"), Circuit("outer", equally(32))]
    inside = cars(3, maximum=32, circuit="inner", name="inside")
    first = Demand("first", ALL, 6, 32, priority=1, circuit="inner")
    outside = cars(2, maximum=32, circuit="outer", name="outside")
    result = allocate(equally(100), [*inside, first, *outside], circuits)
    assert result["first"] == pytest.approx(8)
    assert sum(result[d.key] for d in inside) + result["first"] == pytest.approx(16)
    assert sum(result.values()) == pytest.approx(32)


@pytest.mark.parametrize("seed", range(20))
def test_case_32_random_trees_keep_the_promises(seed):
    for number in range(100):
        case = random_case(random.Random(f"{seed}-{number}"))
        assert not list(violations(*case)), case


@pytest.mark.parametrize("seed", range(100))
def test_case_32_renaming_and_reordering_change_nothing_but_names(seed):
    chance = random.Random(seed)
    limit, demands, circuits = random_case(chance)
    ranked = [Demand(d.key, d.lines, d.minimum, d.maximum, d.priority, float(d.key), d.circuit) for d in demands]
    before = allocate(limit, ranked, circuits)
    renamed = [
        Demand(
            f"new {d.key}",
            d.lines[::-1],
            d.minimum,
            d.maximum,
            d.priority,
            d.waiting_since,
            None if d.circuit is None else f"x{d.circuit}",
        )
        for d in ranked
    ]
    chance.shuffle(renamed)
    moved = [Circuit(f"x{c.name}", c.limit, None if c.parent is None else f"x{c.parent}") for c in circuits]
    chance.shuffle(moved)
    after = allocate(limit, renamed, moved)
    assert {f"new {key}": current for key, current in before.items()} == pytest.approx(after, abs=1e-6)


def water_level(given, active, room, circuits):
    """Bisect the highest common level at which those still active fit."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        tried = {d: min(max(middle, d.minimum), d.maximum) if d in active else given[d] for d in given}
        load = loads(tried, circuits)
        fits = all(load[place] <= room[place] + 1e-9 for place in load)
        low, high = (middle, high) if fits else (low, middle)
    return low


def slow_allocate(limit, demands, circuits):
    """Do what the kernel does, slowly and obviously: one by one in, then bisect the water level again and again."""
    room = capacities(limit, circuits)
    given = {}
    wanting = [d for d in demands if wants(d)]
    for d in sorted(wanting, key=lambda d: (-d.priority, d.waiting_since, len(set(d.lines)))):
        load = loads({**given, d: d.minimum}, circuits)
        if all(load[place] <= room[place] + 1e-6 for place in load):
            given[d] = d.minimum
    active = set(given)
    while active:
        level = water_level(given, active, room, circuits)
        given.update({d: min(max(level, d.minimum), d.maximum) for d in active})
        load = loads(given, circuits)
        full = {place for place in load if load[place] > room[place] - 1e-6}
        active = {d for d in active if given[d] < d.maximum - 1e-6 and not full & set(places_of(d, circuits))}
    return {d.key: given.get(d, 0.0) for d in demands}


amperes = st.integers(0, 640).map(lambda tenths: tenths / 10)
wide = st.sampled_from([(0, 1, 2), (0,), (1,), (2,), (0, 2)])


@st.composite
def cases(draw):
    names = ["a", "b", "c"][: draw(st.integers(0, 3))]
    circuits = [
        Circuit(name, (draw(amperes), draw(amperes), draw(amperes)), draw(st.sampled_from([None, *names[:number]])))
        for number, name in enumerate(names)
    ]
    demands = []
    for key in range(draw(st.integers(0, 7))):
        minimum = draw(st.sampled_from([6.0, 8.0, 13.0]))
        circuit = draw(st.sampled_from([None, *names]))
        demands.append(Demand(key, draw(wide), minimum, minimum + draw(amperes), draw(st.integers(0, 1)), 0.0, circuit))
    return (draw(amperes), draw(amperes), draw(amperes)), demands, circuits


@given(cases())
@settings(max_examples=150, deadline=None)
def test_the_sweep_agrees_with_a_slow_bisection(case):
    limit, demands, circuits = case
    assert allocate(limit, demands, circuits) == pytest.approx(slow_allocate(limit, demands, circuits), abs=1e-4)


def test_somebody_whose_minimum_is_above_the_level_stays_at_it_until_the_level_comes():
    demands = [Demand("low", ALL, 6, 32), Demand("high", ALL, 13, 32)]
    assert allocate(equally(22), demands) == pytest.approx({"low": 9, "high": 13})
    assert allocate(equally(30), demands) == pytest.approx({"low": 15, "high": 15})


def test_who_does_not_fit_is_passed_over():
    demands = [Demand("big", ALL, 13, 32), Demand("first", ALL, 6, 6, priority=1), Demand("small", ALL, 6, 32)]
    assert allocate(equally(13), demands) == {"big": 0, "first": 6, "small": 7}


def test_among_equals_the_longest_waiting_is_served():
    demands = [Demand("late", ALL, 6, 32, waiting_since=2), Demand("early", ALL, 6, 32, waiting_since=1)]
    assert allocate(equally(10), demands) == {"late": 0, "early": 10}


@pytest.mark.parametrize(
    ("demands", "circuits", "culprit"),
    [
        ([Demand("a", (0,), 6, 16, circuit="nowhere")], [], "nowhere"),
        ([Demand("a", (), 6, 16)], [], "'a'"),
        ([Demand("a", (0, 3), 6, 16)], [], "3"),
        ([Demand("a", (-1,), 6, 16)], [], "-1"),
        (cars(1) * 2, [], "car0"),
        ([], [Circuit("x", equally(1)), Circuit("x", equally(1))], "'x'"),
        ([], [Circuit("x", equally(1), "y"), Circuit("y", equally(1), "x")], "itself"),
        ([], [Circuit("x", equally(1), "x")], "'x'"),
        ([], [Circuit("x", equally(1), "gone")], "gone"),
    ],
)
def test_a_broken_structure_names_the_culprit(demands, circuits, culprit):
    with pytest.raises(ValueError, match=culprit):
        allocate(equally(63), demands, circuits)


odd_numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.tuples(odd_numbers, odd_numbers, odd_numbers), odd_numbers, odd_numbers, odd_numbers)
def test_odd_numbers_never_raise_and_never_come_out_as_nan(limit, minimum, maximum, since):
    demands = [Demand("odd", ALL, minimum, maximum, waiting_since=since), Demand("sound", (0,), 6, 16)]
    result = allocate(limit, demands, [Circuit("x", limit)])
    assert not any(isnan(current) or current < 0 for current in result.values())


@pytest.mark.parametrize("bad", [nan, -1.0, -inf])
def test_a_limit_that_is_no_number_or_negative_is_zero(bad):
    assert allocate((bad, 63, 63), [Demand("a", ALL, 6, 16), Demand("b", (1,), 6, 16)]) == {"a": 0, "b": 16}


def test_an_infinite_limit_is_none():
    assert allocate(equally(inf), [Demand("a", ALL, 6, inf), Demand("b", ALL, 6, 16)]) == {"a": inf, "b": 16}


@pytest.mark.parametrize("maximum", [nan, 5.9, 0, -1])
def test_a_maximum_below_the_minimum_means_zero(maximum):
    assert allocate(equally(63), [Demand("a", ALL, 6, maximum)]) == {"a": 0}


def test_the_order_of_lines_does_not_matter():
    demands = [Demand("a", (2, 0, 1), 6, 32), Demand("b", (0, 1, 2), 6, 32), Demand("c", (1, 1), 6, 32)]
    assert allocate(equally(30), demands) == pytest.approx({"a": 10, "b": 10, "c": 10})


def test_tolerance_is_absolute():
    assert allocate(equally(6 - 0.9e-6), [Demand("a", ALL, 6, 16)])["a"] == 6
    assert allocate(equally(6 - 2e-6), [Demand("a", ALL, 6, 16)])["a"] == 0


def test_a_line_names_its_fuse_and_how_many_share_it():
    reason = explain((63, 20, 63), [*cars(2, maximum=32), Demand("b", (1,), 6, 32)])["b"].reason
    assert (reason.code, reason.params) == (ReasonCode.LINE_FULL, {"line": "L2", "shared_by": 3})
    assert str(reason) == "L2 fuse shared by 3"


def test_a_circuit_is_named_when_it_is_what_is_full():
    shares = explain(equally(63), cars(2, maximum=32, circuit="garage"), [Circuit("garage", equally(20))])
    assert str(shares["car0"].reason) == "L1 of circuit garage shared by 2"


def test_who_waits_learns_how_many_wait_before():
    shares = explain(equally(8), cars(3))
    assert [str(share.reason) for share in shares.values()] == [
        "L1 fuse shared by 1", "waiting: 0 ahead", "waiting: 1 ahead",
    ]  # fmt: skip


def test_who_waits_learns_which_circuit_is_full():
    shares = explain(equally(63), cars(2, circuit="garage"), [Circuit("garage", equally(8))])
    assert shares["car1"].reason.params == {"ahead": 0, "circuit": "garage"}


def test_who_waits_for_the_main_fuse_hears_of_no_circuit():
    shares = explain(equally(8), cars(2, circuit="garage"), [Circuit("garage", equally(63))])
    assert shares["car1"].reason.params == {"ahead": 0}


def test_who_has_all_it_can_take_is_told_so():
    assert str(explain(equally(63), cars(1))["car0"].reason) == "station maximum"
