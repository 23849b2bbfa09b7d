"""Stations that a search found: what is to be entered at them, and how they join those that connect."""

from datetime import timedelta

import pytest
from django.utils import timezone

from stations.discovery.adding import add_stations, found_in
from stations.discovery.hosts import Host
from stations.errors import EditionFull
from stations.models import Connector, Station, StationSearch, StationState
from stations.ocpp16.handshake import Offer
from stations.ocpp16.normalise import Boot
from stations.services import admit_station, boot_station

pytestmark = pytest.mark.django_db

HAGER = Host("a0:02:4a:e0:a1:04", ("192.168.1.50",), ("hager-evcs-cPW7zN",))
ALFEN = Host("54:9a:11:90:00:96", ("192.168.1.51",), ("alfen-ACE0870096",))
GO_E = Host("98:fc:84:10:00:01", ("192.168.1.52",), ("go-echarger_123456",))
HINTED = Host("90:98:77:00:00:01", ("192.168.1.33",))
PRINTER = Host("02:00:00:00:30:01", ("192.168.1.34",), ("printer",))
KEYS = [host.mac for host in (HAGER, ALFEN, GO_E, HINTED, PRINTER)]


@pytest.fixture(autouse=True)
def search():
    seen = [host.dump() for host in (HAGER, ALFEN, GO_E, HINTED, PRINTER)]
    return StationSearch.objects.create(pk=1, seen=seen, begun_at=timezone.now())


def connect(identity, ip="192.168.1.99"):
    """Have a station connect and boot."""
    station = admit_station(identity=identity, offer=Offer(ip_address=ip), socket_id=f"web/{identity}")
    boot_station(station_id=station.pk, boot=Boot("Acme", "One", "S1", "1.0"))
    return Station.objects.get(pk=station.pk)


def test_what_is_a_station_comes_before_what_may_be_one_and_nothing_else_does(search):
    found = found_in(search)
    assert [(one.host, one.is_sure) for one in found] == [
        (ALFEN, True),
        (GO_E, True),
        (HAGER, True),
        (HINTED, False),
    ]
    assert [one.identity for one in found] == ["ACE0870096", "go-echarger_123456", "", "909877000001"]
    assert "ends in cPW7zN" in found[2].note


def test_what_was_chosen_is_added_pending_with_a_password_each():
    added = add_stations(keys=[ALFEN.mac, GO_E.mac])
    assert len({one.password for one in added} - {""}) == 2
    station = Station.objects.get(identity="ACE0870096")
    assert (station.state, station.mac_address, station.host_name) == ("pending", ALFEN.mac, "alfen-ACE0870096")
    assert station.next_password_hash
    assert Connector.objects.filter(station=station).count() == 1


def test_who_was_added_is_not_added_again():
    first = add_stations(keys=[ALFEN.mac])
    (again,) = add_stations(keys=[ALFEN.mac])
    assert (again.found.station, again.password) == (first[0].found.station, "")
    assert Station.objects.count() == 1


def test_two_devices_of_one_name_are_given_two_identities():
    twins = [Host(f"90:98:77:00:00:0{number}", (f"192.168.1.6{number}",), ("evse",)) for number in (6, 7)]
    StationSearch.objects.update(seen=[twin.dump() for twin in twins])
    added = add_stations(keys=[twin.mac for twin in twins])
    assert {one.found.identity for one in added} == {"evse", "909877000007"}


def test_a_station_that_brings_its_identity_waits_for_its_connection():
    (added,) = add_stations(keys=[HAGER.mac])
    assert (added.found.station, added.password) == (None, "")
    assert not Station.objects.exists()


def test_what_is_not_a_station_cannot_be_chosen():
    assert add_stations(keys=[PRINTER.mac, "nothing"]) == []


def test_the_edition_has_to_have_room_for_all_that_are_chosen(settings):
    settings.EDITION = "XEM510"
    for number in range(8):
        Station.objects.create(identity=f"CP{number}", state=StationState.CONFIGURED)
    with pytest.raises(EditionFull, match="room for 2 more stations, 4 were chosen"):
        add_stations(keys=KEYS)
    assert Station.objects.count() == 8
    assert len(add_stations(keys=[ALFEN.mac, GO_E.mac])) == 2


def test_a_station_that_connects_joins_what_was_found(search):
    station = connect("ENFEgSS5y8NUGTSWcPW7zN")
    assert (station.mac_address, station.host_name) == (HAGER.mac, "hager-evcs-cPW7zN")
    found = {one.host: one for one in found_in(search)}
    assert found[HAGER].station == station
    assert found[HAGER].identity == station.identity


def test_a_station_that_connects_from_an_address_joins_the_host_there(search):
    station = connect("EV-1", ip="192.168.1.34")
    assert station.mac_address == PRINTER.mac
    assert [one.host for one in found_in(search) if one.station] == [PRINTER]


def test_what_a_person_entered_is_not_overwritten():
    Station.objects.create(identity="ENFEgSS5y8NUGTSWcPW7zN", host_name="corner")
    assert connect("ENFEgSS5y8NUGTSWcPW7zN").host_name == "corner"


def test_a_search_of_last_week_names_nobody():
    StationSearch.objects.update(begun_at=timezone.now() - timedelta(days=7))
    assert connect("EV-1", ip="192.168.1.34").mac_address == ""
