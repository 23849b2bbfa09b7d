"""Registers → amperes: which requests a reading takes, and what the answered words mean. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from typing import Literal

from energy.meters.base import (
    Block,
    MeterError,
    MeterImplausible,
    MeterMap,
    MeterSample,
    Register,
)
from energy.meters.maps import load_maps, manual_map

__all__ = ["decode", "load_maps", "manual_map", "number", "plan", "primary_factor", "slow_plan"]

FORMATS = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "uint64": ">Q", "int64": ">q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
SECONDARY_A = {"ct_1a": 1.0, "ct_5a": 5.0}
# Beyond these a value is a fault of wiring, model or word order, whatever the installation (low voltage, 6000 A).
CURRENT_MAX_A, VOLTAGE_MAX_V, POWER_MAX_W, ENERGY_MAX_WH = 20_000.0, 1_000.0, 20e6, 1e15
FREQUENCY_HZ = (40.0, 70.0)
EXPONENT_MAX = 10  # SunSpec: scale factors from -10 to 10
EXPORT_POWER_FACTOR, NOMINAL_VOLTAGE_V = 0.5, 230.0

Words = Mapping[tuple[int, int], int]  # (function code, address) → register


def plan(meter_map: MeterMap) -> tuple[Block, ...]:
    """Give the requests of every reading: the currents and what tells their direction.

    No request takes more than the meter's `max_regs`, cuts a value in two or touches a register that the map does not
    name (some meters refuse gaps); neighbours that fit come along. Raises MeterError for a map that is refused.
    """
    return tuple(block for block in _blocks(meter_map) if _is_needed(meter_map, block))


def slow_plan(meter_map: MeterMap) -> tuple[Block, ...]:
    """Give the further requests, for what may be some readings old: energies, and voltages that stand apart."""
    return tuple(block for block in _blocks(meter_map) if not _is_needed(meter_map, block))


def decode(meter_map: MeterMap, words: Words, *, ct_ratio: float = 1.0) -> MeterSample:
    """Turn answered registers into a sample in primary values.

    `words`: register by function code and address. `ct_ratio`: from primary_factor. Raises MeterImplausible when a
    current is missing, not a number, marked as not measured, above 20 kA, or negative where the meter has no sign;
    anything else of that kind becomes None.
    """
    lines = range(1, 4)
    voltages = [_within(_value(meter_map, f"u{line}", words), 0.0, VOLTAGE_MAX_V) for line in lines]
    powers = [_within(_value(meter_map, f"p{line}", words, ct_ratio), -POWER_MAX_W, POWER_MAX_W) for line in lines]
    currents = [0.0, 0.0, 0.0]
    for line in range(meter_map.phases):
        magnitude = _current(meter_map, line + 1, words, ct_ratio)
        currents[line] = _directed(meter_map, magnitude, powers[line], voltages[line])
    return MeterSample(
        currents_a=(currents[0], currents[1], currents[2]),
        voltages_v=(voltages[0], voltages[1], voltages[2]),
        powers_w=(powers[0], powers[1], powers[2]),
        energy_import_wh=_energy_wh(meter_map, "e_imp", words, ct_ratio),
        energy_export_wh=_energy_wh(meter_map, "e_exp", words, ct_ratio),
        frequency_hz=_within(_value(meter_map, "f", words), *FREQUENCY_HZ),
    )


def primary_factor(
    meter_map: MeterMap, measurement: Literal["direct", "ct_1a", "ct_5a"] | str, ct_ratio_a: float | None
) -> float:
    """Give what readings are multiplied by to become primary values: transformer primary ÷ secondary (SPEC S10).

    `ct_ratio_a`: the transformer's primary current, 75-6000 A. A meter that is connected directly or knows its ratio
    (`ct` none, meter) is never multiplied, whatever was chosen. For one that shows secondary values (reader) direct
    measurement is refused: its readings would be too small by the ratio. Where the map does not know, the installer's
    choice counts: a transformer means multiply, and if the meter did so already, readings are too large, which stops
    charging but blows no fuse. Raises MeterError.
    """
    if meter_map.ct in ("none", "meter") or (meter_map.ct == "unknown" and measurement == "direct"):
        return 1.0
    if measurement not in SECONDARY_A:
        raise MeterError(
            f"{meter_map.id} shows the secondary current of a transformer: expected the kind of measurement "
            f"ct_1a or ct_5a, got {measurement}."
        )
    if ct_ratio_a is None or not 75 <= ct_ratio_a <= 6000:
        raise MeterError(f"Transformer primary: expected 75 to 6000 A, got {ct_ratio_a}.")
    return ct_ratio_a / SECONDARY_A[measurement]


def number(register: Register, order: str, words: Words) -> int | float | None:
    """Put the words of one register together; None if they were not read."""
    block = register.block
    parts = [words.get((block.fc, addr)) for addr in range(block.addr, block.end)]
    present = [part for part in parts if part is not None]
    if len(present) < block.count:
        return None
    if order == "little":
        present.reverse()
    value: int | float = struct.unpack(FORMATS[register.type], struct.pack(f">{block.count}H", *present))[0]
    return value


def _is_needed(meter_map: MeterMap, block: Block) -> bool:
    quantities = "i" if meter_map.current_sign == "import_only" else "ip"
    return any(block.holds(register.block) for name, register in meter_map.registers.items() if name[0] in quantities)


def _blocks(meter_map: MeterMap) -> list[Block]:
    if meter_map.refusal is not None:
        raise MeterError(meter_map.refusal)
    if meter_map.blocks:
        return list(meter_map.blocks)
    # The values of one quantity stay in one request where they fit, so that the lines are of one moment.
    together: list[Block] = []
    for quantity in sorted({name[0] for name in meter_map.registers}):
        own = (register.block for name, register in meter_map.registers.items() if name[0] == quantity)
        together += _merged(own, meter_map.max_regs)
    return _merged(together, meter_map.max_regs)


def _merged(blocks: Iterable[Block], max_regs: int) -> list[Block]:
    """Join blocks that touch as long as the result may be read at once."""
    merged: list[Block] = []
    for block in sorted(blocks, key=lambda block: (block.fc, block.addr)):
        last = merged[-1] if merged else None
        if last and last.fc == block.fc and block.addr <= last.end and block.end - last.addr <= max_regs:
            merged[-1] = Block(last.fc, last.addr, max(last.end, block.end) - last.addr)
        else:
            merged.append(block)
    return merged


def _value(meter_map: MeterMap, name: str, words: Words, factor: float = 1.0) -> float | None:
    """Give a quantity in its unit; None: not in the map, not read, not measured or not a finite number."""
    register = meter_map.registers.get(name)
    if register is None:
        return None
    raw = number(register, meter_map.order, words)
    if raw is None or _is_marked(meter_map, register, raw):
        return None
    exponent = 0
    if register.exponent_addr is not None:
        found = number(Register(register.fc, register.exponent_addr, "int16"), meter_map.order, words)
        if found is None or abs(found) > EXPONENT_MAX:
            return None
        exponent = int(found)
    value = raw * register.scale * 10.0**exponent * factor
    return value if math.isfinite(value) else None


def _is_marked(meter_map: MeterMap, register: Register, raw: int | float) -> bool:
    marker = meter_map.invalid.get(register.type)
    if marker is None or isinstance(raw, float):
        return False
    unsigned: int = raw & (2 ** (16 * register.block.count) - 1)
    return unsigned == marker


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None


def _energy_wh(meter_map: MeterMap, name: str, words: Words, ct_ratio: float) -> int | None:
    energy_wh = _within(_value(meter_map, name, words, ct_ratio * 1000), 0.0, ENERGY_MAX_WH)
    return None if energy_wh is None else round(energy_wh)


def _current(meter_map: MeterMap, line: int, words: Words, ct_ratio: float) -> float:
    """Give the current of a line as the meter states it, direction not yet settled."""
    current_a = _value(meter_map, f"i{line}", words, ct_ratio)
    has_sign = meter_map.current_sign != "magnitude"
    low = -CURRENT_MAX_A if has_sign else 0.0
    if current_a is None or not low <= current_a <= CURRENT_MAX_A:
        register = meter_map.registers.get(f"i{line}")
        came = "nothing" if register is None else _hex(register, words)
        meaning = "no number" if current_a is None else f"{current_a:.4g} A"
        raise MeterImplausible(
            f"Current on L{line}: expected {low:g} to {CURRENT_MAX_A:g} A, got {meaning} (registers {came}). "
            "Check the model, the word order and the wiring of the meter."
        )
    return current_a


def _hex(register: Register, words: Words) -> str:
    found = (words.get((register.fc, addr)) for addr in range(register.addr, register.block.end))
    return " ".join("----" if word is None else f"{word:04X}" for word in found)


def _directed(meter_map: MeterMap, current_a: float, power_w: float | None, voltage_v: float | None) -> float:
    """Settle the direction of a current: plus = import. In doubt it is import, which can only cost headroom.

    A sign of its own counts unless the power of the line contradicts it. Without one a negative power makes it export,
    if the power is a fair part of the current: a line that carries 15 A of reactive current and feeds in 50 W has no
    15 A to spare.
    """
    if meter_map.current_sign == "import_only":
        return abs(current_a)
    if current_a < 0:
        return abs(current_a) if power_w is not None and power_w > 0 else current_a
    if meter_map.current_sign == "signed" or power_w is None:
        return current_a
    apparent_va = current_a * (voltage_v or NOMINAL_VOLTAGE_V)
    return -current_a if -power_w > EXPORT_POWER_FACTOR * apparent_va else current_a
