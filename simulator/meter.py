"""The grid meter: a Modbus TCP server with the register map of an Eastron SDM630."""

import asyncio
import logging
import math
import struct
import time
from collections.abc import Callable
from typing import Literal, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from .link import SimulatorError
from .profiles import VOLTAGE_V

log = logging.getLogger(__name__)

MeterMode = Literal["on", "off", "frozen", "nan", "slow", "swapped", "turned"]
MODES: tuple[MeterMode, ...] = ("on", "off", "frozen", "nan", "slow", "swapped", "turned")

UNIT_ID = 1
INPUT_REGISTERS = 0x180
LARGEST_READ = 80  # registers, as the SDM630 allows
MODEL_REGISTER, MODEL_SDM630 = 0xFC03, 0x0070
FREQUENCY_HZ = 50.0


class Meter:
    """A meter that computes its values at the moment of the read, so that nothing is older than the request.

    `mode` is what is wrong with it: "off" (port closed), "frozen" (values of that moment for ever), "nan",
    "slow" (answers after `slow_s`), "swapped" (the transformers of L2 and L3), "turned" (that of L2 is the wrong way
    round), or nothing: "on".
    """

    def __init__(
        self,
        read_a: Callable[[], tuple[float, float, float]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        slow_s: float = 2.0,
    ) -> None:
        self.host = host
        self.port = port
        self.slow_s = slow_s
        self.mode: MeterMode = "on"
        self.reads = 0
        self._read_a = read_a
        self._server: ModbusTcpServer | None = None
        self._frozen: list[int] = []
        self._energy_wh = 0.0
        self._energy_at: float | None = None

    async def start(self) -> None:
        """Listen; a port of 0 becomes the one that was free."""
        self._server = ModbusTcpServer(self._device(), address=(self.host, self.port))
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as error:
            self._server = None
            raise SimulatorError(f"expected a free port for the meter, got {self.host}:{self.port}") from error
        self.port = cast(asyncio.Server, self._server.transport).sockets[0].getsockname()[1]
        log.info("meter listens on %s:%d", self.host, self.port)

    async def stop(self) -> None:
        """Close the port and drop all connections."""
        if self._server:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None
            await asyncio.sleep(0)  # lets the transports see that they are closed

    async def set_mode(self, mode: MeterMode) -> None:
        """Break the meter, or mend it."""
        if mode == "off":
            await self.stop()
        elif self._server is None:
            await self.start()
        if mode == "frozen":
            self._frozen = self._registers()
        self.mode = mode
        log.info("meter is %s", mode)

    def _device(self) -> SimDevice:
        bits = [SimData(0, values=False, datatype=DataType.BITS)]
        holding = [SimData(MODEL_REGISTER, values=MODEL_SDM630, datatype=DataType.REGISTERS)]
        inputs = [SimData(0, values=0, count=INPUT_REGISTERS, datatype=DataType.REGISTERS)]
        return SimDevice(UNIT_ID, simdata=(bits, list(bits), holding, inputs), action=self._before_read)

    async def _before_read(
        self,
        function: int,
        _start: int,
        address: int,
        count: int,
        registers: list[int],
        _written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Put the values of this moment into the registers about to be read."""
        if function != 4:
            return None
        if address % 2 or count % 2:
            return ExcCodes.ILLEGAL_ADDRESS
        if count > LARGEST_READ:
            return ExcCodes.ILLEGAL_VALUE
        if self.mode == "slow":
            await asyncio.sleep(self.slow_s)
        self.reads += 1
        fresh = self._frozen if self.mode == "frozen" else self._registers()
        registers[: len(fresh)] = fresh
        return None

    def _registers(self) -> list[int]:
        """Lay out all values as float32, high word first, from input register 0 on."""
        l1, l2, l3 = self._read_a()
        if self.mode == "swapped":
            l2, l3 = l3, l2
        currents_a = (l1, -l2 if self.mode == "turned" else l2, l3)
        powers_w = [VOLTAGE_V * current_a for current_a in currents_a]
        self._count_energy(sum(powers_w))
        values = dict.fromkeys(range(0, 0x4C, 2), 0.0)
        for line in range(3):
            values[0x00 + 2 * line] = VOLTAGE_V
            values[0x06 + 2 * line] = abs(currents_a[line])  # the SDM630 has no sign here, only in the powers
            values[0x0C + 2 * line] = powers_w[line]
        values |= {0x34: sum(powers_w), 0x46: FREQUENCY_HZ, 0x48: self._energy_wh / 1000}
        if self.mode == "nan":
            values = dict.fromkeys(values, math.nan)
        raw = struct.pack(f">{len(values)}f", *(values[address] for address in sorted(values)))
        return list(struct.unpack(f">{2 * len(values)}H", raw))

    def _count_energy(self, power_w: float) -> None:
        now = time.monotonic()
        if self._energy_at is not None:
            self._energy_wh += max(0.0, power_w) * (now - self._energy_at) / 3600
        self._energy_at = now
