"""What the controller is told of the installation."""

from datetime import UTC, datetime, timedelta

import pytest

from energy.allocation import SurplusRule
from energy.models import Installation
from energy.observing import TOP_CIRCUIT, observe
from stations.models import Circuit, Connector, Station, Transaction

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def installation(**values):
    return Installation(**{"mode": "dynamic", "fuse_a": 63, "phases": 3, **values})


def connector(identity="CP1", *, state="configured", status="Charging", number=1, socket_id="web/1", **values):
    station, _ = Station.objects.get_or_create(
        identity=identity, defaults={"state": state, "socket_id": socket_id, **values}
    )
    return Connector.objects.create(station=station, number=number, status=status)


def transaction(of, **values):
    return Transaction.objects.create(connector=of, id_tag="A1", meter_start_wh=0, started_at=T0, **values)


def look(of_installation, **values):
    return observe(of_installation, **{"now": 100.0, "grid": (1.0, 2.0, 3.0), "grid_at": 99.0, **values})


def test_the_derated_fuse_may_be_used_on_every_line():
    seen, _, _ = look(installation())
    assert seen.limit == pytest.approx((50.4, 50.4, 50.4))
    assert (seen.grid, seen.grid_at) == ((1, 2, 3), 99)


def test_the_sun_is_shared_where_that_was_chosen_and_never_with_a_fixed_current():
    assert look(installation())[0].surplus is None
    assert look(installation(surplus="only"))[0].surplus == SurplusRule.ONLY
    assert look(installation(surplus="minimum"))[0].surplus == SurplusRule.MINIMUM
    assert look(installation(surplus="only", mode="static", static_limit_a=20))[0].surplus is None


def test_before_it_is_configured_nothing_may_be_used():
    assert look(installation(fuse_a=None))[0].limit == (0, 0, 0)
    assert look(installation(mode="static", static_limit_a=None))[0].limit == (0, 0, 0)


def test_a_single_phase_installation_has_one_line_and_every_station_is_on_it():
    connector()
    seen, _, _ = look(installation(phases=1))
    assert seen.limit == pytest.approx((50.4, 0, 0))
    assert seen.connectors[0].wiring == (0,)


def test_a_limit_of_the_unbalance_holds_where_there_are_three_phases():
    assert look(installation(unbalance_a=20))[0].unbalance_a == 20
    assert look(installation(unbalance_a=20, phases=1))[0].unbalance_a == float("inf")
    assert look(installation())[0].unbalance_a == float("inf")


def test_in_static_mode_all_circuits_hang_below_the_static_current():
    Circuit.objects.create(name="basement", limit_l1_a=16, limit_l2_a=17, limit_l3_a=18)
    connector()
    seen, _, _ = look(installation(mode="static", static_limit_a=30))
    assert [(c.name, c.limit, c.parent) for c in seen.circuits] == [
        (TOP_CIRCUIT, (30, 30, 30), None),
        ("basement", (16, 17, 18), TOP_CIRCUIT),
    ]
    assert seen.connectors[0].circuit == TOP_CIRCUIT


def test_a_station_is_told_of_with_its_wiring_limits_and_circuit():
    basement = Circuit.objects.create(name="basement", limit_l1_a=16, limit_l2_a=17, limit_l3_a=18)
    known = connector(phase_rotation="L2L3L1", min_current_a=8, max_current_a=16, circuit=basement, priority=3)
    Connector.objects.update(current_l1_a=9, current_l2_a=8, measured_at=T0, accepted_limit_a=10)
    seen, places, _ = look(installation(), now=T0.timestamp() + 5)
    (told,) = seen.connectors
    assert (told.key, told.wiring, told.minimum, told.maximum) == (known.pk, (1, 2, 0), 8, 16)
    assert (told.drawn, told.drawn_at, told.accepted) == ((9, 8, 1), T0.timestamp(), 10)
    assert (told.circuit, told.priority, told.connected) == ("basement", 3, True)
    assert not places[known.pk].is_charging, "no transaction runs"


