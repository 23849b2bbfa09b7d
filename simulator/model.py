"""What a make of station can do, how it may fail, and what is told about it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from .link import Payload
from .profiles import KINDS, PURPOSES

Fault = Literal["none", "ignore", "reject", "late", "silent", "odd"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True, slots=True)
class Model:
    """What a make of station can do, and how it does it; the default can all of OCPP 1.6.

    No `purposes` means that it knows no smart charging. A station that does not measure reports Current.Offered alone.
    """

    vendor: str = "Simulated"
    name: str = "Garage 22"
    purposes: tuple[str, ...] = PURPOSES
    kinds: tuple[str, ...] = KINDS
    units: tuple[str, ...] = ("A", "W")
    top_stack_level: int = 8
    largest_schedule: int = 24
    step_a: float = 0.1
    measures: bool = True
    authorizes: bool = True
    default_needs_new_transaction: bool = False
    late_s: float = 20.0


class Event(NamedTuple):
    """A message on the wire, seen by the station: direction "in" or "out"; replies are named `<Action>Response`."""

    at: float
    station: str
    direction: str
    action: str
    payload: Payload
