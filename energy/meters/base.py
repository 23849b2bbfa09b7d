"""Shapes and errors of reading an energy meter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

WORDS_OF_TYPE = {"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4}

WordOrder = Literal["big", "little"]
CurrentSign = Literal["signed", "magnitude", "unknown", "import_only"]
TransformerRatio = Literal["none", "meter", "reader", "unknown"]
Transport = Literal["rtu", "tcp"]


class MeterError(Exception):
    """Base of what can go wrong with a meter; the message says what was expected, what came and what to do."""


class MeterMapError(MeterError):
    """A register map breaks the rules; the message names the key."""


class MeterUnreachable(MeterError):
    """No connection, no answer in time, or an answer that is none."""


class MeterRefused(MeterUnreachable):
    """The meter answered a request with a Modbus exception, whose number is `code`; the connection stands."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class MeterImplausible(MeterError):
    """A current that cannot be: not a number, marked as not measured, negative where the meter has no sign, or huge."""


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One reading, per installation line; currents and powers: plus = import from the grid.

    A single-phase meter fills L1, the currents of the others are 0.0. None: the meter does not tell it, or has not yet
    (all but currents and powers may be some readings old).
    """

    currents_a: tuple[float, float, float]
    voltages_v: tuple[float | None, float | None, float | None]
    powers_w: tuple[float | None, float | None, float | None]
    energy_import_wh: int | None
    energy_export_wh: int | None
    frequency_hz: float | None


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that one request reads: function code, first address, number."""

    fc: int
    addr: int
    count: int

    @property
    def end(self) -> int:
        """Give the address after the last register."""
        return self.addr + self.count

    def holds(self, other: Block) -> bool:
        """Say whether all registers of the other block are among these."""
        return self.fc == other.fc and self.addr <= other.addr and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Register:
    """Where one value stands. `exponent_addr`: register of its power of ten (SunSpec), None: `scale` alone counts."""

    fc: int
    addr: int
    type: str
    scale: float = 1.0
    exponent_addr: int | None = None

    @property
    def block(self) -> Block:
        """Give the registers of the value."""
        return Block(self.fc, self.addr, WORDS_OF_TYPE[self.type])


@dataclass(frozen=True, slots=True)
class Probe:
    """A text or number that recognises a meter, at the first address that answers.

    `type` may also be string:N (N registers). `match`: regular expression for a text; `values`: what known numbers
    mean; with neither, the answer is only worth showing.
    """

    fc: int
    addresses: tuple[int, ...]
    type: str
    match: str | None
    values: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Detection:
    """How a search recognises a meter: the probe that decides, and further ones by name."""

    probe: Probe
    also: Mapping[str, Probe]


@dataclass(frozen=True, slots=True)
class SerialDefaults:
    """Serial parameters as delivered; None: not known, read them from the meter's display."""

    baud: int | None
    parity: str | None
    stop: int | None
    unit: int | None


@dataclass(frozen=True, slots=True)
class TcpDefaults:
    """TCP parameters as delivered; None: not known."""

    port: int | None
    unit: int | None


@dataclass(frozen=True, slots=True)
class MeterMap:
    """How one family of meters is read; the head of registers.yaml explains the words.

    `registers` by quantity: i1-i3 A, u1-u3 V, p1-p3 W, f Hz, e_imp and e_exp kWh. `blocks`: requests that read more
    than the registers themselves (SunSpec models); empty: planned from the registers. `refusal`: why this meter cannot
    protect a fuse; None: it can.
    """

    id: str
    vendor: str
    models: tuple[str, ...]
    description: str
    phases: int
    transports: tuple[Transport, ...]
    serial: SerialDefaults | None
    tcp: TcpDefaults | None
    order: WordOrder
    current_sign: CurrentSign
    ct: TransformerRatio
    max_regs: int
    min_gap_ms: int
    invalid: Mapping[str, int]
    registers: Mapping[str, Register]
    blocks: tuple[Block, ...]
    sunspec: bool
    detect: Detection | None
    refusal: str | None
    verified_by: int
    remarks: tuple[str, ...]

    @property
    def shows_export(self) -> bool:
        """Say whether current that flows out is seen as such: by its own sign, or by that of the power."""
        return self.current_sign == "signed" or (self.current_sign != "import_only" and "p1" in self.registers)