@pytest.mark.parametrize("phases", [(14.0, None, None), (None, 14.0, None), (0.0, 0.0, 14.0)])
def test_a_single_phase_station_counts_whatever_it_calls_its_phase(phases):
    row = connector(phase_rotation="L2")
    names = ("current_l1_a", "current_l2_a", "current_l3_a")
    Connector.objects.filter(pk=row.pk).update(**dict(zip(names, phases, strict=True)))
    (seen,) = look(installation())[0].connectors
    assert (seen.wiring, seen.drawn) == ((1,), (14, 0, 0))


def test_a_measurement_from_the_future_counts_as_of_now():
    connector()
    Connector.objects.update(current_l1_a=9, measured_at=T0)
    assert look(installation(), now=100.0)[0].connectors[0].drawn_at == 100


def test_a_state_from_before_the_transaction_does_not_speak_against_it():
    known = connector(status="Available")
    transaction(known)
    Connector.objects.update(status_at=T0 - timedelta(minutes=1))
    assert look(installation())[1][known.pk].is_charging
    Connector.objects.update(status_at=T0 + timedelta(minutes=1))
    assert not look(installation())[1][known.pk].is_charging


def test_stations_that_are_not_in_service_are_left_to_the_building():
    connector("CP1", state="pending")
    connector("CP2", state="not_usable")
    assert look(installation())[0].connectors == ()


@pytest.mark.parametrize(
    ("status", "has_transaction", "is_authorised", "is_charging"),
    [
        ("Charging", False, True, False),
        ("SuspendedEV", False, True, False),
        ("SuspendedEVSE", False, True, False),
        ("Available", False, True, False),
        ("Preparing", False, True, False),
        ("", True, True, True),
        ("Preparing", True, True, True),
        ("Charging", True, True, True),
        ("Charging", True, False, False),
        ("Finishing", True, True, False),
        ("Faulted", True, True, False),
    ],
)
def test_a_car_wants_current_where_its_transaction_runs_or_the_station_says_so(
    status, has_transaction, is_authorised, is_charging
):
    known = connector(status=status)
    if has_transaction:
        transaction(known, is_authorised=is_authorised)
    _, places, _ = look(installation())
    assert places[known.pk].is_charging is is_charging


@pytest.mark.parametrize(
    ("values", "count", "fail_safe_a"),
    [
        ({}, 6, 8.4),
        ({}, 8, 6.3),
        ({}, 9, 0),
        ({"fail_safe_a": 10}, 9, 10),
        ({"fail_safe_a": 0}, 2, 0),
        ({}, 1, 32),
        ({"mode": "static", "static_limit_a": 24}, 4, 6),
        ({"mode": "static", "static_limit_a": 24}, 5, 0),
    ],
)
def test_the_fail_safe_current_is_an_equal_share_or_nothing(values, count, fail_safe_a):
    for number in range(count):
        connector(f"CP{number}")
    seen, _, stations = look(installation(**values))
    assert {told.fail_safe for told in seen.connectors} == {fail_safe_a}
    assert {place.fail_safe_a for place in stations} == {fail_safe_a}


def test_the_connectors_of_one_station_share_its_part_and_take_nothing_from_others():
    for number in (1, 2):
        connector("Twin", number=number)
    connector("Other")
    assert [told.fail_safe for told in look(installation())[0].connectors] == [12.6, 12.6, 25.2]
    for number in range(3, 9):
        connector("Twin", number=number)
    fail_safes = {told.key: told.fail_safe for told in look(installation())[0].connectors}
    assert sorted(fail_safes.values()) == [0] * 8 + [25.2]


def test_a_station_s_own_fail_safe_current_stays_within_what_it_can_do():
    connector("CP1", fail_safe_a=16)
    connector("CP2", fail_safe_a=16, max_current_a=10)
    connector("CP3", fail_safe_a=7, min_current_a=8)
    assert [told.fail_safe for told in look(installation())[0].connectors] == [16, 10, 0]


def test_a_station_s_own_fail_safe_current_is_shared_by_its_connectors():
    for number in (1, 2):
        connector("Twin", number=number, fail_safe_a=16)
    assert [told.fail_safe for told in look(installation())[0].connectors] == [8, 8]
