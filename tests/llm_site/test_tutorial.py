"""The set-up tutorial: four steps, ticked by what is there."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.services import save_user
from badges.models import Badge, BadgeSettings
from energy.models import Installation, Meter
from llm_site.first_start.tutorial import read_progress
from stations.models import Preconfiguration, Station, StationState
from tests.stations.machine import stand_at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def administrator(client):
    client.force_login(save_user(username="anna", role="administrator", password="Garage-2026"))
    return client


def test_nothing_is_done_as_delivered(administrator):
    page = administrator.get("/tutorial/").content.decode()
    assert read_progress().done == 0
    assert "Done: 0 of 4." in page
    assert page.count("To do") == 4
    assert "Skip the set-up tutorial" in page


def test_the_first_step_is_done_once_a_station_has_connected():
    station = Station.objects.create(identity="CP1")
    assert not read_progress().has_connected
    station.connected_at = timezone.now()
    station.save()
    assert read_progress().has_connected


@pytest.mark.parametrize(
    ("values", "is_done"),
    [
        ({"fuse_a": 63}, False),
        ({"mode": "static", "static_limit_a": 32}, True),
        ({"mode": "static"}, False),
    ],
)
def test_the_second_step_is_done_once_current_can_be_shared(values, is_done):
    Installation.objects.update_or_create(pk=1, defaults=values)
    assert read_progress().is_shared is is_done


def test_the_dynamic_mode_shares_nothing_before_it_has_a_meter():
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 63})
    assert not read_progress().is_shared
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": "tcp://192.0.2.1:502"})
    assert read_progress().is_shared


def test_the_third_step_is_done_once_a_station_is_in_service():
    Station.objects.create(identity="CP1")
    assert not read_progress().is_in_service
    Station.objects.create(identity="CP2", state=StationState.CONFIGURED)
    assert read_progress().is_in_service


def require_badges(_client):
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"})


def add_badge(_client):
    Badge.objects.create(id_tag="04A1")


def add_user(_client):
    save_user(username="paul", role="standard", password="Garage-2026")


def save_free_access(client):
    page = reverse("admin:badges_badgesettings_changelist")
    assert client.post(page, {"access_rule": "free"}).status_code == 302


@pytest.mark.parametrize("choose", [require_badges, add_badge, add_user, save_free_access])
def test_the_fourth_step_is_done_once_access_was_thought_of(administrator, choose):
    assert not read_progress().is_access_chosen
    choose(administrator)
    assert read_progress().is_access_chosen


def test_a_deactivated_user_is_nobody_who_was_thought_of(administrator):
    add_user(administrator)
    User.objects.filter(username="paul").update(is_active=False)
    assert not read_progress().is_access_chosen


def test_the_tutorial_leads_on_when_all_is_done(administrator):
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 63})
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": "tcp://192.0.2.1:502"})
    Station.objects.create(identity="CP1", state=StationState.CONFIGURED, connected_at=timezone.now())
    Badge.objects.create(id_tag="04A1")
    page = administrator.get("/tutorial/").content.decode()
    assert "Done: 4 of 4." in page
    assert "Skip the set-up tutorial" not in page


def test_the_tutorial_gives_the_address_that_the_browser_has_used(administrator):
    page = administrator.get("/tutorial/", headers={"host": "garage.local:8000"}).content.decode()
    assert "ws://garage.local:8000/ocpp/" in page
    assert "Your browser runs on the machine itself" not in page


def test_the_tutorial_gives_addresses_that_stations_can_reach_where_the_browser_runs_on_the_machine(
    administrator, monkeypatch
):
    stand_at(monkeypatch, "127.0.0.1", "10.0.0.2", "192.168.1.2")
    page = administrator.get("/tutorial/", headers={"host": "localhost:8000"}).content.decode()
    assert re.findall("<code>(ws.*?)&lt;", page) == ["ws://10.0.0.2:8000/ocpp/", "ws://192.168.1.2:8000/ocpp/"]
    assert "Each works in its own network" in page
    assert "Your browser runs on the machine itself" not in page


def test_the_tutorial_says_where_the_only_address_known_is_of_no_use_to_stations(administrator, monkeypatch):
    stand_at(monkeypatch)
    page = administrator.get("/tutorial/", headers={"host": "localhost:8000"}).content.decode()
    assert "Your browser runs on the machine itself" in page


def test_one_button_of_the_tutorial_leads_to_the_first_step_that_is_open(administrator):
    def next_link():
        page = administrator.get("/tutorial/").content.decode()
        return re.findall(r'<a href="([^"]+)" class="button"', page)

    assert next_link() == [reverse("admin:stations_station_search")]
    Station.objects.create(identity="CP1", connected_at=timezone.now())
    assert next_link() == [reverse("admin:energy_installation_changelist")]
    Installation.objects.update_or_create(pk=1, defaults={"mode": "static", "static_limit_a": 32})
    assert next_link() == [reverse("admin:stations_station_changelist")]
    Station.objects.update(state=StationState.CONFIGURED)
    assert next_link() == [reverse("admin:badges_badgesettings_changelist")]
    Badge.objects.create(id_tag="04A1")
    assert next_link() == []


def test_the_tutorial_gives_an_address_with_tls_where_it_is_served(administrator, settings):
    settings.TLS_CERT, settings.TLS_PORT = "cert.pem", 8443
    page = administrator.get("/tutorial/", headers={"host": "garage.local:8000"}).content.decode()
    assert "wss://garage.local:8443/ocpp/" in page


def test_the_tutorial_counts_the_stations_that_say_they_are_wired_otherwise(administrator):
    assert "wired otherwise" not in administrator.get("/tutorial/").content.decode()
    reported = {"ConnectorPhaseRotation": ["0.STR,1.STR", False]}
    for identity in ("CP1", "CP2"):
        station = Station.objects.create(identity=identity, phase_rotation="L1L2L3")
        Preconfiguration.objects.create(station=station, reported=reported)
    page = administrator.get("/tutorial/").content.decode()
    assert "2 stations say that their phases are wired otherwise than entered" in page


def test_every_link_of_the_tutorial_opens(administrator):
    page = administrator.get("/tutorial/").content.decode()
    links = re.findall(r'<a href="([^"]+)"', page[page.index('<ol class="tutorial">') : page.index("</ol>")])
    assert len(links) == 7
    assert {administrator.get(link, follow=True).status_code for link in links} == {200}


def test_the_menu_leads_to_the_tutorial_for_administrators_alone(administrator, client):
    assert 'href="/tutorial/"' in administrator.get("/history/").content.decode()
    client.force_login(save_user(username="paul", role="advanced", password="Garage-2026"))
    assert 'href="/tutorial/"' not in client.get("/history/").content.decode()
