"""An export as CSV or JSON, in pieces; `exports.spreadsheet` writes XLSX."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import tzinfo

import orjson

from exports.columns import COLUMNS, NOT_AVAILABLE, Row, cells_of
from exports.rows import pages_of
from exports.spreadsheet import as_xlsx

Writer = Callable[[Iterator[Row], tzinfo], Iterator[bytes]]


def as_csv(rows: Iterator[Row], zone: tzinfo) -> Iterator[bytes]:
    """Write comma separated values in UTF-8 (RFC 4180)."""
    yield write_csv([COLUMNS])
    for page in pages_of(rows):
        yield write_csv(cells_of(row, zone) for row in page)


def write_csv(lines: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> bytes:
    """Write some lines of comma separated values."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def as_json(rows: Iterator[Row], zone: tzinfo) -> Iterator[bytes]:
    """Write one array with an object a row; times are ISO 8601 with their offset, what is not known is null."""
    yield b"["
    separator = b"\n"
    for page in pages_of(rows):
        objects = b",\n".join(orjson.dumps(_object(row, zone)) for row in page)
        yield separator + objects
        separator = b",\n"
    yield b"\n]\n"


def _object(row: Row, zone: tzinfo) -> dict[str, object]:
    stopped_at = row.stopped_at and row.stopped_at.astimezone(zone).isoformat(timespec="seconds")
    values = (
        row.number,
        row.mac_address or None,
        row.station or NOT_AVAILABLE,
        row.started_at.astimezone(zone).isoformat(timespec="seconds"),
        stopped_at,
        row.id_tag or None,
        row.badge_name or NOT_AVAILABLE,
        None if row.energy_wh is None else row.energy_wh / 1000,
    )
    return dict(zip(COLUMNS, values, strict=True))


FORMATS: dict[str, tuple[str, Writer]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
    "json": ("application/json", as_json),
}
