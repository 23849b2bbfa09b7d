"""The audit trail costs nothing where stations speak: not one query more than without it."""

from datetime import UTC, datetime

import pytest
from auditlog.context import disable_auditlog
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Change
from stations.metering import record_meter_values
from stations.models import Connector, Station
from stations.ocpp16.handshake import Offer
from stations.ocpp16.normalise import Boot, MeterValues, Sample, Start, Status
from stations.services import admit_station, boot_station, note_seen, record_status, release_socket
from stations.transactions import start_transaction

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BOOT = Boot(vendor="Acme", model="One", serial_number="7", firmware_version="1.0")


@pytest.fixture
def station():
    made = Station.objects.create(identity="CP1", state="configured")
    Connector.objects.create(station=made, number=1)
    return made


def connect(_station):
    admit_station(identity="CP1", offer=Offer(ip_address="192.0.2.7"), socket_id="web/1")


def go_away(station):
    release_socket(station_id=station.pk, socket_id=Station.objects.get(pk=station.pk).socket_id)


def boot(station):
    boot_station(station_id=station.pk, boot=BOOT)


def heartbeat(station):
    note_seen(station_ids=[station.pk])


def say_status(station):
    record_status(station_id=station.pk, status=Status(1, "Charging", "NoError", NOON))


def measure(station):
    record_meter_values(reports=[(station.pk, MeterValues(1, None, (Sample(at=NOON, power_w=11000.0),)))])


def begin(station):
    start = Start(connector=1, id_tag="CAFE01", meter_wh=0, at=NOON)
    start_transaction(station_id=station.pk, start=start, raw={})


def queries_of(said, station):
    with CaptureQueriesContext(connection) as captured:
        said(station)
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("said", [connect, go_away, boot, heartbeat, say_status, measure, begin])
def test_what_a_station_says_costs_no_query_more_and_leaves_no_entry(station, said):
    said(station)
    Change.objects.all().delete()
    with disable_auditlog():
        without = queries_of(said, station)
    assert len(without) > 0
    assert len(queries_of(said, station)) == len(without)
    assert not Change.objects.exists()
