"""How many stations an edition takes into service."""

import pytest

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
