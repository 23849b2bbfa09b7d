"""Searching meters: real Modbus servers on loopback and a meter on a pseudo-terminal."""

import socket
from contextlib import closing
from datetime import timedelta

import pytest
from celery import current_app
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from energy import meter_search
from energy.meter_search import (
    HOSTS_MAX,
    SERIAL_SETTINGS,
    begin_search,
    hosts_of,
    is_stalled,
    plan_search,
    search_on,
    start_search,
    stop_search,
)
from energy.meters.decode import load_maps
from energy.models import Meter, MeterSearch, SearchState
from tests.energy.meters.device import SerialMeter, Server, encode, running_loop

pytestmark = pytest.mark.django_db

SDM630 = {**encode(load_maps()["eastron_sdm630"], {"i1": 11}), (3, 0xFC03): 112}
EM340 = {**encode(load_maps()["cg_em340"], {"i1": 11}), (4, 0x000B): 341}


@pytest.fixture(autouse=True)
def _fewer_units_without_pauses(monkeypatch):
    monkeypatch.setattr(meter_search, "TCP_UNITS", (1, 255))
    monkeypatch.setattr(meter_search, "GAP_S", 0.0)


@pytest.fixture(scope="module")
def loop():
    with running_loop() as loop:
        yield loop


@pytest.fixture
def serve(loop):
    servers = []

    def start(words):
        servers.append(Server(loop, words))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def silent():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def address(server):
    return f"127.0.0.1:{server.port}"


def search(hosts="", ports=()):
    """Search to the end, as the worker does; returns the row that stays."""
    run = begin_search(hosts=hosts, ports=list(ports))
    while search_on(run=run):
        pass
    return MeterSearch.get_solo()


def test_two_meters_are_found_beside_a_port_that_stays_silent(serve, silent):
    eastron, gavazzi = serve(SDM630), serve(EM340)
    done = search(f"{address(eastron)}, {silent} {address(gavazzi)}")
    assert (done.state, done.done, done.total) == (SearchState.FINISHED, 6, 6)
    assert done.found == [
        {"url": eastron.url, "unit": 1, "model": "eastron_sdm630", "label": "SDM630"},
        {"url": gavazzi.url, "unit": 1, "model": "cg_em340", "label": "EM340"},
    ]


def test_a_closed_port_is_nothing(serve):
    server = serve(SDM630)
    server.stop()
    server.stop = lambda: None
    assert search(address(server)).found == []


def test_what_is_not_recognised_is_listed_once(serve):
    server = serve(encode(load_maps()["siemens_pac"], {}))
    assert search(address(server)).found == [{"url": server.url, "unit": 1, "model": "", "label": ""}]


def test_the_line_of_the_meter_in_use_is_left_alone(serve):
    server = serve(SDM630)
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": server.url})
    done = search(address(server))
    assert server.asked == []
    assert (done.found, done.left_out) == ([], [{"where": server.url, "is_in_use": True}])


def test_the_meter_in_use_is_left_alone_however_its_address_is_spelled(serve):
    server = serve(SDM630)
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": f"tcp://localhost:{server.port}"})
    done = search(address(server))
    assert server.asked == []
    assert (done.found, done.left_out) == ([], [{"where": server.url, "is_in_use": True}])


