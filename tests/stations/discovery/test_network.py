"""The search on a network of its own: two subnets, twenty stations, and devices that are none."""

import time

import pytest
from django.db import connection

from stations.discovery import asking
from stations.discovery.adding import found_in
from stations.discovery.hosts import shared_ips
from stations.discovery.joining import found_hosts
from stations.discovery.search import begin_search, search_on, stop_search
from stations.models import Station, StationSearch, StationSearchState, StationSearchStep
from tests.stations.discovery.village import Device, Village, can_make_namespaces, inside, without_raw_sockets

OBSTACLE = can_make_namespaces()
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(bool(OBSTACLE), reason=f"no network namespaces here: {OBSTACLE}"),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="the network is the same with every database"),
]

HTTP, ALFEN, LOLO3 = "_http._tcp.local.", "_alfen._tcp.local.", "_lolo3._http._tcp.local."
VICTRON, TECHNOVE = "_victron-car-charger._tcp.local.", "_technove-stations._tcp.local."
SHARED = "192.168.77.60"


def hager(ip, number, **options):
    options = {"services": (HTTP,), "ports": (80,), **options}
    mac = f"a0:02:4a:e0:00:{number:02x}"
    return Device(ip, mac, f"hager-evcs-aB{number:02}xY", is_station=True, **options)


STATIONS = [
    *(hager(f"192.168.77.{10 + number}", number) for number in range(1, 6)),
    *(hager(f"192.168.77.{10 + number}", number, services=(), by="dns") for number in range(6, 9)),
    Device("192.168.77.19", "54:9a:11:90:00:09", "ACE0870099", by="netbios", is_station=True),
    hager(SHARED, 10),
    Device("192.168.77.21", "54:9a:11:90:00:01", "ace-ACE0870096", (ALFEN,), is_station=True, ports=(443, 502)),
    Device("192.168.77.22", "54:9a:11:90:00:02", "alfen-ACE0870097", (LOLO3,), is_station=True),
    Device("192.168.77.23", "c0:61:9a:b0:00:01", "evcs-HQ2133", (VICTRON,), is_station=True, ports=(502,)),
    Device("192.168.77.24", "02:00:00:00:24:01", "technove-7", (TECHNOVE,), is_station=True),
    Device("192.168.77.25", "98:ed:5c:00:00:01", "TeslaWallConnector_9A2B", by="dns", is_station=True, ports=(80,)),
    Device("192.168.78.11", "98:fc:84:10:00:01", "go-echarger_123456", by="dns", is_station=True, ports=(80,)),
    hager("192.168.78.12", 12, announces=("fe80::a202:4aff:fee0:c",)),
    hager("192.168.78.13", 13, delay_s=2.5),
    hager("192.168.78.14", 14, services=(), by="host"),
    hager("192.168.78.15", 15),
]
ROUTER = Device("192.168.77.254", "02:00:00:00:00:fe", "router", by="dns", ports=(80, 443))
OTHERS = [
    ROUTER,
    Device(SHARED, "02:00:00:00:60:01"),
    Device("192.168.77.30", "02:00:00:00:30:01", "printer", (HTTP,), ports=(80,)),
    Device("192.168.77.31", "02:00:00:00:31:01", "NAS", by="netbios", ports=(80, 443)),
    Device("192.168.77.32", "02:00:00:00:32:01", "hager-llm-ab4df5", (HTTP,), ports=(80,)),
    Device("192.168.77.33", "90:98:77:00:00:01", "television", (HTTP,), ports=(8080,)),
    Device("192.168.78.33", "02:00:00:00:33:02", "heat-pump", ("_ship._tcp.local.",)),
    *(Device(f"192.168.77.{number}", f"02:00:00:00:77:{number:02x}") for number in (100, 101, 102)),
    *(Device(f"192.168.78.{number}", f"02:00:00:00:78:{number:02x}") for number in (200, 201)),
]
NAMES = {station.name for station in STATIONS}


