"""SunSpec: find the meter model in a device's chain of models and say where its values stand. Pure.

SunSpec Information Model: the text "SunS", then model after model (number, length, registers) up to number 0xFFFF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

from energy.meters.base import Block, MeterError, MeterMap, MeterRefused, Register

FC = 3
MARKER = (0x5375, 0x6E53)  # "SunS"
END = 0xFFFF
CHAIN_MAX = 60  # models; more is a fault
INVALID = {"int16": 0x8000, "uint16": 0xFFFF, "uint32": 0}  # 0: a counter that does not count

# Quantity: (offset from the model's number, type, offset of its scale factor); a value and its factor are one request.
INTEGERS = {
    "i1": (3, "int16", 6), "i2": (4, "int16", 6), "i3": (5, "int16", 6),
    "u1": (8, "int16", 15), "u2": (9, "int16", 15), "u3": (10, "int16", 15),
    "p1": (19, "int16", 22), "p2": (20, "int16", 22), "p3": (21, "int16", 22),
    "e_exp": (38, "uint32", 54), "e_imp": (46, "uint32", 54),
}  # fmt: skip
FLOATS = {
    "i1": (4, "float32", None), "i2": (6, "float32", None), "i3": (8, "float32", None),
    "u1": (12, "float32", None), "u2": (14, "float32", None), "u3": (16, "float32", None),
    "p1": (30, "float32", None), "p2": (32, "float32", None), "p3": (34, "float32", None),
    "e_exp": (60, "float32", None), "e_imp": (68, "float32", None),
}  # fmt: skip
# Every register of a model exists, so a block may span more than the values: (offset, number of registers).
INTEGER_BLOCKS = ((3, 20), (38, 17))
FLOAT_BLOCKS = ((4, 32), (60, 10))
SINGLE_PHASE = (201, 211)
INTEGER_MODELS, FLOAT_MODELS = (201, 203, 204), (211, 213, 214)

Fetch = Callable[[Block], Sequence[int]]


def resolve(meter_map: MeterMap, fetch: Fetch) -> MeterMap:
    """Walk the model chain and give a map with the addresses of the first meter model.

    `fetch` reads one block and raises MeterRefused where the device has no such registers. Raises MeterError naming
    what was found instead.
    """
    bases = meter_map.detect.probe.addresses if meter_map.detect else ()
    for base in bases:
        try:
            marker = fetch(Block(FC, base, 2))
        except MeterRefused:
            continue
        if tuple(marker) == MARKER:
            return _placed(meter_map, *_meter_model(base + len(MARKER), fetch))
    raise MeterError(f"SunSpec: expected the text SunS at {', '.join(map(str, bases))}, found it at none of them.")


def _meter_model(addr: int, fetch: Fetch) -> tuple[int, int]:
    """Give number and address of the first meter model of the chain that begins at `addr`."""
    seen: list[int] = []
    while len(seen) < CHAIN_MAX and addr < 0xFFFF:
        model, length = fetch(Block(FC, addr, 2))
        if model in INTEGER_MODELS or model in FLOAT_MODELS:
            return model, addr
        if model == END:
            break
        seen.append(model)
        addr += 2 + length
    expected = ", ".join(map(str, INTEGER_MODELS + FLOAT_MODELS))
    raise MeterError(f"SunSpec: expected one of the meter models {expected}, found {seen}. Check the unit number.")


def _placed(meter_map: MeterMap, model: int, addr: int) -> MeterMap:
    layout, blocks = (INTEGERS, INTEGER_BLOCKS) if model in INTEGER_MODELS else (FLOATS, FLOAT_BLOCKS)
    phases = 1 if model in SINGLE_PHASE else 3
    registers = {
        name: Register(
            fc=FC,
            addr=addr + offset,
            type=kind,
            scale=0.001 if name.startswith("e_") else 1.0,  # Wh on the wire
            exponent_addr=None if exponent is None else addr + exponent,
        )
        for name, (offset, kind, exponent) in layout.items()
        if phases == 3 or name[1:] not in ("2", "3")
    }
    return replace(
        meter_map,
        phases=phases,
        registers=MappingProxyType(registers),
        blocks=tuple(Block(FC, addr + offset, count) for offset, count in blocks),
        invalid=MappingProxyType(INVALID),
    )
