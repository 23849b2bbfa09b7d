"""The check of a station's wiring against a garage in which cars follow and a building moves."""

import random
from dataclasses import replace

import pytest

from energy.allocation import ReasonCode
from energy.observing import PhaseRotation
from energy.wiring import Answer, Check, Finding, Proof, fitting, lines_shown, propose, swapped, used_phases
from tests.energy.allocation.plant import Car
from tests.energy.allocation.seen import constant, equally
from tests.energy.allocation.test_transformers import Miswired, restless

ROTATIONS = {rotation.value: rotation.wiring for rotation in PhaseRotation}


class Checked(Miswired):
    """A plant in which one car's wiring is checked from `begins_at` on."""

    def __init__(self, cars, *more, **options):
        super().__init__(cars, *more, **options)
        self.check = self.finding = None
        self.caps = []

    def begin(self):
        self.run(90)
        car = self.cars[0]
        self.check = Check(car.key, used_phases(car.drawn), min(a for a in car.drawn if a >= 5))
        self.before = car.accepted

    def observation(self):
        seen = super().observation()
        if self.check is None or self.finding is not None:
            return seen
        was_fine = self.decisions[-1][1].state == "operational"
        self.finding = self.check.take(seen, is_operational=was_fine)
        if self.finding is None:
            self.caps.append(self.check.cap_a)
            connectors = self.check.hold(seen.connectors)
            return replace(seen, connectors=connectors)
        return seen

    def play(self):
        self.begin()
        for _ in range(400):
            self.run(1)
            if self.finding is not None:
                return self.finding
        raise AssertionError("the check does not end")


def others():
    return [Car("other", (2, 0, 1), wants=20, report_at=2.5), Car("third", (1,), phases=1, report_at=1.5)]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_single_phase_car_shows_its_line(line):
    plant = Checked([Car("car", (line,), phases=1), *others()], equally(90), constant(10, 10, 10))
    assert plant.play() is Finding.SHOWN
    assert lines_shown(plant.check.answers()) == (line,)
    assert propose(ROTATIONS, "L1L2L3", (0,), (line,)) == ("", "L2L3L1", "L3L1L2")[line]


@pytest.mark.parametrize("seed", range(3))
def test_a_restless_building_costs_steps_and_is_not_taken_for_the_car(seed):
    plant = Checked([Car("car", (1,), phases=1), *others()], equally(110), restless(seed))
    finding = plant.play()
    assert finding in (Finding.SHOWN, Finding.UNCERTAIN)
    if finding is Finding.SHOWN:
        assert lines_shown(plant.check.answers()) == (1,)


@pytest.mark.parametrize("period_s", [28, 30, 32])
@pytest.mark.parametrize("begins_s", [0, 7, 14, 21])
def test_a_load_that_cycles_as_fast_as_the_check_accuses_no_transformer(period_s, begins_s):
    def clocked(now):
        return (10, 14 if (now + begins_s) % period_s < period_s / 2 else 10, 10)

    plant = Checked([Car("car", (0,), phases=1)], equally(90), clocked)
    assert plant.play() is Finding.UNCERTAIN or [answer.nearest for answer in plant.check.answers()] == [1, 0, 0]


def test_what_fits_the_car_is_shown_soon_and_what_accuses_the_wiring_after_all_steps():
    plant = Checked([Car("car", (1,), phases=1)], equally(90), constant(10, 10, 10))
    assert (plant.play(), plant.check.steps) == (Finding.SHOWN, 4)
    turned = Checked([Car("car", (1,), phases=1)], equally(90), constant(10, 10, 10))
    turned.signs = (1, -1, 1)
    assert (turned.play(), turned.check.steps) == (Finding.SHOWN, 12)


