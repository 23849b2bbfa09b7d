"""The holding registers by which a limit comes from outside over Modbus; docs/limits.md has the map. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

LIMIT, VALID_FOR, IN_FORCE, STATE, LEFT = range(5)
COUNT = 5
NONE = 0xFFFF
HIGHEST_DA = 60_000  # tenths of an ampere


class State(IntEnum):
    """What register `STATE` says."""

    NONE = 0
    VALID = 1
    FALLBACK = 2
    RUN_OUT = 3


class NoSuchRegister(Exception):
    """A register can only be read."""


class OutOfRange(Exception):
    """A register cannot have the value that was to be written."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was written: `limit_a` None lifts the limit; `is_limit` False: it was the time of validity alone."""

    is_limit: bool
    limit_a: float | None
    valid_for_s: int | None


def wish_of(address: int, values: Sequence[int]) -> Wish:
    """Read a write from a register on. Raises NoSuchRegister or OutOfRange, and then nothing of it holds."""
    written = dict(enumerate(values, start=address))
    if not written.keys() <= {LIMIT, VALID_FOR}:
        raise NoSuchRegister
    limit_da, valid_for_s = written.get(LIMIT), written.get(VALID_FOR)
    if valid_for_s == 0 or (limit_da is not None and limit_da != NONE and limit_da > HIGHEST_DA):
        raise OutOfRange
    limit_a = None if limit_da in (None, NONE) else limit_da / 10
    return Wish(limit_da is not None, limit_a, valid_for_s)


def registers_of(
    *, limit_a: float | None, valid_for_s: int, in_force_a: float | None, state: State, left_s: float
) -> list[int]:
    """Lay the registers out; `left_s`: how long the limit still holds."""
    return [
        _tenths(limit_a),
        min(valid_for_s, 0xFFFF),
        _tenths(in_force_a),
        int(state),
        min(max(0, int(left_s)), 0xFFFF),
    ]


def _tenths(current_a: float | None) -> int:
    return NONE if current_a is None else int(current_a * 10 + 1e-6)
