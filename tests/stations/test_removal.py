"""Deleting stations: transactions are kept with where they were."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils import timezone

from badges.models import Badge
from stations import removal
from stations.errors import StillCharging
from stations.models import Connector, MeterValue, Station, Transaction
from stations.ocpp16.normalise import Stop
from stations.removal import consequences_of_deleting, delete_stations
from stations.transactions import at_station, stop_transaction

pytestmark = pytest.mark.django_db

BEGAN = timezone.now() - timedelta(hours=1)


@pytest.fixture
def station():
    created = Station.objects.create(
        identity="CP1", name="Place 1", mac_address="00:24:C6:00:00:01", state="configured", socket_id="web/here"
    )
    Connector.objects.create(station=created, number=2)
    return created


def charge(station, *, is_running=False, **values):
    ended = {} if is_running else {"stopped_at": BEGAN + timedelta(minutes=30), "meter_stop_wh": 9000}
    return Transaction.objects.create(
        connector=station.connectors.get(), id_tag="A1", meter_start_wh=1000, started_at=BEGAN, **ended, **values
    )


def test_what_was_charged_is_kept_with_where_it_was(station):
    badge = Badge.objects.create(id_tag="A1")
    charge(station, badge=badge)
    delete_stations(station_ids=[station.pk])
    kept = Transaction.objects.get(at_station("CP1"))
    assert kept.charged_at == ("CP1", "Place 1", "00:24:C6:00:00:01", 2)
    assert (kept.connector, kept.badge, kept.energy_wh) == (None, badge, 8000)
    assert not Station.objects.exists()


def test_a_transaction_that_runs_keeps_its_station(station):
    running = charge(station, is_running=True)
    with pytest.raises(StillCharging):
        delete_stations(station_ids=[station.pk])
    assert Transaction.objects.get().connector == running.connector
    assert Transaction.objects.get().stopped_at is None


def test_one_that_may_end_ends_with_the_energy_known_of_it(station):
    running = charge(station, is_running=True)
    MeterValue.objects.create(
        connector=running.connector, transaction=running, measured_at=timezone.now(), energy_wh=4500
    )
    delete_stations(station_ids=[station.pk], ends_running=True)
    kept = Transaction.objects.get()
    assert (kept.energy_wh, kept.stop_reason, kept.charged_at.identity) == (3500, "Lost", "CP1")


def test_the_consequences_are_counted_before(station):
    charge(station, is_running=True)
    assert consequences_of_deleting(station_ids=[station.pk]) == removal.Consequences(
        transactions=1, running=1, connected=1, untold=0
    )


def test_no_other_way_of_deleting_loses_a_transaction(station):
    charge(station)
    with pytest.raises(ProtectedError):
        station.delete()
    with pytest.raises(IntegrityError, match="transaction_says_where_it_was"):
        Transaction.objects.update(connector=None)


def test_a_late_stop_ends_what_it_names_and_not_what_runs_since_the_station_came_back(station):
    begun = charge(station, is_running=True)
    delete_stations(station_ids=[station.pk], ends_running=True)
    again = Station.objects.create(identity=station.identity, state="configured")
    connector = Connector.objects.create(station=again, number=1)
    newer = Transaction.objects.create(
        connector=connector, id_tag="B2", meter_start_wh=500, started_at=begun.started_at
    )
    late = Stop(begun.pk, begun.id_tag, 9000, begun.started_at + timedelta(minutes=50), "Local")
    stop_transaction(station_id=again.pk, stop=late, raw={"transactionId": begun.pk})
    begun.refresh_from_db()
    newer.refresh_from_db()
    assert (begun.meter_stop_wh, begun.stop_reason, newer.stopped_at) == (9000, "Local", None)
