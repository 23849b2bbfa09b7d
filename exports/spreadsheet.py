"""An export as XLSX (ECMA-376), in pieces: the libraries write a whole workbook before its first byte can leave."""

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, tzinfo
from itertools import chain, islice
from typing import IO, cast
from xml.sax.saxutils import escape

from exports.columns import COLUMNS, NOT_AVAILABLE, Row, is_formula
from exports.rows import PAGE

ROWS_OF_SHEET = 1_048_575  # below the heading
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 (a spreadsheet's clock has no time zone)
_DAY_S = 86400
_LARGEST_EXACT = 10**15 - 1  # a spreadsheet keeps 15 digits
_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # what follows would be read as one character (ECMA-376-1 §22.9.2.19)
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_XF = 'fillId="0" borderId="0"'
# Formats of cells, by number: 0 as it comes, 1 a time, 2 energy, 3 a text that looks like a formula, 4 the heading.
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/>'
    '<numFmt numFmtId="165" formatCode="0.000"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    f'<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" {_XF}/></cellStyleXfs><cellXfs count="5">'
    f'<xf numFmtId="0" fontId="0" {_XF} xfId="0"/>'
    f'<xf numFmtId="164" fontId="0" {_XF} xfId="0" applyNumberFormat="1"/>'
    f'<xf numFmtId="165" fontId="0" {_XF} xfId="0" applyNumberFormat="1"/>'
    f'<xf numFmtId="0" fontId="0" {_XF} xfId="0" quotePrefix="1"/>'
    f'<xf numFmtId="0" fontId="1" {_XF} xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_COLS = (
    "<cols>"
    + "".join(
        f'<col min="{i}" max="{i}" width="{width}" customWidth="1"/>'
        for i, width in enumerate((13, 19, 24, 20, 20, 20, 24, 18), 1)
    )
    + "</cols>"
)


class _Pipe:
    """Where zipfile writes to; what has gathered is taken out again and again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take what the zip says."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Have nothing to do: zipfile asks for it."""

    def take(self) -> bytes:
        """Give what has gathered."""
        gathered = b"".join(self._parts)
        self._parts.clear()
        return gathered


def as_xlsx(rows: Iterator[Row], zone: tzinfo) -> Iterator[bytes]:
    """Write a workbook; what one sheet cannot hold goes on in the next."""
    pipe = _Pipe()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        book.writestr("xl/styles.xml", _STYLES)
        yield pipe.take()
        sheets, following = 0, next(rows, None)
        while sheets == 0 or following is not None:
            sheets += 1
            ours = rows if following is None else chain([following], rows)
            yield from _sheet(book, pipe, sheets, islice(ours, ROWS_OF_SHEET), zone)
            following = next(rows, None)
        for name, text in _frame(sheets):
            book.writestr(name, text)
    yield pipe.take()


def _sheet(book: zipfile.ZipFile, pipe: _Pipe, number: int, rows: Iterator[Row], zone: tzinfo) -> Iterator[bytes]:
    with book.open(f"xl/worksheets/sheet{number}.xml", "w") as sheet:
        heading = "".join(_text(name, style=4) for name in COLUMNS)
        sheet.write(
            f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" '
            f'topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>{_COLS}<sheetData>'
            f"<row>{heading}</row>".encode()
        )
        while page := list(islice(rows, PAGE)):
            sheet.write("".join(_row(row, zone) for row in page).encode())
            yield pipe.take()
        sheet.write(b"</sheetData></worksheet>")


def _row(row: Row, zone: tzinfo) -> str:
    number = f"<c><v>{row.number}</v></c>" if row.number <= _LARGEST_EXACT else _text(str(row.number))
    return (
        f"<row>{number}{_text(row.mac_address)}{_text(row.station or NOT_AVAILABLE)}"
        f"{_time(row.started_at, zone)}{_time(row.stopped_at, zone)}"
        f"{_text(row.id_tag)}{_text(row.badge_name or NOT_AVAILABLE)}{_energy(row.energy_wh)}</row>"
    )


def _text(text: str, style: int = 0) -> str:
    """Write a text, which is never a formula: also one that is edited or saved as CSV later stays a text."""
    if not text:
        return "<c/>"
    shown = escape(_UNFIT.sub("\ufffd", _ESCAPED.sub("_x005F_", text)))
    style = 3 if is_formula(text) else style
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{shown}</t></is></c>'


def _time(at: datetime | None, zone: tzinfo) -> str:
    """Write a time as the clock in the garage showed it, in whole minutes like the other formats."""
    if at is None:
        return "<c/>"
    since = at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0) - _EPOCH
    return f'<c s="1"><v>{since.days + since.seconds / _DAY_S:.8f}</v></c>'


def _energy(energy_wh: int | None) -> str:
    return "<c/>" if energy_wh is None else f'<c s="2"><v>{energy_wh / 1000:.3f}</v></c>'


def _frame(sheets: int) -> Iterator[tuple[str, str]]:
    """Give what holds the sheets together: it can only be written when their number is known."""
    numbers = range(1, sheets + 1)
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
        )
        + "</Types>",
    )
    yield (
        "_rels/.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews><sheets>'
        + "".join(f'<sheet name="Transactions {n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        + "</sheets></workbook>",
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        + f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    )
