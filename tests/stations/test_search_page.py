"""The page that searches for stations, and what it says is to be entered at them."""

import html
import re
from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from accounts.models import User
from stations import addresses
from stations.addresses import Address, ocpp_address_for, stations_at_lost_addresses
from stations.discovery.hosts import Host
from stations.discovery.search import begin_search
from stations.models import Station, StationSearch, StationSearchState
from stations.ocpp16.handshake import Offer, read_offer
from stations.services import admit_station

pytestmark = pytest.mark.django_db

PAGE = "/admin/stations/station/search/"
ALFEN = Host("54:9a:11:90:00:96", ("192.168.1.51",), ("alfen-ACE0870096",))
HAGER = Host("a0:02:4a:e0:a1:04", ("192.168.1.50",), ("hager-evcs-cPW7zN",))
OTHER = Host("02:00:00:00:00:07", ("192.168.1.51",))


@pytest.fixture
def admin(client, monkeypatch):
    """An administrator, and a broker that takes every task."""
    monkeypatch.setattr(current_app, "send_task", lambda *_name, **_options: None)
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


@pytest.fixture
def machine(monkeypatch):
    """Be a machine with two networks."""
    own = [Address("eth0", "192.168.1.2", 24), Address("eth1", "10.0.0.2", 16), Address("eth0", "fd00::2", 64)]
    monkeypatch.setattr(addresses, "addresses", lambda: own)
    return own


def saw(*hosts, state=StationSearchState.FINISHED):
    seen = [host.dump() for host in hosts]
    return StationSearch.objects.create(pk=1, run=1, seen=seen, state=state, begun_at=timezone.now())


