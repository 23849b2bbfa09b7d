"""Messages without a transaction: kept once, and without filling the disk."""

import pytest

from stations import strays
from stations.models import Station, StrayMessage
from stations.strays import keep_stray

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    return Station.objects.create(identity="CP1")


def keep(station, number):
    keep_stray(station.pk, "StopTransaction", {"transactionId": number, "meterStop": 5}, f"no transaction {number}")


def test_what_a_station_repeats_is_kept_once(station):
    keep(station, 1)
    keep(station, 1)
    assert StrayMessage.objects.count() == 1


def test_beyond_the_most_a_station_s_messages_are_counted_and_the_last_is_kept(station, monkeypatch):
    monkeypatch.setattr(strays, "MOST_KEPT", 3)
    for number in range(10):
        keep(station, number)
    keep(Station.objects.create(identity="CP2"), 99)
    own = StrayMessage.objects.filter(station=station).order_by("pk")
    assert [stray.payload.get("transactionId") for stray in own] == [0, 1, 2, None]
    assert own[3].payload == {"not_kept": 7, "last": {"transactionId": 9, "meterStop": 5}}
    assert StrayMessage.objects.exclude(station=station).count() == 1