def test_a_building_that_drowns_the_car_gives_no_result():
    chance = random.Random(1)
    wild = [chance.uniform(0, 40) for _ in range(2000)]
    plant = Checked([Car("car", (1,), phases=1)], equally(150), lambda now: equally(wild[int(now) // 7]))
    assert plant.play() is Finding.UNCERTAIN
    assert plant.check.steps == 12


def test_a_turned_transformer_falls_when_the_car_rises():
    plant = Checked([Car("car", (1,), phases=1), *others()], equally(90), constant(10, 10, 10))
    plant.signs = (1, -1, 1)
    assert plant.play() is Finding.SHOWN
    assert [answer.nearest for answer in plant.check.answers()] == [0, -1, 0]


def test_a_three_phase_car_moves_all_lines():
    plant = Checked([Car("car", (1, 2, 0)), *others()], equally(90), constant(10, 10, 10))
    assert plant.play() is Finding.SHOWN
    assert lines_shown(plant.check.answers()) == (0, 1, 2)
    assert propose(ROTATIONS, "L1L2L3", (0, 1, 2), (0, 1, 2)) == ""


def test_the_car_never_gets_more_than_it_had_nor_less_than_4_a_below_and_others_nothing_more():
    plant = Checked([Car("car", (1,), wants=16, phases=1), *others()], equally(50), constant(10, 10, 10))
    plant.begin()
    had = {car.key: car.accepted for car in plant.cars}
    while plant.finding is None:
        plant.run(1)
        if plant.finding is None:
            assert plant.check.highest_a - 4 <= plant.cars[0].accepted <= had["car"]
            assert all(car.accepted <= had[car.key] for car in plant.cars)
    highest_a = plant.check.highest_a
    assert set(plant.caps) == {highest_a, highest_a - 4}
    plant.run(60)
    assert plant.cars[0].accepted >= highest_a - 0.1


def test_the_reason_says_that_it_is_the_check():
    plant = Checked([Car("car", (1,), phases=1)], equally(90), constant(10, 10, 10))
    plant.begin()
    while not plant.check.is_low:
        plant.run(1)
    decision = plant.run(2)
    assert decision.reasons["car"].code == ReasonCode.WIRING_CHECK
    assert str(decision.reasons["car"]) == "wiring check: at most 28.0 A"


@pytest.mark.parametrize(
    ("happens", "finding"),
    [
        (lambda plant: setattr(plant, "building", constant(10, 45, 10)), Finding.NEEDED),
        (lambda plant: setattr(plant.cars[0], "unplugged_at", plant.now), Finding.ENDED),
        (lambda plant: setattr(plant.cars[0], "connected", False), Finding.ENDED),
        (lambda plant: setattr(plant.cars[0], "rejects", True), Finding.REFUSED),
        (lambda plant: setattr(plant.cars[0], "obeys", False), Finding.NOTHING_MOVED),
    ],
    ids=["the building needs it", "the car leaves", "the station goes", "it refuses", "it does not obey"],
)
def test_what_ends_a_check(happens, finding):
    plant = Checked([Car("car", (1,), wants=16, phases=1)], equally(50), constant(10, 10, 10))
    plant.begin()
    plant.run(10)
    happens(plant)
    for _ in range(400):
        plant.run(1)
        if plant.finding is not None:
            break
    assert plant.finding is finding


def test_a_meter_that_falls_silent_ends_a_check():
    check = Check("car", (0,), 16.0)
    plant = Checked([Car("car", (1,), phases=1)], equally(90))
    plant.run(60)
    silent = replace(plant.observation(), grid=None)
    assert check.take(replace(silent, now=61), is_operational=True) is None
    assert check.take(replace(silent, now=90), is_operational=True) is Finding.NO_METER


def test_a_clock_that_is_set_back_ends_a_check_and_its_cap():
    check = Check("car", (0,), 16.0)
    plant = Checked([Car("car", (1,), phases=1)], equally(90))
    plant.run(60)
    seen = plant.observation()
    assert check.take(seen, is_operational=True) is None
    assert check.take(replace(seen, now=seen.now - 0.5), is_operational=True) is None
    assert check.take(replace(seen, now=seen.now - 3600), is_operational=True) is Finding.CLOCK


# --- what follows from the lines that moved


def test_a_rotation_that_fits_is_not_replaced():
    assert propose(ROTATIONS, "L2L1L3", (0,), (1,)) == ""
    assert propose(ROTATIONS, "L2L1L3", (0, 1), (0, 1)) == ""


def test_of_two_that_fit_the_one_whose_phases_follow_each_other_is_proposed():
    assert fitting(ROTATIONS, (0,), (2,))[0] == "L3L1L2"
    assert propose(ROTATIONS, "L1L2L3", (0, 1), (1, 2)) == "L2L3L1"
    assert propose(ROTATIONS, "L1L2L3", (0, 1), (0, 2)) == "L3L1L2"


def test_a_single_phase_station_stays_one():
    assert propose(ROTATIONS, "L1", (0,), (2,)) == "L3"


@pytest.mark.parametrize(("phases", "lines"), [((0,), (0, 1)), ((0, 1), (2,)), ((), (1,))])
def test_what_no_rotation_explains_proposes_none(phases, lines):
    assert propose(ROTATIONS, "L1L2L3", phases, lines) == ""


def test_a_line_is_clear_only_far_from_every_other_explanation():
    assert Answer(0.97, 0.1).is_clear
    assert Answer(-1.02, 0.1).is_clear
    assert not Answer(0.6, 0.1).is_clear
    assert not Answer(0.97, 0.2).is_clear
    assert not Answer(1.9, 0.05).is_clear


def test_two_stations_that_show_the_same_lines_crossed_accuse_the_transformers():
    assert swapped([Proof("a", 1, 2), Proof("b", 2, 1)]) == (1, 2)
    assert swapped([Proof("a", 1, 2), Proof("b", 2, 1), Proof("c", 0, 0)]) == (1, 2)


@pytest.mark.parametrize(
    "proofs",
    [
        [],
        [Proof("a", 1, 2)],
        [Proof("a", 1, 1), Proof("b", 2, 2)],
        [Proof("a", 1, 2), Proof("b", 1, 1), Proof("c", 2, 1)],
        [Proof("a", 1, 2), Proof("b", 2, 2)],
    ],
)
def test_one_station_alone_or_a_contradiction_accuses_nothing(proofs):
    assert swapped(proofs) == ()
