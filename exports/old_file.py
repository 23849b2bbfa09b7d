"""Reading the history of an old device, or an export of our own: what its rows say, and its known faults undone.

The device writes energy in Wh under a heading that says kWh, 01/01/1970 01:00 where a transaction has not ended, and
energy below zero as 2^32 less (SPEC S31). Excel may have saved the file again: with semicolons, decimal commas, and in
Windows-1252 or UTF-16. Pure.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from exports.columns import COLUMNS, NOT_AVAILABLE, undo_defuse

LONGEST_TEXT = 255
WRAPPED_WH = 2**31  # no car takes that: it is less than nothing, counted in 32 bits
LARGEST_NUMBER = 2**63 - 1
_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) +(\d{1,2}):(\d{2})(?::\d{2})?")
_ENERGY = re.compile(r"-?\d{1,15}([.,]\d{1,9})?")


class Flag(StrEnum):
    """What was amiss with a row and is undone, or has to be taken with care."""

    NOT_ENDED = "not_ended"
    ENERGY_WRAPPED = "energy_wrapped"
    CLOCK_CHANGE = "clock_change"


class Why(StrEnum):
    """Why a row cannot be imported."""

    CELLS = "cells"
    NUMBER = "number"
    START = "start"
    STOP = "stop"
    ORDER = "order"
    ENERGY = "energy"
    TEXT = "text"


class NoHistory(Exception):
    """A file is no history: it lacks the columns, or cannot be read at all."""


class OldRow(NamedTuple):
    """One row, repaired. Times are UTC; empty texts and None: not known."""

    number: int
    station_mac_address: str
    station_name: str
    started_at: datetime
    stopped_at: datetime | None
    id_tag: str
    badge_name: str
    energy_wh: int | None
    flags: tuple[Flag, ...]

    @property
    def key(self) -> tuple[int, str, datetime, str]:
        """What makes it this transaction and no other: a device that was reset counts from 1 again."""
        return self.number, self.station_mac_address, self.started_at, self.id_tag


class WrongRow(NamedTuple):
    """A row that is left out: why, and the cell."""

    why: Why
    cell: str


class Cells(NamedTuple):
    """A row as it stands in the file; `texts` are in the order of COLUMNS, fewer where it breaks off."""

    line: int
    texts: tuple[str, ...]


def decode(data: bytes) -> str:
    """Read the text of a file as spreadsheets leave it; raises NoHistory where it is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise NoHistory
    return text


def cells_in(text: str) -> Iterator[Cells]:
    """Give the rows of a file, without empty ones; raises NoHistory where it has not the eight columns."""
    lines = io.StringIO(text, newline="")
    for heading in lines:
        if heading.strip() and not heading.lower().startswith("sep="):
            break
    else:
        raise NoHistory
    delimiter = max(",;\t", key=heading.count)
    try:
        names = [name.strip().lower() for name in next(csv.reader([heading], delimiter=delimiter))]
        order = [names.index(name.lower()) for name in COLUMNS]
    except (ValueError, csv.Error):
        raise NoHistory from None
    before = text[: lines.tell()].count("\n")
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield Cells(before + reader.line_num, tuple(cells[i].strip(" ") for i in order if i < len(cells)))
    except csv.Error:
        raise NoHistory from None


def says_wh(text: str) -> bool:
    """Say whether energy is meant in Wh: the device writes whole numbers, kWh have decimals somewhere."""
    return not any(len(cells.texts) == len(COLUMNS) and set(cells.texts[-1]) & set(".,") for cells in cells_in(text))


def read_row(texts: tuple[str, ...], zone: tzinfo, *, is_wh: bool) -> OldRow | WrongRow:
    """Read one row, or say why it cannot be one."""
    if len(texts) < len(COLUMNS):
        return WrongRow(Why.CELLS, "")
    number, mac_address, station, start, stop, id_tag, badge, energy = texts
    if not (number.isascii() and number.isdecimal() and int(number) <= LARGEST_NUMBER):
        return WrongRow(Why.NUMBER, number)
    names = [_name(text) for text in (mac_address, station, id_tag, badge)]
    too_long = next((name for name in names if len(name) > LONGEST_TEXT), None)
    if too_long is not None:
        return WrongRow(Why.TEXT, too_long)
    flags: list[Flag] = []
    started_at = _moment(start, zone)
    if started_at is None or started_at.year <= 1970:
        return WrongRow(Why.START, start)
    stopped_at = _moment(stop, zone)
    if stopped_at is None and stop:
        return WrongRow(Why.STOP, stop)
    energy_wh = _energy_wh(energy, is_wh=is_wh)
    if energy_wh is None and energy:
        return WrongRow(Why.ENERGY, energy)
    if stopped_at is not None and stopped_at.year <= 1970:
        flags.append(Flag.NOT_ENDED)
        stopped_at, energy_wh = None, energy_wh or None
    if energy_wh is not None and (energy_wh < 0 or energy_wh >= WRAPPED_WH):
        flags.append(Flag.ENERGY_WRAPPED)
        energy_wh = None
    if stopped_at is not None and stopped_at.astimezone(UTC) < started_at.astimezone(UTC):
        stopped_at = stopped_at.replace(fold=1)  # the second of the two hours when summer time ends
        if stopped_at.astimezone(UTC) < started_at.astimezone(UTC):
            return WrongRow(Why.ORDER, stop)
    if any(at is not None and _is_at_change(at) for at in (started_at, stopped_at)):
        flags.append(Flag.CLOCK_CHANGE)
    end = stopped_at and stopped_at.astimezone(UTC)
    mac_address, station, id_tag, badge = names
    return OldRow(
        int(number), mac_address, station, started_at.astimezone(UTC), end, id_tag, badge, energy_wh, tuple(flags)
    )


def _name(text: str) -> str:
    return "" if text == NOT_AVAILABLE else undo_defuse(text)


def _moment(text: str, zone: tzinfo) -> datetime | None:
    """Read a time on the clock of the garage; None for what is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, tzinfo=zone) if 1969 <= year < 3000 else None
    except ValueError:
        return None


def _is_at_change(at: datetime) -> bool:
    """Say whether a clock shows a time twice in that night, or never."""
    return at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()


def _energy_wh(text: str, *, is_wh: bool) -> int | None:
    """Read energy, rounded to Wh; None for what is none."""
    if not _ENERGY.fullmatch(text):
        return None
    value = Decimal(text.replace(",", "."))
    return round(value if is_wh else value * 1000)
