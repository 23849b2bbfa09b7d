"""Meters read over real connections: TCP on loopback, RTU on a pseudo-terminal."""

import socket
import termios
import time
from contextlib import closing

import pytest
from pymodbus import FramerType

from energy.meters.base import MeterError, MeterImplausible, MeterRefused, MeterUnreachable
from energy.meters.decode import load_maps, slow_plan
from energy.meters.modbus import ModbusMeter, SerialEndpoint, TcpEndpoint, is_same_line, parse_url
from tests.energy.meters.device import SerialMeter, Server, encode, running_loop

READABLE = sorted(m.id for m in load_maps().values() if m.refusal is None and not m.sunspec)
DRAWN = {"i1": 11, "i2": 7, "i3": 23, "u1": 230, "u2": 231, "u3": 229, "p1": 2530, "p2": 1610, "p3": 5260, "f": 50}
COUNTED = {"e_imp": 12345, "e_exp": 67}


@pytest.fixture(scope="module")
def loop():
    with running_loop() as loop:
        yield loop


@pytest.fixture
def serve(loop):
    servers = []

    def start(words, port=0):
        servers.append(Server(loop, words, port))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def serial_meter():
    with closing(SerialMeter(1, encode(load_maps()["hager_ecr380d"], DRAWN))) as meter:
        yield meter


@pytest.fixture
def connect():
    meters = []

    def start(url, name, **options):
        meters.append(ModbusMeter(url, 1, load_maps()[name], **options))
        return meters[-1]

    yield start
    for meter in meters:
        meter.close()


@pytest.mark.parametrize("name", READABLE)
def test_every_map_reads_the_currents_of_its_meter(name, serve, connect):
    meter_map = load_maps()[name]
    lines = [1, 2, 3][: meter_map.phases]
    server = serve(encode(meter_map, DRAWN | COUNTED))
    meter = connect(server.url, name)
    for _ in range(1 + len(slow_plan(meter_map))):
        sample = meter.read()
    expected = [DRAWN[f"i{line}"] if line in lines else 0 for line in (1, 2, 3)]
    assert sample.currents_a == pytest.approx(expected)
    for quantity, read in (("u", sample.voltages_v), ("p", sample.powers_w)):
        known = [
            DRAWN[f"{quantity}{line}"] if f"{quantity}{line}" in meter_map.registers else None for line in (1, 2, 3)
        ]
        assert read == pytest.approx(known)
    assert sample.energy_import_wh == (12_345_000 if "e_imp" in meter_map.registers else None)
    assert sample.energy_export_wh == (67_000 if "e_exp" in meter_map.registers else None)
    assert sample.frequency_hz == (pytest.approx(50) if "f" in meter_map.registers else None)
    assert all(count <= meter_map.max_regs for _, _, count in server.asked)


@pytest.mark.parametrize("name", [n for n in READABLE if "p1" in load_maps()[n].registers])
def test_every_map_with_power_tells_export(name, serve, connect):
    meter_map = load_maps()[name]
    amperes = -11 if meter_map.current_sign == "signed" else 11
    server = serve(encode(meter_map, DRAWN | {"i1": amperes, "p1": -2530}))
    assert connect(server.url, name).read().currents_a[0] == pytest.approx(-11)


def test_a_reading_shows_what_the_meter_measures_now(serve, connect):
    meter_map = load_maps()["eastron_sdm630"]
    server = serve(encode(meter_map, DRAWN))
    meter = connect(server.url, meter_map.id)
    assert meter.read().currents_a[0] == 11
    server.words.update(encode(meter_map, DRAWN | {"i1": 40}))
    assert meter.read().currents_a[0] == 40


def test_after_the_first_readings_only_currents_and_powers_are_asked(serve, connect):
    server = serve(encode(load_maps()["eastron_sdm630"], DRAWN))
    meter = connect(server.url, "eastron_sdm630")
    for _ in range(4):
        meter.read()
    assert server.asked == [(4, 0, 18), (4, 0x46, 6), (4, 0, 18), (4, 0, 18), (4, 0, 18)]


def test_the_transformer_ratio_reaches_the_sample(serve, connect):
    server = serve(encode(load_maps()["chint_dtsu666"], DRAWN))
    assert connect(server.url, "chint_dtsu666", ct_ratio=80).read().currents_a == pytest.approx((880, 560, 1840))


def test_an_exception_answer_is_an_error_that_names_it_and_keeps_the_connection(serve, connect):
    server = serve(encode(load_maps()["eastron_sdm630"], DRAWN))
    server.refused.add((4, 0))
    meter = connect(server.url, "eastron_sdm630")
    with pytest.raises(
        MeterRefused, match=r"registers 0 to 17 \(function code 4\), got exception 2 \(no such register\)"
    ):
        meter.read()
    server.refused.clear()
    assert meter.read().currents_a[0] == 11


