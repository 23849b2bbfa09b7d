"""The rows of the table: one for each certification case."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Play = Callable[[Any, Any], Awaitable[None]]


class Lacking(AssertionError):
    """Exactly what the row says is missing."""


@dataclass(frozen=True)
class Case:
    """One case; where it does not pass, `why` says why, and it raises Lacking for that and nothing else."""

    number: str
    area: str
    name: str
    play: Play
    why: str = ""

    @property
    def identity(self) -> str:
        """Its number as OCA writes it, which is also the identity of its station."""
        return f"TC_{self.number}_CSMS"

    def __str__(self) -> str:
        return f"{self.identity} {self.area}: {self.name}"


def entering(rows: list[Case]) -> Callable[..., Callable[[Play], Play]]:
    """Make the decorator that enters a function as the next case into `rows`."""

    def case(number: str, area: str, name: str, why: str = "") -> Callable[[Play], Play]:
        def enter(play: Play) -> Play:
            rows.append(Case(number, area, name, play, why))
            return play

        return enter

    return case
