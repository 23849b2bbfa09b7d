"""Meters for the tests: register words as a real meter holds them, and Modbus servers on loopback that serve them."""

import asyncio
import os
import struct
import termios
import threading
from contextlib import contextmanager

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.framer.rtu import FramerRTU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

PACK = {"uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q", "int64": "q"} | {
    "float32": "f",
    "float64": "d",
}


def words_of(kind, order, value):
    """Split a number into register words, high byte first."""
    raw = struct.pack(">" + PACK[kind], value)
    words = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    return words if order == "big" else words[::-1]


def encode(meter_map, values):
    """Give the registers of a meter that measures `values` (by quantity, in its unit); other registers hold 0."""
    words = {}
    for name, register in meter_map.registers.items():
        raw = values.get(name, 0) / register.scale
        if not register.type.startswith("float"):
            raw = round(raw)
        for offset, word in enumerate(words_of(register.type, meter_map.order, raw)):
            words[register.fc, register.addr + offset] = word
    return words


class Server:
    """A Modbus TCP meter with exactly the registers of `words` (changes show at once); `asked` lists the requests.

    `refused`: (function code, first address) answered by an exception. `cut`: leave out the last register of answers.
    """

    def __init__(self, loop, words, port=0, framer=FramerType.SOCKET):
        self.words, self.asked, self.refused, self.cut = words, [], set(), False
        self._loop = loop
        self._server = asyncio.run_coroutine_threadsafe(self._start(port, framer), loop).result(5)
        self.port = self._server.transport.sockets[0].getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"

    async def _start(self, port, framer):
        bits = [SimData(0, values=False, datatype=DataType.BITS)]
        blocks = [
            [SimData(addr, values=0, datatype=DataType.REGISTERS) for code, addr in sorted(self.words) if code == fc]
            or [SimData(65535, values=0, datatype=DataType.REGISTERS)]
            for fc in (3, 4)
        ]
        device = SimDevice(0, simdata=(bits, bits, *blocks), action=self._on_request)
        server = ModbusTcpServer(device, address=("127.0.0.1", port), framer=framer, trace_pdu=self._on_pdu)
        await server.serve_forever(background=True)
        return server

    async def _on_request(self, fc, start, addr, count, registers, _values):
        self.asked.append((fc, addr, count))
        if (fc, addr) in self.refused:
            return ExcCodes.ILLEGAL_ADDRESS
        for at in range(addr, addr + count):
            registers[at - start] = self.words[fc, at]
        return None

    def _on_pdu(self, sending, pdu):
        if sending and self.cut and getattr(pdu, "registers", None):
            pdu.registers = pdu.registers[:-1]
        return pdu

    def stop(self):
        """Close the port and every connection."""
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(5)


@contextmanager
def running_loop():
    """Run an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


class SerialMeter:
    """A meter on a pseudo-terminal that speaks RTU; `silent` makes it hear and not answer."""

    def __init__(self, unit, words):
        self.unit, self.words, self.silent, self.requests = unit, words, False, []
        self._master, self._slave = os.openpty()
        self.path = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def frame(self, fc, addr, count):
        """Give the answer to a read request."""
        body = b"".join(self.words[fc, at].to_bytes(2, "big") for at in range(addr, addr + count))
        frame = bytes([self.unit, fc, len(body)]) + body
        return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")

    def speed(self):
        """Give the speed that the other end has set (a termios constant)."""
        return termios.tcgetattr(self._slave)[4]

    def send(self, frame):
        """Put bytes on the line."""
        os.write(self._master, frame)

    def _serve(self):
        received = b""
        while not received.endswith(b"stop"):
            received += os.read(self._master, 256)
            if len(received) < 8 or received.endswith(b"stop"):
                continue
            request, received = received[:8], received[8:]
            unit, fc, addr, count, crc = struct.unpack(">BBHHH", request)
            assert crc == FramerRTU.compute_CRC(request[:6])
            self.requests.append((fc, addr, count))
            if unit == self.unit and not self.silent:
                self.send(self.frame(fc, addr, count))

    def close(self):
        """Hang up."""
        os.write(self._slave, b"stop")
        self._thread.join(5)
        os.close(self._slave)
        os.close(self._master)
