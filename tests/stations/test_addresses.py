"""The address to enter at a station."""

import pytest

from stations.addresses import addresses_to_enter, is_this_machine_only, ocpp_address
from tests.stations.machine import stand_at


def test_a_station_is_given_the_host_and_port_the_browser_uses():
    assert ocpp_address("garage.local:8000", is_secure=False) == "ws://garage.local:8000/ocpp/"
    assert ocpp_address("garage.local", is_secure=True, identity="CP1") == "wss://garage.local/ocpp/CP1"


def test_where_tls_is_served_its_port_is_given_to_who_came_without_it(settings):
    settings.TLS_CERT, settings.TLS_PORT = "cert.pem", 8443
    assert ocpp_address("garage.local:8000", is_secure=False) == "wss://garage.local:8443/ocpp/"
    assert ocpp_address("[fe80::1]:8000", is_secure=False) == "wss://[fe80::1]:8443/ocpp/"
    settings.TLS_PORT = 443
    assert ocpp_address("garage.local:8000", is_secure=False) == "wss://garage.local/ocpp/"


def test_an_identity_is_written_so_that_a_station_can_send_it():
    assert ocpp_address("garage", is_secure=False, identity="FR*A/1 é") == "ws://garage/ocpp/FR%2AA%2F1%20%C3%A9"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost:8000", True), ("127.0.0.1", True), ("[::1]:8000", True), ("192.168.1.2:8000", False), ("", False)],
)
def test_an_address_of_this_machine_alone_is_known(host, is_local):
    assert is_this_machine_only(host) is is_local


def test_where_the_browser_runs_on_the_machine_its_addresses_in_the_network_are_given(monkeypatch):
    stand_at(monkeypatch, "127.0.0.1", "fd00::2", "192.168.1.2", "10.0.0.2", "fe80::1")
    found = addresses_to_enter("127.0.0.1:8000", is_secure=False, identity="CP1")
    assert found == ["ws://10.0.0.2:8000/ocpp/CP1", "ws://192.168.1.2:8000/ocpp/CP1"]
    assert addresses_to_enter("localhost", is_secure=True)[1] == "wss://192.168.1.2/ocpp/"


def test_an_address_of_ipv6_is_given_where_there_is_no_other(monkeypatch):
    stand_at(monkeypatch, "fd00::2")
    assert addresses_to_enter("[::1]:8000", is_secure=False) == ["ws://[fd00::2]:8000/ocpp/"]


def test_a_machine_without_a_network_and_a_port_that_is_none_give_what_the_browser_used(monkeypatch):
    stand_at(monkeypatch)
    assert addresses_to_enter("127.0.0.1:8000", is_secure=False) == ["ws://127.0.0.1:8000/ocpp/"]
    stand_at(monkeypatch, "192.168.1.2")
    assert addresses_to_enter("127.0.0.1:99999", is_secure=False) == ["ws://192.168.1.2:99999/ocpp/"]
    assert addresses_to_enter("garage.local:8000", is_secure=False) == ["ws://garage.local:8000/ocpp/"]
