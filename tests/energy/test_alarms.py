"""The overview says which station needs a look, what that means for charging, and why all cars may wait."""

from datetime import timedelta

import pytest

from accounts.models import AccessSettings, User
from energy.dashboard import compute_overview
from energy.models import Allocation, Installation, Meter
from stations.models import Connector, Station, Transaction
from tests.energy.overview_rows import NOW, add_connector, add_reading

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _installation(db):  # noqa: ARG001 (gives the database)
    Meter.objects.create(model="eastron_sdm630", url="tcp://192.0.2.1:502")
    Installation.objects.create(fuse_a=63)
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": NOW})


def car(identity="CP1", *, reason="station_maximum", limit_a=16.0, params=None, **connector):
    """Let a car charge."""
    connector = add_connector(identity, **{"status": "Charging", **connector})
    Allocation.objects.create(
        connector=connector, decided_at=NOW, limit_a=limit_a, reason=reason, reason_params=params or {}
    )
    Transaction.objects.create(
        connector=connector, id_tag=f"TAG{identity}", meter_start_wh=0, started_at=NOW - timedelta(minutes=5)
    )
    return connector


def told():
    return [alarm.words for alarm in compute_overview(NOW).alarms]


def test_a_garage_at_work_gives_no_alarm():
    car()
    add_connector("CP2")
    assert told() == []


def test_a_station_that_disobeys_is_told_once_with_what_it_draws():
    car(reason="ignores_limit", params={"drawn_a": 17.2})
    Connector.objects.update(refusal="accepted but not obeyed, in any form: 17.2 A instead of 6 A")
    assert told() == [
        "Place CP1 does not obey: its car draws 17.2 A. The others get less instead. "
        "Stop this charging; if it happens again, restart the station."
    ]


def test_a_refused_limit_is_told_with_the_stations_answer():
    car()
    Connector.objects.update(refusal="Rejected")
    assert told() == ["Place CP1: It refused the last limit: Rejected. The limit before still counts."]


def test_a_form_of_limit_that_failed_is_no_alarm_while_another_is_left():
    car()
    Connector.objects.update(refusal="accepted but not obeyed: 17.2 A instead of 6 A")
    assert told() == []


def test_a_fault_is_told_with_its_name():
    add_connector(status="Faulted")
    Connector.objects.update(error_code="GroundFailure")
    assert told() == ["Place CP1 reports a fault: earth fault. No car can charge there. Look at the station."]


def test_a_station_that_is_away_is_told_once_however_many_connectors_it_has():
    connector = add_connector(socket_id="")
    Connector.objects.create(station=connector.station, number=2)
    (sentence,) = told()
    assert "has not connected yet" in sentence
    Station.objects.update(last_seen_at=NOW)
    (sentence,) = told()
    assert "last heard 2 Mar 11:04" in sentence


def test_the_gravest_comes_first():
    add_connector("CP1", socket_id="")
    car("CP2", reason="ignores_limit", params={"drawn_a": 20.0})
    assert [alarm.place.name for alarm in compute_overview(NOW).alarms] == ["Place CP2", "Place CP1"]


def test_visitors_are_told_no_alarm_and_a_thousand_fill_no_page(client):
    for number in range(10):
        add_connector(f"CP{number}", socket_id="")
    assert "has not connected yet" not in client.get("/").content.decode()
    client.force_login(User.objects.create(username="marie"))
    page = client.get("/").content.decode()
    assert page.count("has not connected yet") == 8
    assert "and 2 more stations that need a look" in page


def test_a_limit_is_told_with_its_day_where_that_is_another():
    car()
    told_today = []
    for hours in (1, 24):
        Allocation.objects.update(decided_at=NOW - timedelta(hours=hours))
        told_today.append(compute_overview(NOW).sessions[0].told_today)
    assert told_today == [True, False]


# --- cars that wait though there is enough


def waits(identity="CP1", **connector):
    return car(identity, reason="waiting", limit_a=0.0, params={"ahead": 0}, **connector)


def test_cars_that_wait_for_free_current_to_stay_are_told_so(client):
    waits()
    add_reading(charging=(20.0, 20.0, 20.0))  # of 30.4 A
    overview = compute_overview(NOW)
    assert overview.sessions[0].starts_soon
    assert overview.all_wait
    page = client.get("/").content.decode()
    assert "enough current is free, and the first of them gets it when it has stayed free for 60 s" in page


def test_cars_that_wait_because_there_is_not_enough_are_not():
    waits()
    add_reading(charging=(20.0, 20.0, 25.0))
    assert not compute_overview(NOW).sessions[0].starts_soon


def test_a_car_on_one_line_waits_for_that_line_alone():
    waits(rotation="L1")
    add_reading(charging=(20.0, 30.0, 30.0))
    assert compute_overview(NOW).sessions[0].starts_soon


def test_the_whole_garage_does_not_wait_while_one_charges():
    waits()
    car("CP2")
    add_reading(charging=(20.0, 20.0, 20.0))
    overview = compute_overview(NOW)
    assert [session.starts_soon for session in overview.sessions] == [True, False]
    assert not overview.all_wait


def test_a_single_phase_building_has_one_line_to_wait_for():
    Installation.objects.update(phases=1)
    waits()
    add_reading(charging=(20.0, 0.0, 0.0))
    assert compute_overview(NOW).sessions[0].starts_soon
