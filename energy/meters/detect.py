"""Recognise a meter by what it answers to the probes of registers.yaml. Pure: the caller brings the answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from energy.meters.base import (
    WORDS_OF_TYPE,
    Block,
    Detection,
    MeterError,
    MeterMap,
    MeterRefused,
    MeterUnreachable,
    Probe,
    Register,
)
from energy.meters.decode import number
from energy.meters.maps import load_maps
from energy.meters.sunspec import resolve

# A gateway that says so answers for a unit that is not there (Modbus Application Protocol 1.1b3 §7).
NOBODY_THERE = frozenset({10, 11})

Fetch = Callable[[Block], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What answered: its map and what it says of itself. Map None: it speaks Modbus, and no probe knows it."""

    map: MeterMap | None
    label: str


class _Asked:
    """The answers of one unit, each asked for once; silence is counted."""

    def __init__(self, fetch: Fetch, patience: int) -> None:
        self._fetch, self._patience = fetch, patience
        self._answers: dict[Block, Sequence[int] | None] = {}
        self.has_answered = False

    @property
    def is_given_up(self) -> bool:
        """Say whether nothing came to as many requests as may stay without an answer."""
        return not self.has_answered and len(self._answers) >= self._patience

    def words(self, block: Block) -> Sequence[int] | None:
        """Read a block; None: refused, silent or given up."""
        if block not in self._answers and not self.is_given_up:
            self._answers[block] = self._read(block)
        return self._answers.get(block)

    def _read(self, block: Block) -> Sequence[int] | None:
        try:
            words = self._fetch(block)
        except MeterRefused as refusal:
            self.has_answered |= refusal.code not in NOBODY_THERE
            return None
        except MeterUnreachable:
            return None
        self.has_answered = True
        return words


def recognise(fetch: Fetch, *, patience: int = 3) -> Recognised | None:
    """Find out which meter answers; None where nobody does.

    `fetch` reads one block of one unit; it raises MeterRefused on an exception answer, MeterUnreachable on silence.
    `patience`: requests without any answer before the unit counts as not there. Some meters stay silent on a request
    for registers that they do not have, so that one is not enough.
    """
    asked = _Asked(fetch, patience)
    for meter_map in _recognisable():
        detection = meter_map.detect
        if detection is None or asked.is_given_up:
            continue
        label = _matched(detection, asked, meter_map)
        if label is None or (meter_map.sunspec and not _is_sunspec_meter(meter_map, fetch)):
            continue
        return Recognised(_named(label, meter_map), label)
    return Recognised(None, "") if asked.has_answered else None


@cache
def _recognisable() -> tuple[MeterMap, ...]:
    """List the maps whose probe decides: one that is only worth showing proves nothing."""
    return tuple(
        meter_map
        for meter_map in load_maps().values()
        if meter_map.detect and (meter_map.detect.probe.match is not None or meter_map.detect.probe.values)
    )


def _matched(detection: Detection, asked: _Asked, meter_map: MeterMap) -> str | None:
    """Give what the deciding probe reads, if it and all further ones that can tell speak for this map."""
    label = _label(detection.probe, asked, meter_map)
    if label is None:
        return None
    for probe in detection.also.values():
        decides = probe.match is not None or probe.values
        if decides and list(_answers(probe, asked, meter_map)) and not _label(probe, asked, meter_map):
            return None
    return label


def _label(probe: Probe, asked: _Asked, meter_map: MeterMap) -> str | None:
    """Give the text of a probe, or what its number means; None where none of its addresses matches."""
    for answer in _answers(probe, asked, meter_map):
        if isinstance(answer, str):
            if probe.match is not None and re.search(probe.match, answer):
                return answer.strip()
        elif answer in probe.values:
            return probe.values[answer]
    return None


def _answers(probe: Probe, asked: _Asked, meter_map: MeterMap) -> Iterator[str | int]:
    """Give text or number at each address that answers."""
    is_text = probe.type.startswith("string:")
    count = int(probe.type.removeprefix("string:")) if is_text else WORDS_OF_TYPE[probe.type]
    for addr in probe.addresses:
        words = asked.words(Block(probe.fc, addr, count))
        if words is None:
            continue
        if is_text:
            raw = b"".join(word.to_bytes(2, "big") for word in words)
            yield raw.split(b"\0")[0].decode("ascii", "replace")
        else:
            keyed = {(probe.fc, addr + offset): word for offset, word in enumerate(words)}
            found = number(Register(probe.fc, addr, probe.type), meter_map.order, keyed)
            if isinstance(found, int):
                yield found


def _is_sunspec_meter(meter_map: MeterMap, fetch: Fetch) -> bool:
    """Say whether a SunSpec device has a meter model: inverters have the same beginning."""
    try:
        resolve(meter_map, fetch)
    except MeterError:
        return False
    return True


def _named(label: str, matched: MeterMap) -> MeterMap:
    """Choose within the vendor's maps the one with the longest model name that the label begins with.

    Families share a probe and differ in what they can: one of them may even be refused.
    """
    own = [found for found in load_maps().values() if found.vendor == matched.vendor]
    names = [(_plain(model), found) for found in own for model in found.models]
    fitting = [(name, found) for name, found in names if _plain(label).startswith(name)]
    return max(fitting, key=lambda pair: len(pair[0]))[1] if fitting else matched


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
