"""The first look at a file as a whole: what one row says about another."""

from dataclasses import dataclass

from django.utils.translation import gettext_noop

from badges.csv_files.cells import is_month_first, spellings
from badges.csv_files.faults import Fault, FileRefused, listed
from badges.csv_files.table import EXPIRY, NUMBER, Heading, Row, read_heading, read_rows


@dataclass(frozen=True, slots=True)
class Survey:
    """What holds for all rows of a file: how many there are, and which days and numbers are to be doubted.

    `repeated`: number in capitals → the lines it stands on. `spelt`: see `cells.spellings`.
    """

    heading: Heading
    total: int
    is_month_first: bool
    repeated: dict[str, list[int]]
    spelt: dict[str, list[str]]

    def faults_of(self, row: Row) -> list[Fault]:
        """Return what is wrong with a row as one among others."""
        faults: list[Fault] = []
        if lines := self.repeated.get(row.cells[NUMBER].upper()):
            sentence = gettext_noop("This badge is on lines %(lines)s: keep one of them.")
            faults.append((sentence, {"lines": listed(lines)}))
        if row.extra:
            sentence = gettext_noop(
                "There is more in this row than the first line has columns: “%(extra)s”. A text with a comma or "
                "semicolon must stand in quotation marks."
            )
            faults.append((sentence, {"extra": row.extra}))
        return faults


def survey(text: str) -> Survey:
    """Look at every row once. Raises FileRefused where the file cannot be imported whatever its cells say."""
    heading, total, is_american = read_heading(text), 0, False
    first: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for row in read_rows(text, heading):
        total += 1
        is_american = is_american or is_month_first(row.cells.get(EXPIRY, ""))
        number = row.cells[NUMBER].upper()
        if number and first.setdefault(number, row.line) != row.line:
            repeated.setdefault(number, [first[number]]).append(row.line)
    if not total:
        raise FileRefused(gettext_noop("The file names the columns, but no badge. Nothing was changed."))
    return Survey(heading, total, is_american, repeated, spellings(first))
