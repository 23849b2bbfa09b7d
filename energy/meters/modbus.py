"""Read a meter over Modbus TCP, Modbus RTU on a serial line, or RTU frames over TCP (gateways)."""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from energy.meters.base import (
    Block,
    MeterError,
    MeterMap,
    MeterRefused,
    MeterSample,
    MeterUnreachable,
    SerialDefaults,
    TcpDefaults,
)
from energy.meters.decode import decode, plan, slow_plan
from energy.meters.sunspec import resolve

DEFAULT_PORT = 502
DEFAULT_BAUD, DEFAULT_PARITY, DEFAULT_STOP = 9600, "N", 1
TIMEOUT_MAX_S = 1.0  # the loop turns each second
# RTU answers carry no number: after a time-out the line stays quiet until a late answer has passed.
QUIET_AFTER_TIMEOUT_S = 0.5
SLOW_EVERY = 10  # readings between two requests of the slow plan
EXCEPTIONS = {
    1: "function not known", 2: "no such register", 3: "request not accepted", 4: "device fault", 5: "still busy",
    6: "busy", 10: "gateway has no path", 11: "no device behind the gateway",
}  # fmt: skip  # Modbus Application Protocol 1.1b3 §7
EXAMPLES = "tcp://192.168.1.20:502, rtutcp://192.168.1.21:4001, serial:///dev/ttyUSB0?baud=9600&parity=N&stop=1"


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A host; `rtu`: it takes RTU frames. Port None: the meter's own."""

    host: str
    port: int | None
    rtu: bool


@dataclass(frozen=True, slots=True)
class SerialEndpoint:
    """A serial device; None: as the meter is delivered."""

    path: str
    baud: int | None
    parity: str | None
    stop: int | None


def parse_url(url: str) -> TcpEndpoint | SerialEndpoint:
    """Read a meter's address: tcp://host[:port], rtutcp://host:port or serial:///device[?baud=…&parity=…&stop=…].

    Raises MeterError saying what is wrong, with examples.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(url, str(error)) from error
    if parts.scheme in ("tcp", "rtutcp"):
        if not parts.hostname:
            raise _bad_url(url, "the host is missing")
        if not _is_host(parts.hostname):
            raise _bad_url(url, f"{parts.hostname!r} is no name or address of a host")
        if parts.username is not None:
            raise _bad_url(url, "expected no user before the host")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise _bad_url(url, "expected nothing after host and port")
        if parts.scheme == "rtutcp" and port is None:
            raise _bad_url(url, "the port of the gateway is missing")
        return TcpEndpoint(host=parts.hostname, port=port, rtu=parts.scheme == "rtutcp")
    if parts.scheme == "serial":
        if parts.netloc or not parts.path.strip("/"):
            raise _bad_url(url, "expected a device after three slashes")
        if parts.fragment:
            raise _bad_url(url, "expected nothing after the device and its options")
        return _serial_endpoint(url, parts.path, parts.query)
    raise _bad_url(url, f"expected it to begin with tcp, rtutcp or serial, not {parts.scheme or 'nothing'}")


def _is_host(name: str) -> bool:
    """Say whether a name can be looked up at all: Python raises no OSError for one that cannot."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return re.fullmatch(r"[\w.:%-]+", name) is not None


def is_same_line(url: str, other: str) -> bool:
    """Say whether two addresses lead over one connection, that of a host and port or of a device, at any speed."""
    return not line_of(url).isdisjoint(line_of(other))


