"""What an operator allows and what the building leaves: a car gets the lesser of the two."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from energy import balancing
from energy.allocation import Controller
from energy.models import Installation
from energy.operator_limits import operator_limits
from stations.cpo.keeping import clear_profiles, keep_profile
from stations.models import Connector, CpoLink, CpoProfile, CpoServer, CpoTransaction, Station, Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def static(limit_a):
    Installation.objects.update_or_create(pk=1, defaults={"mode": "static", "fuse_a": 63, "static_limit_a": limit_a})


def begin(connector, link=None):
    begun = Transaction.objects.create(connector=connector, id_tag="A1", meter_start_wh=0, started_at=timezone.now())
    if link is not None:
        CpoTransaction.objects.create(transaction=begun, link=link, cpo_id=1000 + begun.pk)
    return begun


def station(identity="CP1", connectors=1, *, has_operator=True, **values):
    made = Station.objects.create(
        identity=identity, state="configured", socket_id="web/1", standing_fail_safe_a=32, **values
    )
    link = None
    if has_operator:
        server, _ = CpoServer.objects.get_or_create(name="op", defaults={"url": "ws://op.example"})
        Station.objects.filter(pk=made.pk).update(cpo_server=server, is_cpo_enabled=True)
        link = CpoLink.objects.create(station=made, server=server, identity=identity)
    for number in range(1, connectors + 1):
        connector = Connector.objects.create(
            station=made,
            number=number,
            status="Charging",
            current_l1_a=0,
            current_l2_a=0,
            current_l3_a=0,
            measured_at=timezone.now(),
            accepted_limit_a=6,
        )
        begin(connector, link)
    return link


def profile(limit_a, *, purpose="TxDefaultProfile", number=1, **values):
    periods = [{"startPeriod": 0, "limit": limit_a}]
    return {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
        **values,
    }


def allow(link, limit_a, connector=1, **values):
    assert keep_profile(link_id=link.pk, connector=connector, profile=profile(limit_a, **values))


def told(sent):
    """What each connector was told last, A."""
    last = {entry[3]: entry[4] for message in sent for entry in message.get("limits", ())}
    return [limit_a for _transaction, limit_a in sorted(last.items())]


@pytest.mark.parametrize(("building_leaves_a", "car_gets_a"), [(8, 8), (20, 10)])
def test_a_car_gets_the_lesser_of_what_the_operator_and_the_building_allow(sent, building_leaves_a, car_gets_a):
    allow(station(), 10)
    static(building_leaves_a)
    balancing.balance()
    assert told(sent) == [car_gets_a]


def test_what_the_operator_does_not_allow_goes_to_the_others(sent):
    allow(station("CP1"), 10)
    station("CP2", has_operator=False)
    static(32)
    assert balancing.balance().reasons[Connector.objects.first().pk].code == "operator_profile"
    assert told(sent) == [10, 22]


def test_a_limit_that_the_operator_takes_back_counts_no_more():
    link = station()
    allow(link, 10)
    at = timezone.now().timestamp()
    assert operator_limits(at).cap(Connector.objects.get().pk) == 10
    assert clear_profiles(link_id=link.pk, asked={"id": 1}) == 1
    assert operator_limits(at).cap(Connector.objects.get().pk) == math.inf


def test_less_than_a_car_can_take_pauses_it(sent):
    allow(station(), 5)
    static(20)
    balancing.balance()
    assert told(sent) == [0]


def test_the_connectors_of_a_station_share_what_the_operator_allows_it(sent):
    allow(station(connectors=2), 14, 0, purpose="ChargePointMaxProfile")
    static(40)
    balancing.balance()
    assert told(sent) == [7, 7]


def test_watts_of_a_single_phase_station_are_those_of_one_phase(sent):
    link = station(phase_rotation="L2")
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 2300}]}
    allow(link, 0, chargingSchedule=schedule)
    static(32)
    balancing.balance()
    assert told(sent) == [10]


def test_an_operator_limits_only_what_began_with_it(sent):
    link = station()
    allow(link, 10)
    CpoTransaction.objects.all().delete()
    static(20)
    balancing.balance()
    assert told(sent) == [20]


def test_a_running_transaction_stays_bound_though_the_operator_was_switched_off(sent):
    allow(station(), 10)
    Station.objects.update(is_cpo_enabled=False)
    static(20)
    balancing.balance()
    assert told(sent) == [10]


def test_a_limit_that_cannot_be_evaluated_holds_on_and_leaves_the_others_alone(sent):
    broken = station("CP1")
    allow(broken, 10)
    allow(station("CP2"), 12)
    static(40)
    balancing.balance()
    assert told(sent) == [10, 12]
    CpoProfile.objects.filter(link=broken).update(payload={}, installed_at=timezone.now())
    now = timezone.now().timestamp()
    assert sorted(operator_limits(now).caps.values()) == [10, 12]
    Transaction.objects.filter(connector__station__identity="CP1").update(stopped_at=timezone.now(), meter_stop_wh=0)
    begin(Connector.objects.get(station__identity="CP1"), broken)
    assert sorted(operator_limits(now).caps.values()) == [6, 12]


def stand(sent):
    """What each station was told to fall back to last, A."""
    last = {entry[0]: entry[2] for message in sent for entry in message.get("standing", ())}
    return [fail_safe_a for _station, fail_safe_a in sorted(last.items())]


@pytest.mark.parametrize(("allowed_a", "falls_back_to_a"), [(20, 8), (7, 7), (5, 0), (0, 0)])
def test_a_station_falls_back_to_no_more_than_its_operator_allows(sent, allowed_a, falls_back_to_a):
    allow(station(fail_safe_a=8), allowed_a)
    static(20)
    balancing.balance()
    assert stand(sent) == [falls_back_to_a]


def test_what_an_operator_allows_a_station_is_divided_among_connectors_that_fall_back(sent):
    allow(station(connectors=2, fail_safe_a=32), 14, 0, purpose="ChargePointMaxProfile")
    static(60)
    balancing.balance()
    assert stand(sent) == [7]


def test_a_limit_that_follows_the_start_of_a_transaction_stands_with_its_least(sent):
    periods = [{"startPeriod": 0, "limit": 16}, {"startPeriod": 60, "limit": 6.5}, {"startPeriod": 120, "limit": 10}]
    schedule = {"chargingRateUnit": "A", "duration": 180, "chargingSchedulePeriod": periods}
    allow(station(fail_safe_a=16), 0, chargingSchedule=schedule)
    CpoProfile.objects.update(installed_at=timezone.now() - timedelta(days=1))
    static(20)
    balancing.balance()
    assert stand(sent) == [6.5]


@pytest.mark.parametrize("gone", ["disconnected", "run out", "of one transaction", "another edition"])
def test_a_limit_that_is_none_for_the_next_transaction_does_not_stand(sent, settings, gone):
    link = station(fail_safe_a=8)
    allow(link, 0)
    if gone == "disconnected":
        Station.objects.update(is_cpo_enabled=False)
    elif gone == "run out":
        CpoProfile.objects.update(payload=profile(0, validTo="2026-01-01T00:00:00Z"), installed_at=timezone.now())
    elif gone == "of one transaction":
        CpoProfile.objects.update(transaction=Transaction.objects.get())
    else:
        settings.EDITION = "XEM510"
    static(20)
    balancing.balance()
    assert stand(sent) == [8]


def test_a_limit_that_cannot_be_evaluated_stands_at_nothing(sent):
    allow(station(fail_safe_a=8), 10)
    CpoProfile.objects.update(payload={}, installed_at=timezone.now())
    static(20)
    balancing.balance()
    assert stand(sent) == [0]


def test_where_no_decision_can_be_made_a_car_gets_no_more_than_its_operator_allows(sent, monkeypatch):
    allow(station(fail_safe_a=16), 10)
    Connector.objects.update(accepted_limit_a=16)
    static(20)
    monkeypatch.setattr(Controller, "decide", lambda _self, _seen: 1 / 0)
    balancing.balance()
    assert told(sent) == [10]


def test_without_operators_a_turn_costs_one_query_for_them(django_assert_num_queries):
    station(has_operator=False)
    with django_assert_num_queries(1):
        operator_limits(0.0)
