"""Register maps: from registers.yaml, or from an installer's own description, to checked MeterMaps. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, cast, get_args

import yaml

from energy.meters.base import (
    WORDS_OF_TYPE,
    CurrentSign,
    Detection,
    MeterMap,
    MeterMapError,
    Probe,
    Register,
    SerialDefaults,
    TcpDefaults,
    TransformerRatio,
    Transport,
    WordOrder,
)

QUANTITIES = ("i1", "i2", "i3", "u1", "u2", "u3", "p1", "p2", "p3", "f", "e_imp", "e_exp")
# What `like` hands on: how a meter is read, not what is said about it.
TECHNICAL = frozenset(
    [
        *("phases", "transports", "serial", "tcp", "fc", "order", "current_sign", "ct", "max_regs", "min_gap_ms"),
        *("invalid", "detect", "sunspec", "registers"),
    ]
)
DESCRIPTIVE = frozenset(
    [
        *("id", "vendor", "models", "description", "refusal", "verified_by", "sources"),
        *("certainty", "conflicts", "notes", "like", "drop"),
    ]
)
MODBUS_MAX_REGS = 125  # Modbus Application Protocol 1.1b3 §6.3


def _fail(key: str, expected: str, came: object) -> NoReturn:
    raise MeterMapError(f"{key}: expected {expected}, got {came!r}")


class _Spec:
    """A mapping under check that knows its own name, so that each error names the key."""

    def __init__(self, name: str, value: object, known: frozenset[str] | tuple[str, ...]) -> None:
        if not isinstance(value, Mapping):
            _fail(name or "map", "keys with values", value)
        self.name, self._values = name, cast(Mapping[str, Any], value)
        for key in self._values:
            if key not in known:
                _fail(self.key(str(key)), f"one of {', '.join(sorted(known))}", key)

    def key(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def raw(self, key: str, default: Any = None) -> Any:
        return self._values.get(key, default)

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Give a whole number within the range, None if the key is left out."""
        value = self.raw(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            _fail(self.key(key), f"a whole number from {low} to {high}", value)
        return value

    def text(self, key: str) -> str | None:
        value = self.raw(key)
        if value is not None and not isinstance(value, str):
            _fail(self.key(key), "a text", value)
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
        value = self.raw(key, default)
        if value is not None and value not in choices:
            _fail(self.key(key), f"one of {', '.join(choices)}", value)
        return cast(str | None, value)


@cache
def load_maps() -> Mapping[str, MeterMap]:
    """Give every map of registers.yaml by its id, refused meters included."""
    entries, sources = _file()
    maps = {}
    for name, entry in entries.items():
        for source in entry.get("sources", ()):
            if source not in sources:
                _fail(f"{name}.sources", "names from the list of sources", source)
        maps[name] = _build(name, _resolved(entry, entries), name)
    return MappingProxyType(maps)


def manual_map(spec: Mapping[str, Any]) -> MeterMap:
    """Check an installer's own map, written with the keys of registers.yaml; `like` may name one of its maps.

    Left out: three phases, high word first, current without sign, ratio unknown, 125 registers in a request.
    Raises MeterMapError naming the key.
    """
    if not isinstance(spec, Mapping):
        _fail("map", "keys with values", spec)
    if "\\u0000" in json.dumps(spec, default=str):
        _fail("map", "texts without the NUL character, which PostgreSQL refuses", "one with it")
    return _build("manual", _resolved(spec, _file()[0]), "")


@cache
def _file() -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, str]]:
    content = yaml.safe_load(Path(__file__).with_name("registers.yaml").read_text(encoding="utf-8"))
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in content["meters"]:
        if entry["id"] in entries:
            _fail(entry["id"], "each id once", entry["id"])
        entries[entry["id"]] = entry
    return entries, content["sources"]