def line_of(url: str) -> frozenset[tuple[str, int]]:
    """List where an address leads: a device, or each address and the port of a host; nothing for a wrong one.

    Names are looked up, which may take the time of the system's resolver; one without an answer stands for itself.
    """
    try:
        endpoint = parse_url(url)
    except MeterError:
        return frozenset()
    if isinstance(endpoint, SerialEndpoint):
        return frozenset({(os.path.realpath(endpoint.path), 0)})
    port = endpoint.port or DEFAULT_PORT
    try:
        found = socket.getaddrinfo(endpoint.host, port, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset({(endpoint.host.lower(), port)})
    return frozenset((str(address[0]).removeprefix("::ffff:"), port) for *_kind, address in found)


def _serial_endpoint(url: str, path: str, query: str) -> SerialEndpoint:
    options = dict(parse_qsl(query, keep_blank_values=True))
    baud, parity, stop = options.pop("baud", None), options.pop("parity", None), options.pop("stop", None)
    if options:
        raise _bad_url(url, f"expected only baud, parity and stop, got {', '.join(options)}")
    if baud is not None and not (baud.isdecimal() and 300 <= int(baud) <= 1_000_000):
        raise _bad_url(url, f"expected a baud rate such as 9600 or 19200, got {baud}")
    if parity is not None and parity not in ("N", "E", "O"):
        raise _bad_url(url, f"expected the parity N, E or O, got {parity}")
    if stop is not None and stop not in ("1", "2"):
        raise _bad_url(url, f"expected 1 or 2 stop bits, got {stop}")
    return SerialEndpoint(path, int(baud) if baud else None, parity, int(stop) if stop else None)


def _bad_url(url: str, problem: str) -> MeterError:
    return MeterError(f"Meter address {url!r}: {problem}. Write it like {EXAMPLES}.")


class ModbusLine:
    """A connection that meters are asked over: a host or a serial line. Not for several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        gap_s: float = 0.0,
        quiet_s: float = QUIET_AFTER_TIMEOUT_S,
        tcp: TcpDefaults | None = None,
        serial: SerialDefaults | None = None,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        `timeout_s`: for connecting and for each request, 1 s at most. `gap_s`: pause between two requests. `quiet_s`:
        pause of a line with RTU frames after a time-out. `tcp`, `serial`: what holds where the address does not say.
        Raises MeterError for a wrong address.
        """
        self._url, self._gap_s, self._quiet_s = url, gap_s, quiet_s
        self._tcp, self._serial = tcp, serial
        self._timeout_s = min(timeout_s, TIMEOUT_MAX_S)
        self._endpoint = parse_url(url)
        self._is_rtu = isinstance(self._endpoint, SerialEndpoint) or self._endpoint.rtu
        self._client: ModbusTcpClient | ModbusSerialClient | None = None
        self._quiet_until = 0.0  # on the monotonic clock

    def open(self) -> None:
        """Connect where that is not done; raises MeterUnreachable."""
        self._connected()

    def fetch(self, unit: int, block: Block) -> list[int]:
        """Read one block, connecting first where needed.

        Raises MeterRefused on an exception answer, MeterUnreachable otherwise.
        """
        self._wait_for_quiet()
        client = self._connected()
        read = client.read_holding_registers if block.fc == 3 else client.read_input_registers
        try:
            answer = read(block.addr, count=block.count, device_id=unit)
        except (ModbusException, OSError) as error:
            self._drop()
            raise MeterUnreachable(
                f"Meter {self._url}, unit {unit}: expected an answer within {self._timeout_s:g} s, got none. "
                "Check cable, power, unit number and serial parameters."
            ) from error
        self._quiet_until = time.monotonic() + self._gap_s
        return self._checked(answer, unit, block)

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    def _checked(self, answer: ModbusPDU, unit: int, block: Block) -> list[int]:
        meter = f"Meter {self._url}, unit {unit}"
        registers = f"registers {block.addr} to {block.end - 1} (function code {block.fc})"
        if isinstance(answer, ExceptionResponse):
            code = answer.exception_code
            raise MeterRefused(
                f"{meter}: expected {registers}, got exception {code} "
                f"({EXCEPTIONS.get(code, 'not known')}). Check the model and the unit number.",
                code=code,
            )
        if answer.isError() or answer.function_code != block.fc or len(answer.registers) != block.count:
            self._drop()
            raise MeterUnreachable(
                f"{meter}: expected {block.count} {registers}, got {len(answer.registers)} "
                f"(function code {answer.function_code}). Check that nobody else speaks on this line."
            )
        return list(answer.registers)

    def _wait_for_quiet(self) -> None:
        wait_s = self._quiet_until - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)

    def _connected(self) -> ModbusTcpClient | ModbusSerialClient:
        if self._client is None:
            client = self._new_client()
            if not client.connect():
                raise MeterUnreachable(
                    f"Meter {self._url}: expected a connection within {self._timeout_s:g} s, got none. "
                    "Check address, cable and power, and that no other program uses the meter."
                )
            self._client = client
        return self._client

    def _new_client(self) -> ModbusTcpClient | ModbusSerialClient:
        endpoint = self._endpoint
        if isinstance(endpoint, TcpEndpoint):
            return ModbusTcpClient(
                endpoint.host,
                port=endpoint.port or (self._tcp and self._tcp.port) or DEFAULT_PORT,
                framer=FramerType.RTU if endpoint.rtu else FramerType.SOCKET,
                timeout=self._timeout_s,
                retries=0,
            )
        own = self._serial
        return ModbusSerialClient(
            endpoint.path,
            baudrate=endpoint.baud or (own and own.baud) or DEFAULT_BAUD,
            parity=endpoint.parity or (own and own.parity) or DEFAULT_PARITY,
            stopbits=endpoint.stop or (own and own.stop) or DEFAULT_STOP,
            timeout=self._timeout_s,
            retries=0,
        )

    def _drop(self) -> None:
        """Give the connection up, so that nothing late is taken for the next answer."""
        self.close()
        self._quiet_until = time.monotonic() + (max(self._quiet_s, self._gap_s) if self._is_rtu else self._gap_s)


