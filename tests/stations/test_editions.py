"""How many stations an edition takes into service."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from stations.errors import EditionFull
from stations.models import Station
from stations.ocpp16.normalise import Boot
from stations.services import boot_station
from stations.setting_up import approve_stations

pytestmark = pytest.mark.django_db


def stations(count, **values):
    return [Station.objects.create(identity=f"{values.get('state', 'new')}-{n}", **values).pk for n in range(count)]


def test_without_an_edition_s_limit_all_are_taken():
    assert approve_stations(station_ids=stations(30)) == 30


def test_the_edition_takes_all_or_none_of_the_chosen(settings):
    settings.EDITION = "XEM510"
    stations(8, state="configured")
    chosen = stations(3)
    with pytest.raises(EditionFull, match="room for 2 more stations, 3 were chosen"):
        approve_stations(station_ids=chosen)
    assert approve_stations(station_ids=chosen[:2]) == 2
    assert Station.objects.filter(state="configured").count() == 10


def test_automatic_acceptance_stops_where_the_edition_ends(settings):
    settings.EDITION, settings.ACCEPT_STATIONS = "XEM510", "auto"
    states = [boot_station(station_id=pk, boot=Boot("Acme", "One", "", "")) for pk in stations(11)]
    assert states == ["configured"] * 10 + ["not_usable"]


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_do_not_overrun_the_edition(settings):
    settings.EDITION = "XEM510"
    stations(9, state="configured")
    waiting, barrier = stations(2), Barrier(2)

    def approve(station_id):
        try:
            barrier.wait(10)
            return approve_stations(station_ids=[station_id])
        except EditionFull:
            return 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(approve, waiting)) == [0, 1]
    assert Station.objects.filter(state="configured").count() == 10
