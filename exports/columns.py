"""A row of an export and its eight columns (SPEC S31), named as the device does, and how their cells are written.

Pure. A text that a spreadsheet would take for a formula gets an apostrophe before it; reading takes it off again.
"""

import re
from datetime import datetime, tzinfo
from typing import NamedTuple

COLUMNS = (
    "transactionId",
    "evcsId",
    "evcsName",
    "startDateTransaction",
    "stopDateTransaction",
    "badgeId",
    "badgeName",
    "energyChargedKwh",
)
NOT_AVAILABLE = "N/A"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


class Row(NamedTuple):
    """One charging operation. Times are UTC; empty texts and None: not known.

    `pk` is None for one of an old device, `meter_start_wh` where its station's meter began.
    """

    started_at: datetime
    number: int
    stopped_at: datetime | None
    mac_address: str
    station: str
    id_tag: str
    badge_name: str
    energy_wh: int | None
    pk: int | None
    meter_start_wh: int = 0


def defuse(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def undo_defuse(text: str) -> str:
    """Give the text that `defuse` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet could take a text for a formula."""
    return _FORMULA.match(text) is not None


def write_time(at: datetime | None, zone: tzinfo) -> str:
    """Write DD/MM/YYYY HH:MM as the clock in the garage showed it; empty where it is not known."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{local.day:02}/{local.month:02}/{local.year:04} {local.hour:02}:{local.minute:02}"


def write_energy(energy_wh: int | None) -> str:
    """Write kWh with three decimals; empty where it is not known."""
    return "" if energy_wh is None else f"{energy_wh // 1000}.{energy_wh % 1000:03}"


def cells_of(row: Row, zone: tzinfo) -> tuple[str, ...]:
    """Write one row as texts."""
    return (
        str(row.number),
        defuse(row.mac_address),
        defuse(row.station or NOT_AVAILABLE),
        write_time(row.started_at, zone),
        write_time(row.stopped_at, zone),
        defuse(row.id_tag),
        defuse(row.badge_name or NOT_AVAILABLE),
        write_energy(row.energy_wh),
    )