class ModbusMeter:
    """One meter and its connection, which is kept between readings. Not for several threads at once."""

    def __init__(self, url: str, unit: int, map: MeterMap, *, ct_ratio: float = 1.0, timeout_s: float = 0.8) -> None:
        """Prepare to read; nothing is sent yet.

        `ct_ratio`: from primary_factor. `timeout_s`: for connecting and for each request, 1 s at most.
        Raises MeterError for a wrong address or a meter that cannot protect a fuse.
        """
        if map.refusal is not None:
            raise MeterError(map.refusal)
        self._unit, self._map, self._ct_ratio = unit, map, ct_ratio
        self._line = ModbusLine(url, timeout_s=timeout_s, gap_s=map.min_gap_ms / 1000, tcp=map.tcp, serial=map.serial)
        self._placed: MeterMap | None = None if map.sunspec else map
        self._slow_words: dict[tuple[int, int], int] = {}
        self._readings = 0

    def read(self) -> MeterSample:
        """Read the meter now, connecting first where needed.

        Each reading takes the requests of plan(); one of slow_plan() follows in the first readings and then in every
        tenth, and its failure costs no current. Raises MeterUnreachable, MeterImplausible or MeterError.
        """
        try:
            if self._placed is None:
                self._placed = resolve(self._map, lambda block: self._line.fetch(self._unit, block))
            words = {key: word for block in plan(self._placed) for key, word in self._fetch_words(block).items()}
        except MeterUnreachable:
            if self._map.sunspec:
                self._placed = None  # another device, or other models after an update
            raise
        self._read_slow_block(self._placed)
        return decode(self._placed, {**self._slow_words, **words}, ct_ratio=self._ct_ratio)

    def close(self) -> None:
        """Close the connection; the next reading opens it again."""
        self._line.close()

    def _read_slow_block(self, placed: MeterMap) -> None:
        blocks = slow_plan(placed)
        turn, self._readings = self._readings, self._readings + 1
        if not blocks or (turn >= len(blocks) and turn % SLOW_EVERY):
            return
        block = blocks[turn if turn < len(blocks) else turn // SLOW_EVERY % len(blocks)]
        for addr in range(block.addr, block.end):
            self._slow_words.pop((block.fc, addr), None)
        try:
            self._slow_words.update(self._fetch_words(block))
        except MeterUnreachable:
            return  # not every type of a family has all of them

    def _fetch_words(self, block: Block) -> dict[tuple[int, int], int]:
        words = self._line.fetch(self._unit, block)
        return {(block.fc, block.addr + offset): word for offset, word in enumerate(words)}
