"""One cell at a time: what people and spreadsheets write for a badge number, a type, a day, an e-mail address.

What cannot be read is a ValidationError: its message is an English sentence, translated where it is shown.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_noop

from badges.csv_files.faults import shortened
from badges.numbers import without_separators

LONGEST_NUMBER, LONGEST_COMMENT, LONGEST_EMAIL = 20, 200, 254  # characters

# What programs write where there is nothing, in three languages.
NOTHING = frozenset(("", "-", "–", "n/a", "#n/a", "#nv", "null", "none", "(blank)", "(vide)", "(leer)"))

_SCIENTIFIC = re.compile(r"\d+([.,]\d+)?E\+\d+|\d+[.,]\d+E-?\d+", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_NAMED_MONTH = re.compile(r"(\d{1,2})(?:er)?[-. ]{1,2}([^\W\d_]+)\.?[-. ]{1,2}(\d{4}|\d{2})")
_MIDNIGHT = re.compile(r"[T ]0{1,2}:00(:00)?$")
_SERIAL = re.compile(r"\d{5}")
_NO_YEAR = re.compile(r"\d{1,2}[-. /]{1,2}([^\W\d_]+\.?|\d{1,2}\.?)|[^\W\d_]+\.?[- ]\d{1,2}")

# As Excel and LibreOffice shorten them; a name in full begins with one of these.
MONTHS = {
    1: ("jan",),
    2: ("feb", "fev"),
    3: ("mar", "mrz", "maer", "mär"),
    4: ("apr", "avr"),
    5: ("may", "mai"),
    6: ("jun", "juin"),
    7: ("jul", "juil"),
    8: ("aug", "aou"),
    9: ("sep",),
    10: ("oct", "okt"),
    11: ("nov",),
    12: ("dec", "dez"),
}
_PLAIN = str.maketrans("éèêûç", "eeeuc")

TYPES = {
    "standard": "standard",
    "supervisor": "supervisor",
    "superuser": "supervisor",
    "superviseur": "supervisor",
    "pending": "pending",
}


def _wrong(sentence: str, **values: Any) -> ValidationError:
    return ValidationError(sentence, params=values)


def read_number(cell: str) -> str:
    """Read a badge number."""
    if not cell:
        raise _wrong(gettext_noop("There is no badge number."))
    if _SCIENTIFIC.fullmatch(cell):
        raise _wrong(
            gettext_noop(
                "The spreadsheet has turned the badge number into “%(cell)s”, and its digits are lost. "
                "Format the column badgeId as text, then type or paste the number again."
            ),
            cell=shortened(cell),
        )
    cell = without_separators(cell)
    if len(cell) > LONGEST_NUMBER:
        raise _wrong(
            gettext_noop("“%(cell)s” is too long: a badge number has at most %(most)d characters."),
            cell=shortened(cell),
            most=LONGEST_NUMBER,
        )
    if not cell.isprintable():
        raise _wrong(
            gettext_noop("“%(cell)s” holds a character that cannot be printed: type the badge number again."),
            cell="".join(character if character.isprintable() else "?" for character in cell),
        )
    if not cell.isascii():
        raise _wrong(
            gettext_noop("A badge number has letters without accents, digits and signs alone, as stations send it.")
        )
    return cell


def read_type(cell: str) -> str | None:
    """Read a type in any case; None where there is none."""
    if cell.lower() in NOTHING:
        return None
    kind = TYPES.get(cell.lower())
    if kind is None:
        raise _wrong(
            gettext_noop("“%(cell)s” is no type of badge: write STANDARD or SUPERVISOR."),
            cell=shortened(cell),
        )
    return kind


def read_comment(cell: str) -> str:
    """Read a comment."""
    if len(cell) > LONGEST_COMMENT:
        raise _wrong(
            gettext_noop("The comment has %(count)d characters: shorten it to %(most)d."),
            count=len(cell),
            most=LONGEST_COMMENT,
        )
    return cell


def read_email(cell: str) -> str:
    """Read an e-mail address."""
    if cell.lower() in NOTHING:
        return ""
    try:
        if len(cell) > LONGEST_EMAIL:
            raise ValidationError("")
        validate_email(cell)
    except ValidationError:
        raise _wrong(gettext_noop("“%(cell)s” is not an e-mail address."), cell=shortened(cell)) from None
    return cell


# --- days


def is_month_first(cell: str) -> bool:
    """Say whether a day is written the American way beyond doubt: 01/30/2023."""
    found = _DAY_FIRST.fullmatch(_MIDNIGHT.sub("", cell))
    return found is not None and found[2] == "/" and int(found[1]) <= 12 < int(found[3])


def read_day(cell: str, *, is_file_month_first: bool = False) -> date | None:
    """Read a day; None where there is none. Nothing is guessed.

    `is_file_month_first`: the file has a day that is written the American way, so that 01/02/2023 may be either.
    """
    cell = _MIDNIGHT.sub("", cell)
    if cell.lower() in NOTHING:
        return None
    if found := _YEAR_FIRST.fullmatch(cell):
        return _day(cell, int(found[1]), int(found[3]), int(found[4]))
    if found := _DAY_FIRST.fullmatch(cell):
        return _day_first(cell, found, is_file_month_first)
    if found := _NAMED_MONTH.fullmatch(cell):
        return _day(cell, _year(found[3]), _month(cell, found[2]), int(found[1]))
    if _SERIAL.fullmatch(cell):
        raise _wrong(
            gettext_noop(
                "“%(cell)s” is a day as a spreadsheet counts it. Format the column expirationDate as a date, "
                "then save the file again."
            ),
            cell=cell,
        )
    if _NO_YEAR.fullmatch(cell):
        raise _wrong(gettext_noop("“%(cell)s” has no year: write the day like 30.01.2023."), cell=shortened(cell))
    raise _no_day(cell)


def _day_first(cell: str, found: re.Match[str], is_file_month_first: bool) -> date:
    first, separator, second = int(found[1]), found[2], int(found[3])
    if separator == "-" and len(found[4]) == 2:
        raise _wrong(gettext_noop("“%(cell)s” can be read in two ways: write the day like 30.01.2023."), cell=cell)
    if is_month_first(cell):
        raise _wrong(
            gettext_noop("“%(cell)s” has the month before the day: write the day like 30.01.2023."),
            cell=cell,
        )
    if separator == "/" and is_file_month_first and first <= 12 and first != second:
        raise _wrong(
            gettext_noop(
                "“%(cell)s” can be read in two ways, and other rows have the month before the day: "
                "write the day like 30.01.2023."
            ),
            cell=cell,
        )
    return _day(cell, _year(found[4]), second, first)


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _month(cell: str, name: str) -> int:
    plain = name.lower()
    for month, names in MONTHS.items():
        if plain.startswith(names) or plain.translate(_PLAIN).startswith(names):
            return month
    raise _no_day(cell)


def _day(cell: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise _no_day(cell) from None


def _no_day(cell: str) -> ValidationError:
    return _wrong(
        gettext_noop("“%(cell)s” is no day of the calendar: write it like 30.01.2023."),
        cell=shortened(cell),
    )


def write_day(day: date | None) -> str:
    """Write a day as the template does."""
    return f"{day.day:02}.{day.month:02}.{day.year:04}" if day else ""


# --- what a spreadsheet may have done unseen


def without_zeros(number: str) -> str:
    """Return the digits of a number without zeros before them; empty where it is no number of digits alone."""
    return number.lstrip("0") if number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER else ""


def spellings(numbers: Iterable[str]) -> dict[str, list[str]]:
    """Collect numbers of digits alone under what is left of them without zeros before them."""
    found: dict[str, list[str]] = {}
    for number in numbers:
        if digits := without_zeros(number):
            found.setdefault(digits, []).append(number)
    return found