def test_a_meter_on_a_serial_line_is_found_with_its_settings(monkeypatch):
    monkeypatch.setattr(meter_search, "SLICE_S", 0.0)  # one step at a time
    words = {(3, 0x1000 + at): 0 for at in range(0x100)} | {(3, 0xFC03): 0}
    for addr, text in ((0x1000, b"Hager "), (0x1010, b"ECR380D ")):
        words |= {(3, addr + at): int.from_bytes(text[2 * at : 2 * at + 2], "big") for at in range(len(text) // 2)}
    with closing(SerialMeter(1, words)) as meter:
        assert search_on(run=begin_search(hosts="", ports=[meter.path]))
    url = f"serial://{meter.path}?baud=9600&parity=N&stop=1"
    found = MeterSearch.get_solo().found
    assert found == [{"url": url, "unit": 1, "model": "hager_ecr380d", "label": "ECR380D"}]


def test_a_serial_line_that_cannot_be_opened_is_said_once_and_left(tmp_path):
    done = search(ports=[f"{tmp_path}/none"])
    assert done.left_out == [{"where": f"{tmp_path}/none", "is_in_use": False}]
    assert done.done == done.total


def test_a_serial_line_is_searched_for_usual_units_first_and_for_every_unit():
    steps = plan_search([], ["/dev/ttyUSB0"])
    usual = steps[: 10 * len(SERIAL_SETTINGS)]
    assert {step.unit for step in usual} == set(range(1, 11))
    assert {step.unit for step in steps} == set(range(1, 248))
    assert all(step.port == "/dev/ttyUSB0" for step in steps)


def test_hosts_come_before_serial_lines():
    steps = plan_search(["tcp://192.168.1.20:502"], ["/dev/ttyUSB0"])
    assert (steps[0].url, steps[0].port) == ("tcp://192.168.1.20:502", None)


def test_a_search_that_is_stopped_keeps_what_it_found_and_goes_no_further(serve):
    run = begin_search(hosts=address(serve(SDM630)), ports=[])
    MeterSearch.objects.update(found=[{"url": "tcp://192.168.1.9:502", "unit": 1, "model": "", "label": ""}])
    stop_search(run=run)
    assert search_on(run=run) is False
    kept = MeterSearch.get_solo()
    assert (kept.state, kept.done, len(kept.found)) == (SearchState.STOPPED, 0, 1)


def test_a_host_that_stays_silent_is_left_and_come_back_to_after_each_unit(silent, monkeypatch):
    monkeypatch.setattr(meter_search, "SLICE_S", 0.0)  # one step at a time
    run = begin_search(hosts=silent, ports=[])
    assert search_on(run=run) is True
    assert (MeterSearch.get_solo().done, MeterSearch.get_solo().total) == (1, 2)
    assert search_on(run=run) is False
    assert MeterSearch.get_solo().state == SearchState.FINISHED


def test_a_host_that_cannot_be_reached_is_tried_once(serve, monkeypatch):
    monkeypatch.setattr(meter_search, "SLICE_S", 0.0)  # one step at a time
    server = serve(SDM630)
    server.stop()
    server.stop = lambda: None
    assert search_on(run=begin_search(hosts=address(server), ports=[])) is False
    assert (MeterSearch.get_solo().state, MeterSearch.get_solo().done) == (SearchState.FINISHED, 2)


def test_a_meter_recognised_at_a_later_unit_takes_the_place_of_what_was_not(serve):
    server = serve(SDM630)
    run = begin_search(hosts=address(server), ports=[])
    unknown = {"url": server.url, "unit": 255, "model": "", "label": ""}
    MeterSearch.objects.update(found=[unknown])
    search_on(run=run)
    assert [entry["model"] for entry in MeterSearch.get_solo().found] == ["eastron_sdm630"]


def test_a_stop_ends_the_second_that_is_under_way(serve):
    server = serve(SDM630)
    run = begin_search(hosts=address(server), ports=[])

    def stop_meanwhile(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if sql.startswith("SELECT") and f'FROM "{Meter._meta.db_table}"' in sql:
            stop_search(run=run)
        return answer

    with connection.execute_wrapper(stop_meanwhile):
        assert search_on(run=run) is False
    assert server.asked == []


def test_a_stop_of_an_older_search_leaves_the_one_that_runs_alone():
    first = begin_search(hosts="192.168.1.20", ports=[])
    MeterSearch.objects.update(heard_at=timezone.now() - timedelta(seconds=31))
    begin_search(hosts="192.168.1.21", ports=[])
    stop_search(run=first)
    assert MeterSearch.get_solo().state == SearchState.RUNNING


def test_two_searches_do_not_run_at_once():
    assert begin_search(hosts="192.168.1.20", ports=[]) == 1
    assert begin_search(hosts="192.168.1.21", ports=[]) is None
    assert MeterSearch.get_solo().hosts == "192.168.1.20"


def test_a_search_that_was_lost_is_seen_and_can_be_begun_anew():
    first = begin_search(hosts="192.168.1.20", ports=[])
    MeterSearch.objects.update(heard_at=timezone.now() - timedelta(seconds=31))
    assert is_stalled(MeterSearch.get_solo())
    assert begin_search(hosts="192.168.1.21", ports=[]) == first + 1
    assert search_on(run=first) is False


def test_the_worker_is_given_the_search(monkeypatch):
    given = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: given.append((name, options["args"])))
    start_search(hosts="192.168.1.20", ports=[])
    start_search(hosts="192.168.1.21", ports=[])
    assert given == [("energy.tasks.search_meters", (1,))]


def test_without_a_broker_a_search_does_not_begin_and_says_so(monkeypatch):
    def refuse(*_name, **_options):
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", refuse)
    with pytest.raises(ValidationError, match="broker does not answer"):
        start_search(hosts="192.168.1.20", ports=[])
    assert MeterSearch.get_solo().state == SearchState.STOPPED


def test_a_search_needs_a_place():
    with pytest.raises(ValidationError, match="where to search"):
        begin_search(hosts=" ", ports=[])


def test_hosts_are_read_as_people_write_them():
    assert hosts_of("192.168.1.20, meter.lan:1502\n192.168.1.20; 10.0.0.0/30") == [
        "tcp://192.168.1.20:502",
        "tcp://meter.lan:1502",
        "tcp://10.0.0.1:502",
        "tcp://10.0.0.2:502",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("192.168.1.0/33", "no network"),
        ("8.8.8.0/24", "not a network of the building"),
        ("10.0.0.0/21", f"At most {HOSTS_MAX}"),
        ("10.0.0.0/22 10.1.0.0/22", f"At most {HOSTS_MAX}"),
        ("meter.lan:99999", "no address"),
        ("http://meter.lan", "no network"),
        ("a@b c?d", "no address"),
    ],
)
def test_a_place_that_cannot_be_searched_is_named(text, message):
    with pytest.raises(ValidationError, match=message):
        hosts_of(text)


def test_another_speed_is_not_tried_on_a_line_where_a_meter_was_found(monkeypatch):
    monkeypatch.setattr(meter_search, "SLICE_S", 0.0)  # one step at a time
    with closing(SerialMeter(1, {(3, 0x1010 + at): 0 for at in range(16)})) as meter:
        run = begin_search(hosts="", ports=[meter.path])
        url = plan_search([], [meter.path])[3].url
        assert url.endswith("?baud=19200&parity=N&stop=1")
        MeterSearch.objects.update(found=[{"url": url, "unit": 9, "model": "cg_em340", "label": "EM340"}])
        for _ in range(3):
            search_on(run=run)
        assert meter.requests == []
        meter.silent = True
        search_on(run=run)
        assert len(meter.requests) == 3