def test_registers_that_a_type_lacks_cost_no_current(serve, connect):
    server = serve(encode(load_maps()["eastron_sdm630"], DRAWN | COUNTED))
    server.refused.add((4, 0x46))
    sample = connect(server.url, "eastron_sdm630").read()
    assert sample.currents_a == (11, 7, 23)
    assert (sample.energy_import_wh, sample.frequency_hz) == (None, None)


def test_another_meter_than_chosen_is_an_error(serve, connect):
    server = serve(encode(load_maps()["eastron_sdm630"], DRAWN))
    with pytest.raises(MeterRefused, match="Check the model"):
        connect(server.url, "hager_ecr380d").read()


def test_an_answer_of_the_wrong_length_is_an_error(serve, connect):
    server = serve(encode(load_maps()["eastron_sdm630"], DRAWN))
    server.cut = True
    with pytest.raises(MeterUnreachable, match=r"expected 18 registers .* got 17"):
        connect(server.url, "eastron_sdm630").read()


def test_an_implausible_current_leaves_the_meter_readable(serve, connect):
    meter_map = load_maps()["eastron_sdm630"]
    server = serve(encode(meter_map, DRAWN | {"i2": float("nan")}))
    meter = connect(server.url, meter_map.id)
    with pytest.raises(MeterImplausible, match="Current on L2"):
        meter.read()
    server.words.update(encode(meter_map, DRAWN))
    assert meter.read().currents_a == (11, 7, 23)


def test_a_meter_that_went_away_is_unreachable_until_it_is_back(serve, connect, loop):
    words = encode(load_maps()["eastron_sdm630"], DRAWN)
    first = Server(loop, words)
    meter = connect(first.url, "eastron_sdm630")
    assert meter.read().currents_a[0] == 11
    first.stop()
    for _ in range(2):
        with pytest.raises(MeterUnreachable, match=r"Meter tcp://127\.0\.0\.1"):
            meter.read()
    serve(words, port=first.port)
    assert meter.read().currents_a[0] == 11


def test_a_meter_that_never_answers_is_unreachable(connect):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        meter = connect(f"tcp://127.0.0.1:{listening.getsockname()[1]}", "siemens_pac", timeout_s=0.05)
        with pytest.raises(MeterUnreachable, match=r"expected an answer within 0\.05 s"):
            meter.read()


def test_a_timeout_longer_than_a_turn_of_the_loop_is_cut(connect):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        meter = connect(f"tcp://127.0.0.1:{listening.getsockname()[1]}", "siemens_pac", timeout_s=60)
        with pytest.raises(MeterUnreachable, match="within 1 s"):
            meter.read()


def test_a_closed_meter_opens_again_at_the_next_reading(serve, connect):
    meter = connect(serve(encode(load_maps()["siemens_pac"], DRAWN)).url, "siemens_pac")
    meter.read()
    meter.close()
    meter.close()
    assert meter.read().currents_a[2] == 23


def test_a_meter_on_a_serial_line_is_read(serial_meter, connect):
    meter = connect(f"serial://{serial_meter.path}?baud=115200&parity=N&stop=1", "hager_ecr380d")
    assert meter.read().currents_a == pytest.approx((11, 7, 23))
    assert serial_meter.requests[:2] == [(3, 0xB009, 6), (3, 0xB019, 6)]


def test_a_late_answer_on_a_serial_line_falls_into_the_quiet_after_the_timeout(serial_meter, connect, monkeypatch):
    meter = connect(f"serial://{serial_meter.path}?parity=N", "hager_ecr380d", timeout_s=0.2)
    meter.read()
    late = [serial_meter.frame(3, 0xB009, 6)]
    serial_meter.silent = True
    with pytest.raises(MeterUnreachable, match="expected an answer"):
        meter.read()
    serial_meter.silent = False
    serial_meter.words.update(encode(load_maps()["hager_ecr380d"], DRAWN | {"i1": 30}))

    def answer_late(seconds, sleep=time.sleep):
        if seconds > 0.1 and late:  # not the polling of the port
            serial_meter.send(late.pop())
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", answer_late)
    assert meter.read().currents_a[0] == pytest.approx(30)
    assert not late


def test_a_meter_that_needs_a_pause_between_requests_gets_it(serve, connect, monkeypatch):
    server = serve(encode(load_maps()["eastron_sdm72v2"], DRAWN))
    pauses = []

    def pause(seconds, sleep=time.sleep):
        pauses.append((len(server.asked), round(seconds, 1)))
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", pause)
    connect(server.url, "eastron_sdm72v2").read()
    assert pauses == [(1, 0.1), (2, 0.1)]


def test_another_unit_on_the_line_does_not_answer(serial_meter):
    url = f"serial://{serial_meter.path}?parity=N"
    meter = ModbusMeter(url, 2, load_maps()["hager_ecr380d"], timeout_s=0.05)
    with closing(meter), pytest.raises(MeterUnreachable, match="unit 2: expected an answer"):
        meter.read()


