"""The address to enter at a station."""

import pytest

from stations.addresses import is_this_machine_only, ocpp_address


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
