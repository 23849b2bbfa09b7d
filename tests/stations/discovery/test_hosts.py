"""What was seen of hosts, put together and joined to stations."""

from itertools import permutations

import pytest

from stations.discovery.hosts import Host, Known, first_label, join, load, mac_in, merge, plain_mac, shared_ips
from stations.discovery.makers import maker_hinted, maker_named

MAC, OTHER = "a0:02:4a:e0:a1:04", "02:00:00:00:00:01"
NAME = "hager-evcs-cPW7zN"


def test_what_was_seen_of_one_host_is_one_host_in_whatever_order():
    seen = [
        Host(MAC, ("192.168.1.50",)),
        Host("", ("192.168.1.50",), (NAME,), ("_http._tcp.local.",)),
        Host("", ("192.168.1.50",), ("HAGER-EVCS-CPW7ZN",), (), (80,)),
        Host(MAC, ("fe80::1",)),
    ]
    for order in permutations(seen):
        (host,) = merge(order)
        assert (host.mac, set(host.ips), host.ports) == (MAC, {"192.168.1.50", "fe80::1"}, (80,))
        assert host.name.lower() == NAME.lower()


def test_a_host_that_moved_keeps_its_mac_address_and_has_both_addresses():
    assert merge([Host(MAC, ("192.168.1.50",)), Host(MAC, ("192.168.1.51",))]) == [
        Host(MAC, ("192.168.1.50", "192.168.1.51"))
    ]


def test_a_name_that_was_heard_by_ipv6_finds_its_host_by_the_mac_address_in_it():
    seen = [Host("", ("fe80::a202:4aff:fee0:a104",), (NAME,)), Host(MAC, ("192.168.1.50",))]
    assert [(host.mac, host.ipv4, host.name) for host in merge(seen)] == [(MAC, "192.168.1.50", NAME)]


def test_what_was_heard_at_an_address_that_two_have_is_said_of_neither():
    seen = [Host(MAC, ("192.168.1.50",)), Host(OTHER, ("192.168.1.50",)), Host("", ("192.168.1.50",), (NAME,))]
    for order in permutations(seen):
        assert {(host.mac, host.name) for host in merge(order)} == {(MAC, ""), (OTHER, ""), ("", NAME)}
    assert shared_ips(seen) == {"192.168.1.50": {MAC, OTHER}}


def test_two_hosts_with_one_name_stay_two():
    seen = [
        Host(MAC, ("192.168.1.50",), ("espressif",)),
        Host(OTHER, ("192.168.1.51",), ("espressif",)),
        Host("", (), ("espressif",)),
    ]
    assert len(merge(seen)) == 3


def test_what_is_kept_of_a_host_is_read_again():
    host = Host(MAC, ("192.168.1.50",), (NAME,), ("_http._tcp.local.",), (80, 443))
    assert load(host.dump()) == host


@pytest.mark.parametrize(
    ("ip", "mac"),
    [("fe80::a202:4aff:fee0:a104", MAC), ("fe80::1", ""), ("2001:db8::a202:4aff:fee0:a104", ""), ("192.168.1.1", "")],
)
def test_a_link_local_address_tells_the_mac_address_it_was_made_of(ip, mac):
    assert mac_in(ip) == mac


@pytest.mark.parametrize(
    ("written", "plain"), [("A0-02-4A-E0-A1-04", MAC), ("a0024ae0a104", MAC), ("EV-000000000001", ""), ("", "")]
)
def test_a_mac_address_is_read_however_it_is_written(written, plain):
    assert plain_mac(written) == plain


def test_what_anybody_may_say_is_kept_only_as_far_as_it_can_be_shown():
    assert first_label("a\x00b\u202ec.local.") == "abc"
    assert first_label("x" * 300) == "x" * 63


# --- makers


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        (NAME, "Hager"),
        ("hager-evcs-cpw7zn", "Hager"),
        ("ace-ACE0870096", "Alfen"),
        ("ACE0870096", "Alfen"),
        ("go-echarger_123456", "go-e"),
        ("teslawallconnector_9a2b", "Tesla"),
    ],
)
def test_a_host_name_names_a_station(name, maker):
    assert maker_named((name,), ()).name == maker


@pytest.mark.parametrize("name", ["hager-llm-ab4df5", "hager-evcs-", "my-hager-evcs-cPW7zN", "printer", "", "acetone"])
def test_another_host_name_names_none(name):
    assert maker_named((name,), ("_http._tcp.local.", "_ship._tcp.local.")) is None


@pytest.mark.parametrize(
    ("mac", "maker"),
    [("a0:02:4a:e0:a1:04", "Hager"), ("a0:02:4a:a0:a1:04", None), ("70:b3:d5:54:30:00", "wallbe"), ("", None)],
)
def test_a_mac_address_hints_by_as_many_digits_as_its_maker_was_given(mac, maker):
    found = maker_hinted(mac)
    assert (found and found.name) == maker


# --- which station it is


def known(number=1, identity="CP1", **options):
    return Known(number, identity, **options)


@pytest.mark.parametrize(
    "station",
    [
        known(mac="A0-02-4A-E0-A1-04"),
        known(identity="ENFEgSS5y8NUGTSWcPW7zN"),
        known(host_name="hager-evcs-cpw7zn.lan"),
        known(identity="HAGER-EVCS-CPW7ZN"),
        known(ip="192.168.1.50"),
    ],
)
def test_a_station_is_known_by_each_of_its_signs(station):
    hosts = [Host(OTHER, ("192.168.1.7",)), Host(MAC, ("192.168.1.50",), (NAME,))]
    assert join(hosts, [known(2, "CP2", ip="192.168.1.8"), station]) == {1: 1}


def test_the_serial_number_in_the_name_tells_the_station():
    hosts = [Host(names=("alfen-ACE0870096",))]
    assert join(hosts, [known(serial_number="ace0870096")]) == {0: 1}


def test_the_mac_address_counts_more_than_an_address_that_was_given_to_another():
    hosts = [Host(MAC, ("192.168.1.50",)), Host(OTHER, ("192.168.1.51",))]
    assert join(hosts, [known(1, mac=MAC, ip="192.168.1.51")]) == {0: 1}
    assert join(hosts[1:], [known(1, mac=MAC, ip="192.168.1.51")]) == {}


def test_a_sign_that_fits_several_says_nothing():
    hosts = [Host(MAC, ("192.168.1.50",))]
    behind_a_router = [known(1, "A", ip="192.168.1.50"), known(2, "B", ip="192.168.1.50")]
    assert join(hosts, behind_a_router) == {}
    shared = [Host(MAC, ("192.168.1.50",)), Host(OTHER, ("192.168.1.50",))]
    assert join(shared, [known(ip="192.168.1.50")]) == {}


def test_nothing_known_joins_nothing():
    assert join([Host(MAC, ("192.168.1.50",))], [known()]) == {}