@pytest.mark.parametrize(
    ("options", "name", "speed"),
    [
        ("", "eastron_sdm630", termios.B9600),
        ("", "janitza_19000", termios.B115200),
        ("?baud=19200", "janitza_19000", termios.B19200),
    ],
)
def test_a_serial_line_runs_as_the_meter_is_delivered_unless_told(options, name, speed, connect):
    with closing(SerialMeter(1, encode(load_maps()[name], DRAWN))) as serial_meter:
        assert connect(f"serial://{serial_meter.path}{options}", name).read().currents_a[0] == 11
        assert serial_meter.speed() == speed


def test_rtu_frames_over_tcp_are_read(loop, connect):
    server = Server(loop, encode(load_maps()["abb_b23"], DRAWN), framer=FramerType.RTU)
    try:
        sample = connect(f"rtutcp://127.0.0.1:{server.port}", "abb_b23").read()
    finally:
        server.stop()
    assert sample.currents_a == pytest.approx((11, 7, 23))


def test_a_serial_device_that_is_not_there_is_unreachable(connect, tmp_path):
    with pytest.raises(MeterUnreachable, match="expected a connection"):
        connect(f"serial://{tmp_path}/none", "hager_ecr380d").read()


def test_a_meter_that_cannot_protect_a_fuse_is_not_opened():
    with pytest.raises(MeterError, match="cannot protect a fuse"):
        ModbusMeter("tcp://127.0.0.1:502", 1, load_maps()["eastron_sdm72v1"])


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("tcp://10.0.0.5", TcpEndpoint("10.0.0.5", None, False)),
        ("tcp://meter.lan:5020", TcpEndpoint("meter.lan", 5020, False)),
        ("tcp://zähler_1.lan", TcpEndpoint("zähler_1.lan", None, False)),
        ("tcp://[fe80::1]:502/", TcpEndpoint("fe80::1", 502, False)),
        ("rtutcp://10.0.0.6:4001", TcpEndpoint("10.0.0.6", 4001, True)),
        ("serial:///dev/ttyUSB0", SerialEndpoint("/dev/ttyUSB0", None, None, None)),
        ("serial:///dev/ttyUSB0?baud=9600&parity=E&stop=2", SerialEndpoint("/dev/ttyUSB0", 9600, "E", 2)),
    ],
)
def test_an_address_is_read(url, endpoint):
    assert parse_url(url) == endpoint


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "not nothing"),
        ("10.0.0.5", "begin with tcp"),
        ("http://10.0.0.5", "not http"),
        ("tcp://", "host is missing"),
        ("tcp://meter..lan", "no name or address"),
        (f"tcp://{'a' * 64}.lan", "no name or address"),
        ("tcp://meter\0.lan", "no name or address"),
        ("rtutcp://my meter:4001", "no name or address"),
        ("tcp://10.0.0.5:99999", "range 0-65535"),
        ("tcp://10.0.0.5/meter", "nothing after host and port"),
        ("tcp://10.0.0.5?unit=1", "nothing after host and port"),
        ("tcp://10.0.0.5#1", "nothing after host and port"),
        ("tcp://meter@10.0.0.5", "no user before the host"),
        ("tcp://@10.0.0.5", "no user before the host"),
        ("serial:///dev/ttyUSB0#1", "nothing after the device and its options"),
        ("rtutcp://10.0.0.6", "port of the gateway is missing"),
        ("serial://dev/ttyUSB0", "three slashes"),
        ("serial:///", "three slashes"),
        ("serial:///dev/ttyUSB0?baud=fast", "baud rate .* got fast"),
        ("serial:///dev/ttyUSB0?parity=even", "parity N, E or O, got even"),
        ("serial:///dev/ttyUSB0?stop=3", "1 or 2 stop bits, got 3"),
        ("serial:///dev/ttyUSB0?speed=9600", "got speed"),
    ],
)
def test_a_wrong_address_is_named_with_a_right_example(url, problem):
    with pytest.raises(MeterError, match=rf"{problem}.*tcp://192\.168\.1\.20:502"):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "other", "is_same"),
    [
        ("tcp://localhost:8650", "tcp://127.0.0.1:8650", True),
        ("tcp://127.1", "rtutcp://127.0.0.1:502", True),
        ("tcp://[::ffff:127.0.0.1]", "tcp://127.0.0.1", True),
        ("tcp://localhost:8650", "tcp://127.0.0.1:8651", False),
        ("tcp://127.0.0.2", "tcp://127.0.0.1", False),
        ("tcp://[FE80::1%nowhere]", "tcp://[fe80::1%nowhere]", True),  # cannot be looked up
        ("serial:///dev/ttyUSB0?baud=9600", "serial:///dev/ttyUSB0", True),
        ("serial:///dev/ttyUSB0", "tcp://127.0.0.1", False),
        ("", "", False),
    ],
)
def test_two_addresses_are_one_line_when_they_lead_to_the_same_place(url, other, is_same):
    assert is_same_line(url, other) is is_same
    assert is_same_line(other, url) is is_same
