"""Time table and limit from outside in the loop: what cars are told, why, and what outlasts a restart."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone, translation

from badges.models import Badge
from energy import balancing
from energy.dashboard import compute_overview
from energy.external_limit import give_limit, lift_limit
from energy.limits_in_force import limits_in_force
from energy.models import Allocation, ExternalLimit, Installation, Meter, Reading, Recording, TimeTableRow
from energy.observing import observe
from energy.recorder import cycles_of, replay, unpack
from stations.models import Circuit, Connector, Station, Transaction
from tests.energy.test_balancing import Building, car, limits, static

pytestmark = pytest.mark.django_db(transaction=True)

MONDAY_NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)  # in Paris 12:00


def row(limit_a, begins="06:00", ends="22:00", *, circuit=None, days=range(7)):
    return TimeTableRow.objects.create(days=list(days), begins=begins, ends=ends, limit_a=limit_a, circuit=circuit)


def look(installation, now=MONDAY_NOON):
    return observe(installation, now=now.timestamp(), grid=(1.0, 1.0, 1.0), grid_at=now.timestamp())[0]


def give(limit_a, valid_for_s=900):
    return give_limit(limit_a=limit_a, valid_for_s=valid_for_s, given_by="test")


# --- what the controller is told


def test_by_day_the_time_table_lowers_what_the_whole_installation_may_use():
    row(40)
    dynamic = Installation(fuse_a=63)
    seen = look(dynamic)
    assert seen.limit == (40, 40, 40)
    assert [(cut.circuit, cut.carries) for cut in seen.cuts] == [(None, pytest.approx((50.4, 50.4, 50.4)))]
    assert look(dynamic, MONDAY_NOON + timedelta(hours=10)).limit == pytest.approx((50.4, 50.4, 50.4))


def test_a_time_table_above_the_derated_fuse_raises_nothing():
    row(60)
    seen = look(Installation(fuse_a=63))
    assert (seen.limit, seen.cuts) == (pytest.approx((50.4, 50.4, 50.4)), ())


def test_where_a_fixed_current_is_shared_the_time_table_lowers_that():
    row(16)
    seen = look(Installation(mode="static", fuse_a=63, static_limit_a=30))
    assert seen.limit == pytest.approx((50.4, 50.4, 50.4))
    assert [(circuit.name, circuit.limit) for circuit in seen.circuits] == [("", (16, 16, 16))]


@pytest.mark.parametrize(
    ("mode", "given_a", "top_a", "cause"),
    [
        ("dynamic", 32, 32, "external_limit"),
        ("static", 32, 16, "time_table"),
        ("static", 10, 10, "external_limit"),
    ],
)
def test_the_lowest_limit_counts_and_is_named(mode, given_a, top_a, cause):
    row(16)
    with time_machine.travel(MONDAY_NOON, tick=False):
        give(given_a)
    seen = look(Installation(mode=mode, fuse_a=63, static_limit_a=30))
    top = next(circuit for circuit in seen.circuits if circuit.name == "")
    assert top.limit == (top_a,) * 3
    assert next(cut.reason.code for cut in seen.cuts if cut.circuit == "") == cause


def test_a_limit_from_outside_is_over_every_circuit_and_every_station():
    basement = Circuit.objects.create(name="basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    Station.objects.update_or_create(identity="in", defaults={"state": "configured", "circuit": basement})
    Station.objects.create(identity="out", state="configured")
    for station in Station.objects.all():
        Connector.objects.create(station=station, number=1)
    with time_machine.travel(MONDAY_NOON, tick=False):
        give(20)
    seen = look(Installation(fuse_a=63))
    assert [(circuit.name, circuit.parent) for circuit in seen.circuits] == [("", None), ("basement", "")]
    assert {told.circuit for told in seen.connectors} == {"", "basement"}


def test_a_circuit_has_a_time_table_of_its_own():
    basement = Circuit.objects.create(name="basement", limit_l1_a=32, limit_l2_a=10, limit_l3_a=32)
    row(16, circuit=basement)
    seen = look(Installation(fuse_a=63))
    assert [circuit.limit for circuit in seen.circuits] == [(16, 10, 16)]
    assert [(cut.circuit, cut.carries, cut.reason.code) for cut in seen.cuts] == [
        ("basement", (32, 10, 32), "time_table")
    ]
    basement.delete()
    assert not TimeTableRow.objects.exists()


@pytest.mark.parametrize(("zone", "limit_a"), [("Europe/Paris", 40), ("America/Montreal", None), ("Nowhere", 40)])
def test_the_clock_of_the_garage_counts(zone, limit_a):
    row(40, "10:00", "13:00")
    found = limits_in_force(Installation(time_zone=zone), MONDAY_NOON).table
    assert (found and found.limit_a) == limit_a


# --- what cars are told


@time_machine.travel(MONDAY_NOON, tick=False)
def test_a_car_is_told_less_at_once_and_why(sent):
    connector = car()
    static(20)
    balancing.balance()
    give(10.0)
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [20, 10]
    kept = Allocation.objects.order_by("-pk")[0]
    assert (kept.limit_a, kept.reason, kept.reason_params["limit_a"]) == (10, "external_limit", 10)
    session = next(found for found in compute_overview(timezone.now()).sessions if found.at.row.pk == connector.pk)
    with timezone.override("Europe/Paris"):
        assert session.why == "limit of the energy manager: 10 A until 12:15"
        with translation.override("de"):
            assert "12:15" in session.why
            assert "10 A" in session.why


@time_machine.travel(MONDAY_NOON, tick=False)
def test_on_the_stroke_of_the_time_table_a_car_is_told_less_with_the_end_of_that(sent):
    car()
    static(20)
    row(8, "12:00", "18:30")
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [8]
    with timezone.override("Europe/Paris"):
        overview = compute_overview(timezone.now())
        assert [limit.words for limit in overview.limits] == ["time table: 8 A until 18:30"]
        assert overview.sessions[0].why == "time table: 8 A until 18:30"
    assert overview.maximum_a == 8


@pytest.mark.usefixtures("sent")
def test_a_limit_that_is_renewed_makes_no_new_records_and_shows_its_new_end():
    with time_machine.travel(MONDAY_NOON, tick=False) as clock:
        car()
        static(20)
        give(10)
        balancing.balance()
        for _ in range(5):
            clock.shift(60)
            draws = dict.fromkeys(("current_l1_a", "current_l2_a", "current_l3_a", "accepted_limit_a"), 10)
            Connector.objects.update(measured_at=timezone.now(), **draws)
            give(10)
            balancing.balance()
        assert Allocation.objects.count() == 1
        with timezone.override("Europe/Paris"):
            assert compute_overview(timezone.now()).sessions[0].why.endswith("until 12:20")


@pytest.mark.usefixtures("sent")
def test_what_is_left_for_charging_is_kept_with_the_limit_from_outside():
    car()
    Installation.objects.update_or_create(pk=1, defaults={"mode": "dynamic", "fuse_a": 63})
    give(16)
    with Building((30.0, 40.0, 10.0)) as building:
        url = f"tcp://127.0.0.1:{building.meter.port}"
        Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": url})
        balancing.balance(is_tick=True)
    kept = Reading.objects.get()
    assert (kept.limit_l1_a, kept.limit_l2_a, kept.limit_l3_a) == pytest.approx((16, 10.4, 16))


# --- when it has run out, and after a restart


@pytest.mark.parametrize(("after_expiry", "told"), [("fallback", [10, 7]), ("nothing", [10, 20])])
def test_when_the_limit_has_run_out_what_was_chosen_holds(sent, after_expiry, told):
    with time_machine.travel(MONDAY_NOON, tick=False) as clock:
        car()
        static(20)
        ExternalLimit.objects.update_or_create(pk=1, defaults={"after_expiry": after_expiry, "fallback_a": 7})
        give(10, valid_for_s=60)
        balancing.balance()
        Connector.objects.update(accepted_limit_a=10, current_l1_a=10, current_l2_a=10, current_l3_a=10)
        clock.shift(59.9)
        Connector.objects.update(measured_at=timezone.now())
        balancing.balance()
        assert [entry[4] for entry in limits(sent)] == [10]
        clock.shift(0.2)
        balancing.balance()
        assert [entry[4] for entry in limits(sent)] == told


def test_as_delivered_a_manager_that_falls_silent_leaves_the_least_that_a_car_can_take():
    give(32, valid_for_s=1)
    later = timezone.now() + timedelta(seconds=2)
    found = limits_in_force(Installation(fuse_a=63), later).external
    assert (found.cause, found.limit_a, found.until) == ("external_fallback", 6, None)


@pytest.mark.parametrize("back_s", [6, 4 * 3600])
def test_a_clock_that_was_set_back_makes_no_limit_outlive_its_time(back_s):
    with time_machine.travel(MONDAY_NOON, tick=False):
        give(32)
    now = MONDAY_NOON - timedelta(seconds=back_s)
    found = limits_in_force(Installation(fuse_a=63), now).external
    assert (found.cause, found.limit_a, found.until) == ("external_fallback", 6, None)


def test_a_clock_that_is_put_right_by_a_moment_ends_no_limit():
    with time_machine.travel(MONDAY_NOON, tick=False):
        give(32)
    assert limits_in_force(Installation(fuse_a=63), MONDAY_NOON - timedelta(seconds=1)).external.limit_a == 32


def test_before_a_limit_was_ever_given_and_after_it_was_lifted_none_holds():
    installation = Installation(fuse_a=63)
    assert limits_in_force(installation, timezone.now()).external is None
    give(10)
    lift_limit()
    assert limits_in_force(installation, timezone.now() + timedelta(days=1)).external is None


def test_a_restart_forgets_no_limit_that_is_valid(sent, monkeypatch):
    car()
    static(20)
    give(10)
    balancing.balance()
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    decision = balancing.balance()
    assert set(decision.allocations.values()) == {10}
    assert {entry[4] for entry in limits(sent)} == {10}


@pytest.mark.usefixtures("sent")
def test_without_a_usable_reading_the_limit_from_outside_holds_for_all_together():
    for number in range(3):
        car(f"CP{number}")
    Installation.objects.update_or_create(pk=1, defaults={"mode": "dynamic", "fuse_a": 63, "fail_safe_a": 16})
    give(20)
    assert sorted(balancing.balance().allocations.values()) == pytest.approx([6.6, 6.6, 6.6])


# --- the flight recorder


@pytest.mark.usefixtures("sent")
def test_the_flight_recorder_keeps_what_held_and_a_replay_decides_the_same():
    with time_machine.travel(MONDAY_NOON, tick=False) as clock:
        car()
        static(20)
        row(16, "11:00", "13:00")
        for limit_a in (10.0, 10.0, 8.0):
            give(limit_a)
            balancing.balance()
            clock.shift(1)
        lift_limit()
        balancing.balance()
    balancing._loop.recorder.flush()
    recording = Recording.objects.get()
    cuts = [[(cut.circuit, cut.reason.code, cut.reason.params["limit_a"]) for cut in cycle.seen.cuts]
            for cycle in cycles_of(unpack(recording))]  # fmt: skip
    outside = [[("", "external_limit", limit_a)] for limit_a in (10, 10, 8)]
    assert cuts == [*outside, [("", "time_table", 16)]]
    assert list(replay(iter([recording]))) == [4]


# --- priority


@pytest.mark.parametrize(("of_station", "of_badge", "priority"), [(2, None, 2), (2, 5, 5), (2, 0, 0), (0, -1, -1)])
def test_the_priority_of_a_badge_goes_before_that_of_the_station(of_station, of_badge, priority):
    connector = car(priority=of_station)
    badge = Badge.objects.create(id_tag="A1", priority=of_badge)
    Transaction.objects.update(badge=badge)
    assert [told.priority for told in look(Installation(fuse_a=63)).connectors] == [priority]
    shown = compute_overview(timezone.now()).sessions[0]
    assert (shown.at.row.pk, shown.is_first) == (connector.pk, priority > 0)


@pytest.mark.usefixtures("sent")
def test_when_not_all_can_have_their_minimum_the_badge_with_the_higher_priority_charges():
    first, second = car("CP1"), car("CP2")
    Transaction.objects.filter(connector=second).update(badge=Badge.objects.create(id_tag="A2", priority=1))
    Connector.objects.update(accepted_limit_a=None)
    static(8)
    assert balancing.balance().allocations == {first.pk: 0, second.pk: 8}
