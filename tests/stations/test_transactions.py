"""Transactions: begun once, ended once, nothing lost."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from badges.models import AccessRule, Badge, BadgeSettings
from stations.metering import record_meter_values
from stations.models import Connector, MeterValue, Station, StrayMessage, Transaction
from stations.ocpp16.normalise import MeterValues, Sample, read_start, read_stop
from stations.services import record_limit
from stations.transactions import start_transaction, stop_transaction

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def station():
    station = Station.objects.create(identity="CP1", state="configured", standing_fail_safe_a=8)
    Connector.objects.create(station=station, number=1)
    return station


def start(station, *, at=T0, connector=1, id_tag="A1", meter=1000):
    raw = {"connectorId": connector, "idTag": id_tag, "meterStart": meter, "timestamp": at.isoformat()}
    begun, decision = start_transaction(station_id=station.pk, start=read_start(raw, timezone.now()), raw=raw)
    return begun, decision.id_tag_info["status"]


def stop(station, transaction_id, *, at=T0 + timedelta(hours=1), meter=5000, **extra):
    raw = {"transactionId": transaction_id, "meterStop": meter, "timestamp": at.isoformat(), **extra}
    return stop_transaction(station_id=station.pk, stop=read_stop(raw, timezone.now()), raw=raw)


def report(station, values):
    (belonging,) = record_meter_values(reports=[(station.pk, values)])
    return belonging


def test_a_start_is_kept_with_what_the_station_sent(station):
    transaction, status = start(station)
    assert status == "Accepted"
    assert (transaction.meter_start_wh, transaction.started_at, transaction.stopped_at) == (1000, T0, None)
    assert transaction.raw_start["idTag"] == "A1"


def test_a_repeated_start_gets_the_same_number(station):
    assert start(station)[0].pk == start(station)[0].pk
    assert Transaction.objects.count() == 1


def test_a_repeated_start_with_a_wrong_clock_gets_the_same_number(station):
    early = datetime(1970, 1, 1, tzinfo=UTC)
    assert start(station, at=early)[0].pk == start(station, at=early)[0].pk
    assert Transaction.objects.get().flags == ["clock"]


def test_a_start_counts_the_connector_at_the_standing_fail_safe_current(station):
    Connector.objects.update(accepted_limit_a=32)
    start(station)
    assert Connector.objects.get().accepted_limit_a == 8


def test_an_acceptance_that_comes_after_the_next_start_does_not_count_for_it(station):
    first, _ = start(station)
    start(station, at=T0 + timedelta(hours=2), meter=3000)
    connector = Connector.objects.get()
    record_limit(connector_id=connector.pk, transaction_id=first.pk, limit_a=16)
    connector.refresh_from_db()
    assert connector.accepted_limit_a == 8


def test_a_stop_ends_it_and_a_second_stop_changes_nothing(station):
    transaction, _ = start(station)
    stop(station, transaction.pk)
    stop(station, transaction.pk, meter=9000, at=T0 + timedelta(hours=3))
    transaction.refresh_from_db()
    assert (transaction.energy_wh, transaction.stopped_at) == (4000, T0 + timedelta(hours=1))


@pytest.mark.parametrize("wrong_id", [0, -1, 999_999])
def test_a_stop_with_a_wrong_number_ends_the_only_one_it_can_mean(station, wrong_id):
    transaction, _ = start(station)
    stop(station, wrong_id)
    transaction.refresh_from_db()
    assert transaction.energy_wh == 4000
    assert "matched" in transaction.flags
    assert not StrayMessage.objects.exists()


def test_a_different_stop_for_an_ended_transaction_is_kept_aside(station):
    transaction, _ = start(station)
    stop(station, transaction.pk)
    stop(station, transaction.pk, meter=9000)
    assert StrayMessage.objects.get().payload["meterStop"] == 9000


def test_a_stop_that_could_mean_two_transactions_is_kept_once_and_ends_neither(station):
    start(station, connector=1)
    start(station, connector=2)
    stop(station, 0)
    stop(station, 0)
    assert Transaction.objects.filter(stopped_at=None).count() == 2
    assert StrayMessage.objects.get().payload["transactionId"] == 0


def test_a_stop_that_could_mean_two_ends_the_one_of_its_badge(station):
    start(station, connector=1, id_tag="A1")
    start(station, connector=2, id_tag="B2")
    stop(station, 0, idTag="b2")
    assert Transaction.objects.get(stopped_at=None).id_tag == "A1"


def test_a_stop_for_nothing_at_all_is_kept(station):
    stop(station, 17)
    assert StrayMessage.objects.get().action == "StopTransaction"


def test_a_stop_never_ends_a_transaction_of_another_station(station):
    other = Station.objects.create(identity="CP2")
    theirs, _ = start(other)
    stop(station, theirs.pk)
    theirs.refresh_from_db()
    assert theirs.stopped_at is None


def test_a_start_on_an_open_transaction_closes_that_as_lost_with_what_is_known(station):
    first, _ = start(station)
    second, _ = start(station, at=T0 + timedelta(hours=2), meter=3000)
    first.refresh_from_db()
    assert (first.stop_reason, first.energy_wh, first.stopped_at) == ("Lost", 2000, T0 + timedelta(hours=2))
    assert second.stopped_at is None


def test_the_stop_of_a_lost_transaction_still_counts(station):
    first, _ = start(station)
    start(station, at=T0 + timedelta(hours=2), meter=3000)
    stop(station, first.pk, meter=2500, reason="EVDisconnected")
    first.refresh_from_db()
    assert (first.stop_reason, first.energy_wh) == ("EVDisconnected", 1500)


def test_a_transaction_begun_offline_arrives_late_and_does_not_disturb_the_running_one(station):
    running, _ = start(station, at=T0 + timedelta(hours=5), meter=9000)
    late, _ = start(station, at=T0, meter=1000)
    running.refresh_from_db()
    assert running.stopped_at is None
    assert late.stop_reason == "Lost"
    stop(station, late.pk, meter=4000)
    late.refresh_from_db()
    assert late.energy_wh == 3000


def test_a_meter_that_went_back_is_estimated_from_samples_and_flagged(station):
    transaction, _ = start(station, meter=1000)
    sample = Sample(at=T0 + timedelta(minutes=30), energy_wh=2600)
    report(station, MeterValues(1, transaction.pk, (sample,)))
    stop(station, transaction.pk, meter=10)
    transaction.refresh_from_db()
    assert transaction.energy_wh == 1600
    assert "meter" in transaction.flags


def test_a_stop_before_its_start_ends_at_the_start_and_is_flagged(station):
    transaction, _ = start(station)
    stop(station, transaction.pk, at=T0 - timedelta(hours=1))
    transaction.refresh_from_db()
    assert transaction.stopped_at == transaction.started_at
    assert "clock" in transaction.flags


def test_transaction_data_of_a_stop_is_kept(station):
    transaction, _ = start(station)
    data = [{"timestamp": T0.isoformat(), "sampledValue": [{"value": "1200", "context": "Transaction.Begin"}]}]
    stop(station, transaction.pk, transactionData=data)
    assert MeterValue.objects.get(transaction=transaction).energy_wh == 1200


def test_a_refused_badge_is_recorded_all_the_same(station):
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": AccessRule.BADGE})
    transaction, status = start(station, id_tag="STRANGER")
    assert status == "Invalid"
    assert transaction.pk
    assert not transaction.is_authorised


def test_a_badge_is_known_whatever_its_case(station):
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": AccessRule.BADGE})
    badge = Badge.objects.create(id_tag="a1b2c3")
    transaction, status = start(station, id_tag="A1B2C3")
    assert (status, transaction.badge) == ("Accepted", badge)


def test_a_badge_must_be_good_here_on_both_sides(station):
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": AccessRule.BADGE})
    badge = Badge.objects.create(id_tag="A1", is_good_everywhere=False)
    assert start(station, meter=1)[1] == "Blocked"
    station.badges.add(badge)
    assert start(station, meter=2)[1] == "Accepted"
    station.badges.clear()
    Badge.objects.update(is_good_everywhere=True)
    Station.objects.update(takes_all_badges=False)
    assert start(station, meter=3)[1] == "Blocked"


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"is_active": False}, "Blocked"), ({"expires_on": "2020-01-01"}, "Expired"), ({"type": "pending"}, "Invalid")],
)
def test_a_badge_that_is_off_expired_or_pending_is_refused(station, changes, status):
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": AccessRule.BADGE})
    Badge.objects.create(id_tag="A1", **changes)
    assert start(station)[1] == status


def test_the_newest_sample_is_what_flows_now_and_its_age_is_taken_at_receipt(station):
    transaction, _ = start(station, at=timezone.now())
    behind = timezone.now() - timedelta(minutes=3)
    sample = Sample(at=behind, currents_a=(10.0, 11.0, None), energy_wh=1500)
    report(station, MeterValues(1, transaction.pk, (sample,)))
    connector = Connector.objects.get()
    assert connector.current_a == (10, 11, 1), "a phase of which nothing is said is neither free nor the building's"
    assert connector.measured_at > behind + timedelta(minutes=2)


def test_samples_kept_while_offline_do_not_pass_for_what_flows_now(station):
    transaction, _ = start(station)
    sample = Sample(at=T0, currents_a=(16.0, 16.0, 16.0))
    report(station, MeterValues(1, transaction.pk, (sample,)))
    assert Connector.objects.get().current_a is None
    assert MeterValue.objects.get().current_l1_a == 16


def test_after_the_stop_nothing_flows(station):
    transaction, _ = start(station, at=timezone.now())
    sample = Sample(at=timezone.now(), currents_a=(10.0, 10.0, 10.0))
    report(station, MeterValues(1, transaction.pk, (sample,)))
    stop(station, transaction.pk, at=timezone.now())
    assert Connector.objects.get().current_a == (0, 0, 0)


def test_values_with_an_unknown_transaction_belong_to_the_open_one(station):
    transaction, _ = start(station)
    belonging = report(station, MeterValues(1, 0, (Sample(at=T0, energy_wh=1),)))
    assert belonging.pk == transaction.pk
