"""What a badge may do at a station, whoever asks: the reader, a transaction, a command."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from badges.models import Badge, BadgeSettings, Refusal
from badges.refusals import KEPT_FOR, MOST_KEPT, forget_old_refusals, keep_refusal
from badges.scanning import start_scan, stop_scan
from stations.authorising import present_badge
from stations.commanding import request_command
from stations.errors import CommandUnfit
from stations.models import Command, Connector, Station, StopRequest, Transaction
from stations.ocpp16.normalise import read_start, read_stop
from stations.stop_requests import answer_stop_request
from stations.transactions import start_transaction, stop_transaction

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _badges():
    """Require a badge; A1 is a driver's, 5A a Supervisor's."""
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"})
    Badge.objects.create(id_tag="A1")
    Badge.objects.create(id_tag="5A", type="supervisor")


def place(identity, connectors=1):
    station = Station.objects.create(identity=identity, state="configured", socket_id="web/1")
    for number in range(1, connectors + 1):
        Connector.objects.create(station=station, number=number)
    return station


@pytest.fixture
def station():
    return place("CP1")


def driver():
    return Badge.objects.filter(id_tag="A1")


def present(station, id_tag="A1"):
    return present_badge(station_id=station.pk, id_tag=id_tag)


def answer(station, id_tag="A1"):
    return present(station, id_tag).decision.reason


def start(station, id_tag="A1", *, connector=1, at=None, meter=0):
    at = at or timezone.now()
    raw = {"connectorId": connector, "idTag": id_tag, "meterStart": meter, "timestamp": at.isoformat()}
    return start_transaction(station_id=station.pk, start=read_start(raw, timezone.now()), raw=raw)


def stop(station, begun, id_tag="A1"):
    raw = {"transactionId": begun.pk, "meterStop": 9, "timestamp": timezone.now().isoformat(), "idTag": id_tag}
    return stop_transaction(station_id=station.pk, stop=read_stop(raw, timezone.now()), raw=raw)


def reasons():
    return list(Refusal.objects.order_by("pk").values_list("id_tag", "station", "reason"))


# --- one decision for all ways


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "accepted"),
        ({"type": "supervisor"}, "accepted"),
        ({"type": "pending"}, "pending"),
        ({"is_active": False}, "inactive"),
        ({"expires_on": date(2020, 1, 1)}, "expired"),
        ({"is_good_everywhere": False}, "not_here"),
        (None, "unknown"),
    ],
)
def test_reader_start_stop_and_command_get_the_same_answer(station, changes, reason):
    if changes is None:
        driver().delete()
    else:
        driver().update(**changes)
    begun, decision = start(station)
    assert decision.reason == reason
    assert begun.is_authorised == (reason == "accepted")
    assert stop(station, begun).reason == reason
    assert answer(station) == reason
    if reason == "accepted":
        request_command(station=station, action="RemoteStartTransaction", payload={"idTag": "A1"}, user=None)
    else:
        with pytest.raises(CommandUnfit, match="badge A1 would be refused there"):
            request_command(station=station, action="RemoteStartTransaction", payload={"idTag": "A1"}, user=None)
    assert reasons() == ([] if reason == "accepted" else [("A1", "CP1", reason)] * 2)


def test_station_and_badge_must_take_each_other(station):
    Station.objects.update(takes_all_badges=False)
    assert answer(station) == "not_here"
    station.badges.add(driver().get())
    assert answer(station) == "accepted"
    Badge.objects.update(is_good_everywhere=False)
    assert [answer(station), answer(place("CP2"))] == ["accepted", "not_here"]


@pytest.mark.parametrize(("now", "reason"), [("2026-03-29T21:59:30Z", "accepted"), ("2026-03-29T22:00:00Z", "expired")])
def test_the_day_of_expiry_ends_in_the_installations_time_zone(station, now, reason):
    Badge.objects.update(expires_on=date(2026, 3, 29))
    timezone.activate(ZoneInfo("Europe/Paris"))
    with time_machine.travel(datetime.fromisoformat(now), tick=False):
        assert answer(station) == reason


def test_a_transaction_that_began_offline_is_judged_by_its_own_day(station):
    Badge.objects.update(expires_on=date(2026, 1, 5))
    with time_machine.travel(datetime(2026, 1, 8, tzinfo=UTC), tick=False):
        begun, decision = start(station, at=datetime(2026, 1, 5, 22, tzinfo=UTC))
    assert (begun.is_authorised, decision.reason) == (True, "accepted")


def test_a_repeated_start_gets_the_answer_of_the_first_and_one_refusal_is_kept(station):
    at = timezone.now()
    first, refused = start(station, "B2", at=at)
    Badge.objects.create(id_tag="B2")
    second, again = start(station, "B2", at=at)
    assert (first.pk, refused.id_tag_info) == (second.pk, again.id_tag_info)
    assert len(reasons()) == 1


# --- one badge, several cars


@pytest.mark.parametrize(("is_allowed", "reason"), [(True, "accepted"), (False, "in_use")])
def test_whether_one_badge_may_charge_two_cars_is_a_setting(station, is_allowed, reason):
    BadgeSettings.objects.update(allows_concurrent_use=is_allowed)
    other = place("CP2", connectors=2)
    start(other)
    assert [answer(station), start(station)[1].reason] == [reason, reason]
    assert answer(other) == "accepted", "it comes to end its own"
    assert start(other, connector=2)[1].reason == reason


def test_a_refused_or_lost_transaction_elsewhere_keeps_no_badge_from_charging(station):
    BadgeSettings.objects.update(allows_concurrent_use=False)
    other = place("CP2")
    start(other)
    Transaction.objects.update(is_authorised=False)
    assert answer(station) == "accepted"
    Transaction.objects.update(is_authorised=True)
    Station.objects.filter(pk=other.pk).update(socket_id="")
    assert answer(station) == "accepted", "what a station that is away still does is not known"


def test_of_two_starts_at_once_only_one_charges_with_a_badge_that_may_charge_one_car(station):
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")
    for is_allowed in (True, False):
        BadgeSettings.objects.update(allows_concurrent_use=is_allowed)
        with CaptureQueriesContext(connection) as queries:
            start(station, meter=int(is_allowed))
        locks = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
        assert any("badges_badge" in sql for sql in locks) != is_allowed


def test_a_badge_may_start_again_where_its_last_transaction_never_ended(station):
    BadgeSettings.objects.update(allows_concurrent_use=False)
    start(station)
    assert start(station, meter=5)[1].reason == "accepted"


# --- scanning


def test_while_badges_are_scanned_none_is_told_that_it_may_charge(station):
    scan = start_scan(station_ids=[station.pk], user=None)
    assert present(station).decision.id_tag_info == {"status": "Invalid"}
    assert answer(station, "B2") == "scanned"
    assert answer(place("CP2")) == "accepted"
    assert reasons() == []
    stop_scan(scan_id=scan.pk)
    assert [answer(station), answer(station, "B2")] == ["accepted", "pending"]
    assert [row.station for row in scan.scanned.all()] == ["CP1", "CP1"]


def test_free_access_does_not_let_a_scanned_badge_charge_either(station):
    BadgeSettings.objects.update(access_rule="free")
    start_scan(station_ids=[], user=None)
    assert answer(station) == "scanned"


def test_a_start_with_a_scanned_badge_is_kept_and_refused(station):
    start_scan(station_ids=[], user=None)
    present(station)
    begun, decision = start(station)
    assert (begun.is_authorised, decision.id_tag_info) == (False, {"status": "Invalid"})
    assert Transaction.objects.get() == begun
    assert stop(station, begun).is_accepted


@pytest.mark.parametrize("id_tag", ["A1", "B2"])
def test_a_badge_whose_station_does_not_ask_before_it_starts_is_collected_and_refused(station, id_tag):
    scan = start_scan(station_ids=[station.pk], user=None)
    at = timezone.now()
    begun, decision = start(station, id_tag, at=at)
    again, repeated = start(station, id_tag, at=at)
    assert (begun.is_authorised, decision.reason, again.pk, repeated.is_accepted) == (False, "scanned", begun.pk, False)
    assert list(scan.scanned.values_list("id_tag", "times")) == [(id_tag, 1)]
    assert start(place("CP2"), "A1")[1].is_accepted


def test_a_start_from_before_the_scan_is_not_scanned(station):
    scan = start_scan(station_ids=[], user=None)
    assert start(station, at=scan.started_at - timedelta(minutes=1))[1].is_accepted
    assert not scan.scanned.exists()


def test_a_car_that_a_command_started_charges_while_badges_are_scanned(station):
    scan = start_scan(station_ids=[], user=None)
    request_command(station=station, action="RemoteStartTransaction", payload={"idTag": "A1"}, user=None)
    assert start(station, "a1")[1].is_accepted
    assert not scan.scanned.exists()


def test_a_badge_whose_car_charges_here_can_end_that_while_badges_are_scanned(station):
    start(station)
    scan = start_scan(station_ids=[], user=None)
    assert answer(station, "a1") == "accepted"
    assert not scan.scanned.exists()


# --- the Supervisor


@pytest.mark.parametrize("rule", ["free", "badge"])
def test_a_supervisor_ends_the_only_charging_of_a_station(station, rule):
    BadgeSettings.objects.update(access_rule=rule)
    begun, _ = start(station)
    presented = present(station, "5a")
    assert (presented.to_stop, presented.decision.is_accepted) == ([begun.pk], True)
    assert "parentIdTag" not in presented.decision.id_tag_info
    wish = StopRequest.objects.get()
    assert (wish.transaction, wish.id_tag) == (begun, wish.badge.id_tag)


def test_a_supervisor_charges_where_a_connector_is_free():
    station = place("CP2", connectors=2)
    start(station)
    assert present(station, "5A").to_stop == ()
    Connector.objects.filter(number=2).update(status="Faulted")
    assert len(present(station, "5A").to_stop) == 1


@pytest.mark.parametrize(
    "changes",
    [{"type": "standard"}, {"is_active": False}, {"expires_on": date(2020, 1, 1)}, {"is_good_everywhere": False}],
)
def test_no_other_badge_ends_the_charging_of_others(station, changes):
    start(station)
    Badge.objects.filter(type="supervisor").update(**changes)
    assert present(station, "5A").to_stop == ()
    assert not StopRequest.objects.exists()


def test_a_supervisor_that_charges_here_means_its_own_car():
    station = place("CP2", connectors=2)
    start(station)
    start(station, "5A", connector=2)
    assert present(station, "5A").to_stop == ()


def test_a_supervisor_that_charges_elsewhere_may_still_end_others(station):
    BadgeSettings.objects.update(allows_concurrent_use=False)
    start(place("CP2"), "5A")
    start(station)
    assert len(present(station, "5A").to_stop) == 1


def test_where_several_charge_it_is_asked_once_and_the_answer_ends_one():
    station, user = place("CP2", connectors=2), User.objects.create(username="paul")
    Badge.objects.create(id_tag="B2")
    first, _ = start(station)
    second, _ = start(station, "B2", connector=2)
    assert [present(station, "5A").to_stop, present(station, "5A").to_stop] == [[], []]
    wish = StopRequest.objects.get()
    command = answer_stop_request(request_id=wish.pk, transaction_id=second.pk, user=user)
    assert (command.payload, command.requested_by) == ({"transactionId": second.pk}, user)
    assert answer_stop_request(request_id=wish.pk, transaction_id=first.pk, user=user) is None
    assert Command.objects.count() == 1


def test_an_answer_too_late_or_for_another_station_ends_nothing():
    station, other, user = place("CP2", connectors=2), place("CP3"), User.objects.create(username="paul")
    start(station, "X", connector=1)
    start(station, "Y", connector=2)
    elsewhere, _ = start(other, "Z")
    present(station, "5A")
    wish = StopRequest.objects.get()
    assert answer_stop_request(request_id=wish.pk, transaction_id=elsewhere.pk, user=user) is None
    StopRequest.objects.update(open_until=timezone.now())
    here = Transaction.objects.filter(connector__station=station).first()
    assert answer_stop_request(request_id=wish.pk, transaction_id=here.pk, user=user) is None


# --- what is kept of refusals


def test_the_newest_refusals_are_kept(station, monkeypatch):
    monkeypatch.setattr("badges.refusals.MOST_KEPT", 3)
    for number in range(5):
        answer(station, f"N{number}")
    assert [row[0] for row in reasons()] == ["N2", "N3", "N4"]
    assert MOST_KEPT == 1000


def test_refusals_of_long_ago_are_forgotten():
    keep_refusal(id_tag="A1", station="CP1", reason="unknown")
    Refusal.objects.update(at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    keep_refusal(id_tag="B2", station="CP1", reason="unknown")
    forget_old_refusals()
    assert [row[0] for row in reasons()] == ["B2"]
