"""What is wrong with a file or a cell: a sentence and its values, put into words where it is shown."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

SHOWN = 60  # characters of a cell that are quoted
MOST_LISTED = 10

Fault = tuple[str, dict[str, Any]]  # an English sentence that is translated, and what stands in its gaps


class FileRefused(Exception):
    """A file cannot be imported; `fault` says why and what to do."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence % values)
        self.fault: Fault = (sentence, values)


def in_words(fault: Any) -> str:
    """Say it in the reader's language. `fault` may come from JSON, which keeps no tuples."""
    sentence, values = fault
    return str(_(sentence) % values)


def shortened(cell: str) -> str:
    """Return as much of a cell as is quoted."""
    return cell if len(cell) <= SHOWN else f"{cell[:SHOWN]}…"


def listed(things: Sequence[Any]) -> str:
    """Name the first of some things: a row may be there a hundred thousand times."""
    return ", ".join(map(str, things[:MOST_LISTED])) + (", …" if len(things) > MOST_LISTED else "")
