"""Settings for several stations at once, and taking stations out of service."""

import pytest
from django.core.exceptions import ValidationError

from badges.models import Badge
from stations.editions import room_for_stations
from stations.errors import EditionFull
from stations.models import Circuit, Preconfiguration, Station
from stations.setting_up import configure_stations, stated_rotation, take_out_of_service, take_stated_rotations

pytestmark = pytest.mark.django_db


@pytest.fixture
def stations():
    return [Station.objects.create(identity=f"CP{number}", state="pending") for number in (1, 2, 3)]


def ids(stations):
    return [station.pk for station in stations]


def test_only_what_is_given_changes_and_only_where_it_differs(stations):
    basement = Circuit.objects.create(name="basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    Station.objects.filter(identity="CP1").update(circuit=basement, priority=2)
    assert configure_stations(station_ids=ids(stations[:2]), settings={"circuit": basement}) == ["CP2"]
    rows = Station.objects.order_by("identity").values_list("circuit__name", "priority", "max_current_a")
    assert list(rows) == [("basement", 2, 32), ("basement", 0, 32), (None, 0, 32)]


def test_badges_are_chosen_for_all_of_them(stations):
    badge = Badge.objects.create(id_tag="A1")
    changed = configure_stations(station_ids=ids(stations), settings={"takes_all_badges": False}, badges=[badge])
    assert len(changed) == 3
    assert all(list(station.badges.all()) == [badge] for station in stations)
    assert configure_stations(station_ids=ids(stations), settings={}, badges=[badge]) == []


def test_a_setting_that_does_not_go_with_one_of_them_changes_none_and_names_it(stations):
    Station.objects.filter(identity="CP3").update(min_current_a=16)
    with pytest.raises(ValidationError, match="CP3: The maximum must not be below the minimum"):
        configure_stations(station_ids=ids(stations), settings={"max_current_a": 10})
    assert set(Station.objects.values_list("max_current_a", flat=True)) == {32}


def test_a_preview_counts_and_keeps_nothing(stations):
    settings = {"phase_rotation": "L2L3L1"}
    changed = configure_stations(station_ids=ids(stations), settings=settings, takes_into_service=True, is_preview=True)
    assert changed == ["CP1", "CP2", "CP3"]
    assert set(Station.objects.values_list("phase_rotation", "state")) == {("L1L2L3", "pending")}


def test_an_edition_without_room_for_all_changes_none(stations, settings):
    settings.EDITION = "XEM510"
    for number in range(8):
        Station.objects.create(identity=f"old-{number}", state="configured")
    with pytest.raises(EditionFull):
        configure_stations(station_ids=ids(stations), settings={"priority": 5}, takes_into_service=True)
    assert not Station.objects.filter(priority=5).exists()


def test_taking_out_of_service_gives_room_in_the_edition(settings):
    settings.EDITION = "XEM510"
    chosen = [Station.objects.create(identity=f"CP{number}", state="configured").pk for number in range(10)]
    assert room_for_stations() == 0
    assert take_out_of_service(station_ids=chosen[:2]) == 2
    assert room_for_stations() == 2
    assert Station.objects.filter(state="not_usable").count() == 2


def test_a_station_that_waits_is_refused_by_taking_it_out(stations):
    assert take_out_of_service(station_ids=ids(stations[:1])) == 1
    assert take_out_of_service(station_ids=ids(stations[:1])) == 0
    assert Station.objects.get(identity="CP1").state == "not_usable"


def states(station, rotation):
    reported = {"ConnectorPhaseRotation": [f"0.{rotation},1.{rotation}", False]}
    Preconfiguration.objects.create(station=station, reported=reported)
    return Station.objects.select_related("preconfiguration").get(pk=station.pk)


def test_a_phase_rotation_that_stations_say_is_entered_where_another_stands(stations):
    for station, said in zip(stations, ("STR", "RST", "TRS"), strict=True):
        states(station, said)
    Station.objects.filter(identity="CP3").update(phase_rotation="L3L1L2")
    assert take_stated_rotations(station_ids=ids(stations)) == 1
    rotations = Station.objects.order_by("identity").values_list("phase_rotation", flat=True)
    assert list(rotations) == ["L2L3L1", "L1L2L3", "L3L1L2"]


@pytest.mark.parametrize(("entered", "said"), [("L2L3L1", "RST"), ("L2", "STR"), ("L2L3L1", "STR"), ("L1L2L3", "junk")])
def test_what_a_station_says_as_delivered_or_of_one_phase_says_nothing(stations, entered, said):
    Station.objects.update(phase_rotation=entered)
    assert stated_rotation(states(stations[0], said)) == ""


def test_a_station_that_was_not_asked_says_nothing(stations):
    assert stated_rotation(stations[0]) == ""
