"""What stations report of their security."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from stations import security
from stations.models import SecurityEvent
from stations.security import record_security_event, tidy_security_events
from tests.http_client import ask, token_of
from tests.stations.offers import make, offering, station
from tests.stations.test_consumer import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


async def test_a_security_event_is_kept_once_however_often_it_is_sent():
    await make()
    event = {"type": "TamperDetectionActivated", "timestamp": "2026-01-05T10:00:00Z", "techInfo": "lid"}
    async with offering() as line:
        assert await line.ask("SecurityEventNotification", **event) == {}
        assert await line.ask("SecurityEventNotification", **event) == {}
        assert await line.ask("SecurityEventNotification", timestamp="yesterday", techInfo=["odd\x00"]) == {}
        assert await line.ask("SecurityEventNotification", type="T\x00" * 200, timestamp=None) == {}
    kept = await in_database(lambda: list(SecurityEvent.objects.order_by("pk").values_list("type", "tech_info")))
    assert kept == [("TamperDetectionActivated", "lid"), ("Unknown", ""), ("T" * 100, "")]


@pytest.mark.parametrize("action", ["LogStatusNotification", "SignedFirmwareStatusNotification"])
async def test_the_secured_kin_of_the_progress_messages_are_answered(action):
    await make()
    async with offering() as line:
        assert await line.ask(action, status="Uploading", requestId=1) == {}


def event(owner, age, kind="A"):
    at = timezone.now() - age
    record_security_event(station_id=owner.pk, event=security.ReportedEvent(kind, at, ""))
    SecurityEvent.objects.filter(at=at).update(received_at=at)


def test_events_are_kept_for_a_year_and_the_newest_of_each_station(monkeypatch):
    monkeypatch.setattr(security, "MOST_EVENTS", 2)
    loud, quiet = station(), station("CP2")
    event(quiet, timedelta(days=400))
    event(quiet, timedelta(days=3))
    for minutes in (5, 4, 3):
        event(loud, timedelta(minutes=minutes), kind=str(minutes))
    tidy_security_events()
    assert list(quiet.security_events.values_list("type", flat=True)) == ["A"]
    assert list(loud.security_events.values_list("type", flat=True)) == ["3", "4"]


def test_events_are_told_to_administrators_filtered_and_paged():
    for identity in ("CP1", "CP2"):
        owner = station(identity)
        event(owner, timedelta(days=2), kind="SettingSystemTime")
        event(owner, timedelta(days=1), kind="FirmwareUpdated")

    async def asked(**parameters):
        return (await ask("GET", "/api/security-events", token=token, **parameters)).json()

    token = async_to_sync(token_of)("administrator")
    since = (timezone.now() - timedelta(hours=30)).isoformat()
    everything = async_to_sync(asked)()
    assert everything["count"] == 4
    assert everything["items"][0]["type"] == "FirmwareUpdated"
    assert async_to_sync(asked)(station="CP1", type="FirmwareUpdated")["count"] == 1
    assert async_to_sync(asked)(from_=since)["count"] == 2
    assert async_to_sync(asked)(to=since)["count"] == 2
    advanced = async_to_sync(token_of)("advanced")
    assert async_to_sync(ask)("GET", "/api/security-events", token=advanced).status == 403