@pytest.fixture(scope="module")
def village():
    made = Village([*STATIONS, *OTHERS], {"br0": "192.168.77.1", "br1": "192.168.78.1"}, server=ROUTER)
    yield made
    made.close()


@pytest.fixture
def home(village, tmp_path, monkeypatch):
    """Be at the load manager's machine, which has the router as its name server."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {ROUTER.ip}\nnameserver 1.1.1.1\n")
    monkeypatch.setattr(asking, "RESOLV_CONF", resolv_conf)
    village.forget_neighbours()
    with inside(village.home):
        yield village


def found_names():
    return {found.host.name.lower() for found in found_in(StationSearch.get_solo()) if found.is_sure}


def search_until(run, is_enough, *, slices):
    """Search until it is enough; gives how long each slice took."""
    lasted_s = []
    for _slice in range(slices):
        begun_s = time.monotonic()
        assert search_on(run=run)
        lasted_s.append(time.monotonic() - begun_s)
        if is_enough():
            return lasted_s
    raise AssertionError(f"not after {slices} slices: {sorted(found_names())}")


def test_all_twenty_stations_are_found_and_nothing_else_is_called_a_station(home):
    Station.objects.create(identity="ENFEgSS5y8NUGTSWaB03xY", serial_number="A1")
    sent_before, begun_s = home.packets_from_home(), time.monotonic()
    run = begin_search(others="")
    wanted = {name.lower() for name in NAMES}
    lasted_s = search_until(run, lambda: found_names() >= wanted, slices=40)
    took_s, sent = time.monotonic() - begun_s, home.packets_from_home() - sent_before
    print(f"\n{len(wanted)} stations after {took_s:.1f} s, {sent / took_s:.0f} packets/s, slice {max(lasted_s):.2f} s")
    assert found_names() == wanted
    assert sent <= 200 * took_s

    search = StationSearch.get_solo()
    assert (search.step, search.place) != (StationSearchStep.CALL, 0)
    found = {one.host.name: one for one in found_in(search)}
    # Whose name it is that was heard at an address which two have is not known: the Hager module may be it.
    assert shared_ips(found_hosts(search)) == {SHARED: {"a0:02:4a:e0:00:0a", "02:00:00:00:60:01"}}
    assert {one.host.mac for one in found_in(search) if not one.is_sure} == {"a0:02:4a:e0:00:0a", "90:98:77:00:00:01"}
    assert found["hager-evcs-aB12xY"].host.ipv4 == "192.168.78.12"  # it announced its IPv6 address alone
    assert found["hager-evcs-aB03xY"].host.mac == "a0:02:4a:e0:00:03"
    assert found["TeslaWallConnector_9A2B"].host.ports == (80,)
    joined = Station.objects.get()
    assert (joined.mac_address, joined.host_name) == ("a0:02:4a:e0:00:03", "hager-evcs-aB03xY")

    stop_search(run=run)
    sent = home.packets_from_home()
    assert not search_on(run=run)
    assert home.packets_from_home() == sent
    assert StationSearch.get_solo().state == StationSearchState.STOPPED


@pytest.mark.usefixtures("home")
def test_without_the_right_to_raw_sockets_the_kernel_finds_them():
    with without_raw_sockets():
        run = begin_search(others="")
        search_until(run, lambda: {"02:00:00:00:77:66"} <= macs(), slices=40)
    assert {
        station.mac for station in STATIONS if station.ip.startswith("192.168.77.") and station.ip != SHARED
    } <= macs()


def test_stations_beyond_a_router_are_found_by_their_names(home):
    with home.beyond_a_router("eth1", "192.168.78.1"):
        run = begin_search(others="192.168.78.0/28")
        wanted = {"go-echarger_123456", "hager-evcs-ab14xy"}
        search_until(run, lambda: found_names() >= wanted, slices=40)


def macs():
    return {host.mac for host in found_hosts(StationSearch.get_solo())}
