"""The text of a file as rows: separator, heading, and the lines they begin on."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from badges.csv_files.faults import FileRefused, shortened

NUMBER, TYPE, COMMENT, EXPIRY, EMAIL = COLUMNS = ("badgeId", "type", "comment", "expirationDate", "email")
SEPARATORS = (",", ";", "\t")
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file; `extra` is what stands beyond the last column."""

    line: int
    cells: dict[str, str]
    extra: str


@dataclass(frozen=True, slots=True)
class Heading:
    """The columns of a file in their order, what separates them, and how many lines they take."""

    columns: list[str]
    separator: str
    lines: int


def read_heading(text: str) -> Heading:
    """Find the first line with something in it. Raises FileRefused where it does not name our columns."""
    for count, line in enumerate(io.StringIO(text, newline=""), start=1):
        # "sep=;" is for Excel, not for people.
        if line.strip(",;\t\r\n ") and not line.lower().startswith("sep="):
            return Heading(*_columns(line.rstrip("\r\n")), lines=count)
    raise FileRefused(gettext_noop("The file is empty. Nothing was changed."))


def _columns(line: str) -> tuple[list[str], str]:
    known = {name.lower(): name for name in COLUMNS}
    separator = max(SEPARATORS, key=lambda separator: len(known.keys() & set(_names(line, separator))))
    names = _names(line, separator)
    while names and not names[-1]:
        names.pop()
    strange = [name for name in names if name not in known]
    if NUMBER.lower() not in names:
        raise FileRefused(
            gettext_noop(
                "The first line does not name the columns: it should be %(expected)s, but it is “%(found)s”. "
                "Nothing was changed. Download the template and fill it in."
            ),
            expected=",".join(COLUMNS),
            found=shortened(line.strip()),
        )
    if strange:
        raise FileRefused(
            gettext_noop(
                "The file has %(count)d columns that are not known, the first is “%(name)s”. Nothing was changed. "
                "Keep the columns %(expected)s and delete the others."
            ),
            count=len(strange),
            name=shortened(strange[0]),
            expected=", ".join(COLUMNS),
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FileRefused(
            gettext_noop("The first line names the column “%(name)s” twice. Nothing was changed. Delete one of them."),
            name=known[twice],
        )
    return [known[name] for name in names], separator


def _names(line: str, separator: str) -> list[str]:
    """Return the names of a heading, in small letters."""
    return [name.strip().strip('"').strip().lower() for name in line.split(separator)]


def read_rows(text: str, heading: Heading) -> Iterator[Row]:
    """Give every row with something in it. Raises FileRefused where quotes are wrong or there are too many rows."""
    lines = io.StringIO(text, newline="")
    for _line in range(heading.lines):
        next(lines)
    reader = csv.reader(lines, delimiter=heading.separator, strict=True)
    width, count = len(heading.columns), 0
    while True:
        line = heading.lines + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise _wrong_quotes(line) from None
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        count += 1
        if count > MOST_ROWS:
            raise FileRefused(
                gettext_noop(
                    "The file has more than %(most)d rows. Nothing was changed. Divide it and import the parts."
                ),
                most=MOST_ROWS,
            )
        cells += [""] * (width - len(cells))
        extra = heading.separator.join(cells[width:]).strip(heading.separator)
        yield Row(line, dict(zip(heading.columns, map(bare, cells), strict=False)), shortened(extra))


def _wrong_quotes(line: int) -> FileRefused:
    return FileRefused(
        gettext_noop(
            "A quotation mark in the row that begins on line %(line)d does not end, or something follows it. "
            "Nothing was changed. Correct the row in the spreadsheet and save it again as CSV."
        ),
        line=line,
    )


def write_table(rows: Iterable[Iterable[str]], separator: str) -> bytes:
    """Write rows as a file that spreadsheets open with a double click: UTF-8 with a mark, CRLF, formulas defused."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator).writerows([defused(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8-sig")


# --- formulas: a spreadsheet would run a cell that begins like one (OWASP, CSV injection)

_KEPT_TEXT = re.compile(r'="([^"]*)"')
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def defused(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula; `bare` takes it away again."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def bare(cell: str) -> str:
    """Take away the apostrophe that `defused` put there, or the ="…" by which spreadsheets keep zeros."""
    if cell[:1] == "'" and cell.lstrip("'").startswith(FORMULA):
        return cell[1:]
    kept = _KEPT_TEXT.fullmatch(cell)
    return kept[1] if kept else cell