def plain(answer):
    text = re.sub(r"<(style|script|svg).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_a_search_is_begun_shown_and_stopped(admin):
    assert admin.post(PAGE, {"start": "", "others": "10.99.0.0/30"}).status_code == 302
    search = StationSearch.get_solo()
    assert (search.state, search.others) == (StationSearchState.RUNNING, "10.99.0.0/30")
    shown = admin.get(PAGE).content.decode()
    assert "Calling every address: 0 of 150 s" in plain(admin.get(PAGE))
    assert 'hx-trigger="every 1s"' in shown
    admin.post(PAGE, {"run": search.run, "stop": ""})
    assert "Search stopped" in plain(admin.get(PAGE))
    assert 'hx-trigger="every 1s"' not in admin.get(PAGE).content.decode()


@pytest.mark.parametrize("older", ["0", "one", "9" * 30])
def test_a_page_stops_only_the_search_it_shows(admin, older):
    begin_search(others="10.99.0.0/30")
    admin.post(PAGE, {"run": older, "stop": ""})
    assert StationSearch.get_solo().state == StationSearchState.RUNNING


def test_a_network_that_is_none_is_refused_at_its_field(admin):
    answer = admin.post(PAGE, {"start": "", "others": "home"})
    assert "“home” is no network" in plain(answer)
    assert 'aria-invalid="true"' in answer.content.decode()
    assert 'value="home"' in answer.content.decode()


def test_a_search_that_stands_still_is_said_to(admin):
    begin_search(others="10.99.0.0/30")
    StationSearch.objects.update(heard_at=timezone.now() - timedelta(seconds=31))
    assert "Start it again" in plain(admin.get(PAGE))


def test_what_is_ticked_stays_ticked_while_more_is_found(admin):
    saw(ALFEN, HAGER, state=StationSearchState.RUNNING)
    StationSearch.objects.update(heard_at=timezone.now())
    shown = admin.get(PAGE, {"chosen": ALFEN.mac}, headers={"hx-request": "true"}).content.decode()
    assert f'<input checked id="chosen-{ALFEN.mac}"' in shown
    assert f'<input id="chosen-{HAGER.mac}"' in shown


@pytest.mark.usefixtures("machine")
def test_the_page_says_what_to_enter_at_each_and_which_address_two_devices_have(admin):
    saw(ALFEN, HAGER, OTHER)
    Station.objects.create(identity="EV-9", socket_id="web/1")
    said = plain(admin.get(PAGE))
    assert "ws://192.168.1.2:8000/ocpp/ACE0870096" in said
    assert "which ends in cPW7zN: enter the address alone" in said
    assert "Several devices have the address 192.168.1.51: 02:00:00:00:00:07, 54:9a:11:90:00:96." in said
    assert "1 other device answers" in said
    assert "Connected as EV-9" in said


@pytest.mark.usefixtures("machine")
def test_what_was_chosen_is_given_a_password_once_and_then_configured_together(admin):
    saw(ALFEN, HAGER)
    answer = admin.post(PAGE, {"add": "", "chosen": [ALFEN.mac, HAGER.mac], "run": 1})
    said = plain(answer)
    assert re.search(r"ws://192.168.1.2:8000/ocpp/ACE0870096 OCPP identity ACE0870096 Password [0-9a-f]{40}", said)
    assert "ws://192.168.1.2:8000/ocpp/ The station brings its own OCPP identity" in said
    assert answer.content.decode().count("<svg") >= 2
    assert "no-store" in answer["Cache-Control"]
    station = Station.objects.get()
    assert f"configure-together/?stations={station.pk}" in answer.content.decode()
    Station.objects.update(socket_id="web/1")
    again = admin.post(PAGE, {"add": "", "chosen": [ALFEN.mac], "run": 1})
    assert again.url.endswith(f"configure-together/?stations={station.pk}")


def test_nothing_chosen_and_no_room_are_said(admin, settings):
    saw(ALFEN)
    assert "No station is chosen" in plain(admin.post(PAGE, {"add": "", "run": 1}, follow=True))
    settings.EDITION = "XEM510"
    for number in range(10):
        Station.objects.create(identity=f"CP{number}", state="configured")
    answer = admin.post(PAGE, {"add": "", "chosen": ALFEN.mac, "run": 1}, follow=True)
    assert "room for 0 more stations" in plain(answer)
    assert Station.objects.count() == 10


@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_administrators_alone_search(client, role):
    client.force_login(User.objects.create(username="marie", role=role, is_staff=role == "advanced"))
    answers = [client.get(PAGE).status_code, client.post(PAGE, {"start": "", "others": "10.99.0.0/30"}).status_code]
    assert set(answers) <= {302, 403}
    assert StationSearch.get_solo().run == 0


# --- the addresses of this machine


@pytest.mark.usefixtures("machine")
def test_a_station_is_given_this_machines_address_in_its_own_network(settings):
    came = {"host": "hager-llm-ab4df5.local:8000", "is_secure": False}
    assert ocpp_address_for("192.168.1.50", "CP1", **came) == "ws://192.168.1.2:8000/ocpp/CP1"
    assert ocpp_address_for("10.0.200.1", "CP1", **came) == "ws://10.0.0.2:8000/ocpp/CP1"
    assert ocpp_address_for("172.16.0.9", "CP1", **came) == "ws://hager-llm-ab4df5.local:8000/ocpp/CP1"
    assert ocpp_address_for("", "", host="127.0.0.1:8000", is_secure=False) == "ws://192.168.1.2:8000/ocpp/"
    settings.TLS_CERT, settings.TLS_PORT = "cert.pem", 8443
    assert ocpp_address_for("192.168.1.50", "CP1", **came) == "wss://192.168.1.2:8443/ocpp/CP1"
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert ocpp_address_for("192.168.1.50", "", host="llm.lan", is_secure=True) == "wss://llm.lan/ocpp/"


@pytest.mark.parametrize(
    ("host", "server", "called"),
    [
        (b"192.168.1.2:8000", "192.168.1.2", "192.168.1.2"),
        (b"192.168.1.2", "192.168.1.2", "192.168.1.2"),
        (b"hager-llm-ab4df5.local:8000", "192.168.1.2", ""),
        (b"203.0.113.9:8000", "172.17.0.2", ""),  # somebody translates addresses on the way
        (b"127.0.0.1:8000", "127.0.0.1", ""),
    ],
)
def test_the_address_a_station_is_set_to_is_kept_where_it_is_this_machines_own(host, server, called):
    scope = {"headers": [(b"host", host)], "client": ("192.168.1.50", 40000), "server": (server, 8000)}
    assert read_offer(scope, "CP1").called_address == called


def test_behind_a_proxy_no_address_is_kept(settings):
    settings.TRUSTED_PROXIES = ["192.168.1.2"]
    scope = {"headers": [(b"host", b"192.168.1.2")], "client": ("192.168.1.2", 40000), "server": ("192.168.1.2", 8000)}
    assert read_offer(scope, "CP1").called_address == ""


def connected(identity, called, *, is_open):
    admit_station(identity=identity, offer=Offer(called_address=called), socket_id=f"web/{identity}")
    if not is_open:
        Station.objects.filter(identity=identity).update(socket_id="")


@pytest.mark.usefixtures("machine")
def test_stations_that_call_an_address_which_is_gone_are_named(admin):
    connected("OLD-1", "192.168.1.9", is_open=False)
    connected("OLD-2", "192.168.1.9", is_open=False)
    connected("AWAY", "192.168.1.2", is_open=False)
    connected("BY-NAME", "", is_open=False)
    assert {ip: [str(one) for one in lost] for ip, lost in stations_at_lost_addresses().items()} == {
        "192.168.1.9": ["OLD-1", "OLD-2"]
    }
    for address in (PAGE, "/admin/stations/station/", "/admin/system/"):
        assert "no longer has the address 192.168.1.9" in plain(admin.get(address))
        assert "OLD-1, OLD-2" in plain(admin.get(address))


@pytest.mark.usefixtures("machine")
def test_an_address_under_which_a_station_is_connected_is_not_lost():
    connected("OLD-1", "192.168.1.9", is_open=False)
    connected("OLD-2", "192.168.1.9", is_open=True)
    assert stations_at_lost_addresses() == {}


@pytest.mark.usefixtures("machine")
def test_a_station_that_was_given_the_new_address_is_named_no_more():
    connected("OLD-1", "192.168.1.9", is_open=False)
    connected("OLD-1", "192.168.1.2", is_open=False)
    assert stations_at_lost_addresses() == {}


@pytest.mark.parametrize("path", ["/.well-known/", "/.well-known/ocpp"])
def test_programs_are_told_where_stations_connect(client, settings, machine, path):
    settings.MDNS = False
    answer = client.get(path)
    assert answer.json()["ocpp1.6"][0] == "ws://192.168.1.2:8000/ocpp/"
    assert len(answer.json()["ocpp1.6"]) == len(machine)