def _resolved(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Fill in what `like` hands on and take away what `drop` names."""
    parent = entry.get("like")
    if parent is None:
        return entry
    if not isinstance(parent, str) or parent not in entries:
        _fail("like", "the id of a map", parent)
    base = {key: value for key, value in _resolved(entries[parent], entries).items() if key in TECHNICAL}
    registers = dict(base.pop("registers", {}))
    drop = entry.get("drop", ())
    if not isinstance(drop, list | tuple) or not all(isinstance(name, str) and name in registers for name in drop):
        _fail("drop", f"a list of registers of {parent}", drop)
    registers = {name: register for name, register in registers.items() if name not in drop}
    own = entry.get("registers", {})
    if not isinstance(own, Mapping):
        _fail("registers", "keys with values", own)
    return {**base, **entry, "registers": {**registers, **own}}


def _build(name: str, entry: Mapping[str, Any], path: str) -> MeterMap:
    spec = _Spec(path, entry, TECHNICAL | DESCRIPTIVE)
    refusal, sunspec = spec.text("refusal"), bool(spec.raw("sunspec", False))
    phases = spec.whole("phases", 1, 3) or 3
    if phases == 2:
        _fail(spec.key("phases"), "1 or 3", phases)
    registers = _registers(spec)
    if refusal is None and not sunspec:
        _check_complete(spec, phases, registers)
    order = spec.choice("order", get_args(WordOrder), "big")
    sign = spec.choice("current_sign", get_args(CurrentSign), "magnitude")
    ratio = spec.choice("ct", get_args(TransformerRatio), "unknown")
    max_regs = spec.whole("max_regs", 4, MODBUS_MAX_REGS)  # 4: the longest value is read whole
    return MeterMap(
        id=name,
        vendor=spec.text("vendor") or "",
        models=_texts(spec, "models"),
        description=spec.text("description") or "",
        phases=phases,
        transports=_transports(spec),
        serial=_serial(spec),
        tcp=_tcp(spec),
        order=cast(WordOrder, order),
        current_sign=cast(CurrentSign, sign),
        ct=cast(TransformerRatio, ratio),
        max_regs=max_regs or MODBUS_MAX_REGS,
        min_gap_ms=spec.whole("min_gap_ms", 0, 1000) or 0,
        invalid=_invalid(spec),
        registers=MappingProxyType(registers),
        blocks=(),
        sunspec=sunspec,
        detect=_detection(spec),
        refusal=refusal,
        verified_by=spec.whole("verified_by", 0, 100) or 0,
        remarks=tuple(text for key in ("certainty", "conflicts", "notes") if (text := spec.text(key))),
    )


def _texts(spec: _Spec, key: str) -> tuple[str, ...]:
    values = spec.raw(key, ())
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        _fail(spec.key(key), "a list of texts", values)
    return tuple(values)


def _transports(spec: _Spec) -> tuple[Transport, ...]:
    names = _texts(spec, "transports")
    for name in names:
        if name not in get_args(Transport):
            _fail(spec.key("transports"), f"among {', '.join(get_args(Transport))}", name)
    return cast(tuple[Transport, ...], names)


def _serial(spec: _Spec) -> SerialDefaults | None:
    if spec.raw("serial") is None:
        return None
    serial = _Spec(spec.key("serial"), spec.raw("serial"), ("baud", "parity", "stop", "unit"))
    return SerialDefaults(
        baud=serial.whole("baud", 300, 1_000_000),
        parity=serial.choice("parity", ("N", "E", "O")),
        stop=serial.whole("stop", 1, 2),
        unit=serial.whole("unit", 0, 255),
    )


def _tcp(spec: _Spec) -> TcpDefaults | None:
    if spec.raw("tcp") is None:
        return None
    tcp = _Spec(spec.key("tcp"), spec.raw("tcp"), ("port", "unit"))
    return TcpDefaults(port=tcp.whole("port", 1, 65535), unit=tcp.whole("unit", 0, 255))


def _invalid(spec: _Spec) -> Mapping[str, int]:
    markers = _Spec(spec.key("invalid"), spec.raw("invalid", {}), tuple(WORDS_OF_TYPE))
    found = {kind: markers.whole(kind, 0, 2 ** (16 * words) - 1) for kind, words in WORDS_OF_TYPE.items()}
    return MappingProxyType({kind: marker for kind, marker in found.items() if marker is not None})


def _registers(spec: _Spec) -> dict[str, Register]:
    listed = _Spec(spec.key("registers"), spec.raw("registers", {}), QUANTITIES)
    default_fc = spec.whole("fc", 3, 4)
    return {name: _register(listed, name, default_fc) for name in QUANTITIES if listed.raw(name) is not None}


def _register(listed: _Spec, name: str, default_fc: int | None) -> Register:
    spec = _Spec(listed.key(name), listed.raw(name), ("fc", "addr", "type", "scale"))
    fc = spec.whole("fc", 3, 4) or default_fc
    if fc is None:
        _fail(spec.key("fc"), "3 (holding registers) or 4 (input registers), here or for the whole map", None)
    kind = spec.choice("type", tuple(WORDS_OF_TYPE))
    if kind is None:
        _fail(spec.key("type"), f"one of {', '.join(WORDS_OF_TYPE)}", None)
    last = 65536 - WORDS_OF_TYPE[kind]
    addr = spec.whole("addr", 0, last)
    if addr is None:
        _fail(spec.key("addr"), f"a whole number from 0 to {last}", None)
    scale = spec.raw("scale", 1)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or scale == 0 or not math.isfinite(scale):
        _fail(spec.key("scale"), "a number that is not 0", scale)
    return Register(fc=fc, addr=addr, type=kind, scale=float(scale))


def _check_complete(spec: _Spec, phases: int, registers: Mapping[str, Register]) -> None:
    """Raise unless each line has its current and nothing stands where it cannot.

    A negative scale turns the direction of currents and powers round and makes no sense elsewhere.
    """
    for line in range(1, phases + 1):
        if f"i{line}" not in registers:
            _fail(spec.key(f"registers.i{line}"), f"the current of L{line} (without it no fuse is protected)", None)
    for name, register in registers.items():
        if phases == 1 and name[1:] in ("2", "3"):
            _fail(spec.key(f"registers.{name}"), "no values of L2 and L3 in a single-phase map", name)
        if register.scale < 0 and name[0] not in "ip":
            _fail(spec.key(f"registers.{name}.scale"), "a positive number", register.scale)


def _detection(spec: _Spec) -> Detection | None:
    entry = spec.raw("detect")
    if entry is None:
        return None
    path = spec.key("detect")
    detect = _Spec(path, entry, ("fc", "addr", "type", "match", "values", "also"))
    also = detect.raw("also", {})
    if not isinstance(also, Mapping):
        _fail(f"{path}.also", "keys with values", also)
    fc = detect.whole("fc", 3, 4) or spec.whole("fc", 3, 4)
    probes = {name: _probe(f"{path}.also.{name}", value, fc) for name, value in also.items()}
    main = {key: value for key, value in entry.items() if key != "also"}
    return Detection(probe=_probe(path, main, fc), also=MappingProxyType(probes))


def _probe(path: str, entry: object, default_fc: int | None) -> Probe:
    spec = _Spec(path, entry, ("fc", "addr", "type", "match", "values"))
    fc = spec.whole("fc", 3, 4) or default_fc
    if fc is None:
        _fail(f"{path}.fc", "3 or 4", None)
    addresses = spec.raw("addr")
    addresses = tuple(addresses) if isinstance(addresses, list) else (addresses,)
    if not addresses or not all(isinstance(addr, int) and 0 <= addr <= 65535 for addr in addresses):
        _fail(f"{path}.addr", "an address from 0 to 65535, or a list of them", spec.raw("addr"))
    kind = spec.text("type") or ""
    if kind not in WORDS_OF_TYPE and not re.fullmatch(r"string:[1-9]\d?", kind):
        _fail(f"{path}.type", f"string:N or one of {', '.join(WORDS_OF_TYPE)}", kind)
    match = spec.text("match")
    try:
        re.compile(match or "")
    except re.error as error:
        _fail(f"{path}.match", f"a regular expression ({error})", match)
    values = spec.raw("values", {})
    if not isinstance(values, Mapping) or not all(isinstance(number, int) for number in values):
        _fail(f"{path}.values", "meanings by number", values)
    meanings = {number: str(meaning) for number, meaning in values.items()}
    return Probe(fc=fc, addresses=addresses, type=kind, match=match, values=MappingProxyType(meanings))
