"""Networks, as they are written; neighbours and names, as they come over the wire."""

import struct

import pytest
from django.core.exceptions import ValidationError

from stations.discovery import asking, lan
from stations.discovery.hosts import Host

MAC = bytes.fromhex("a0024ae0a104")


def test_networks_are_read_as_people_write_them():
    found = lan.other_networks(" 192.168.2.0/24, 10.0.0.9/30;192.168.2.7/24\n")
    assert [str(network.network) for network in found] == ["192.168.2.0/24", "10.0.0.8/30"]
    assert found[1].addresses() == ["10.0.0.9", "10.0.0.10"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("home", "is no network"),
        ("192.168.2.0/99", "is no network"),
        ("8.8.8.0/24", "only private networks"),
        ("127.0.0.0/24", "only private networks"),
        ("10.0.0.0/8", "is too many"),
        ("10.0.0.0/22 10.1.0.0/30", "10.1.0.0/30 is too many"),
    ],
)
def test_what_cannot_be_searched_is_said(text, said):
    with pytest.raises(ValidationError, match=said):
        lan.other_networks(text)


def entry(state, ip=b"\xc0\xa8\x01\x32", mac=MAC, interface=3):
    head = struct.pack("=BxxxiHBB", 2, interface, state, 0, 1)
    address = struct.pack("=HH", 4 + len(ip), 1) + ip
    return head + address + (struct.pack("=HH", 10, 2) + mac + b"\x00\x00" if mac else b"")


@pytest.mark.parametrize("state", [0x02, 0x04, 0x08, 0x10])
def test_a_neighbour_that_answered_is_there(state):
    assert lan._neighbour(entry(state), {3}) == Host("a0:02:4a:e0:a1:04", ("192.168.1.50",))


@pytest.mark.parametrize(
    "message", [entry(0x01, mac=b""), entry(0x20), entry(0x40), entry(0x02, interface=4), entry(0x02, ip=b"\xff" * 16)]
)
def test_who_did_not_answer_or_is_elsewhere_is_not(message):
    assert lan._neighbour(message, {3}) is None


def test_only_name_servers_of_the_building_are_asked(tmp_path, monkeypatch):
    conf = tmp_path / "resolv.conf"
    conf.write_text("# nameserver 192.168.1.2\nnameserver 192.168.1.1\nnameserver 1.1.1.1\nnameserver fe80::1%eth0\n")
    monkeypatch.setattr(asking, "RESOLV_CONF", conf)
    assert asking.name_servers() == ["192.168.1.1", "fe80::1%eth0"]
    conf.unlink()
    assert asking.name_servers() == []


@pytest.mark.parametrize("data", [b"", b"LM" + bytes(60), asking.NODE_STATUS, b"LM" + bytes(54) + b"\xff" * 40])
def test_a_torn_answer_names_nobody(data):
    assert asking.node_name(data) == ""
