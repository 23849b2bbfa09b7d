"""OCPP-J frames: text to message and back (OCPP-J 1.6 §4.2), pure."""

from dataclasses import dataclass
from typing import Any

import orjson

from stations.ocpp16.lenient import read_leniently

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
LONGEST_DESCRIPTION = 255


class OcppError(Exception):
    """An error that goes on the wire as CALLERROR (OCPP-J 1.6 §4.2.3); `code` is one of its error codes."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class UnreadableFrame(OcppError):
    """A frame that is no OCPP-J message; `message_id` is None where not even that could be read."""

    def __init__(self, description: str, message_id: str | None = None) -> None:
        super().__init__("FormationViolation", description)
        self.message_id = message_id


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    message_id: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallResult:
    """An answer."""

    message_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallError:
    """A refusal."""

    message_id: str
    code: str
    description: str


def parse(text: str | bytes) -> Call | CallResult | CallError:
    """Read a frame; raises UnreadableFrame saying what is wrong with it.

    Message ids that are numbers and a missing payload occur in the field and are understood.
    """
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            frame = read_leniently(text)
        except ValueError:
            raise UnreadableFrame(f"not JSON: {error}") from None
    if not isinstance(frame, list) or len(frame) < 2:
        raise UnreadableFrame("expected an array of at least two elements")
    kind, message_id = frame[0], frame[1]
    if isinstance(message_id, bool) or not isinstance(message_id, str | int):
        raise UnreadableFrame("the message id must be a string")
    message_id = str(message_id)
    if kind == CALL:
        if len(frame) < 3 or not isinstance(frame[2], str):
            raise UnreadableFrame("a CALL needs an action", message_id)
        return Call(message_id, frame[2], _mapping(frame, 3, message_id))
    if kind == CALL_RESULT:
        try:
            return CallResult(message_id, _mapping(frame, 2, message_id))
        except UnreadableFrame as error:  # it is an answer all the same, and nobody answers an answer
            return CallError(message_id, error.code, error.description)
    if kind == CALL_ERROR:
        code, description = (_plain(part) for part in [*frame[2:4], "", ""][:2])
        return CallError(message_id, code, description)
    shown = kind if isinstance(kind, int | float) else type(kind).__name__
    raise UnreadableFrame(f"unknown message type {shown}", message_id)


def _plain(part: Any) -> str:
    """Return a part of an error as any database keeps it."""
    return part.replace("\x00", "")[:LONGEST_DESCRIPTION] if isinstance(part, str) else ""


def _mapping(frame: list[Any], index: int, message_id: str) -> dict[str, Any]:
    """Return the payload at `index`; a missing or null one is empty."""
    payload = frame[index] if len(frame) > index else None
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise UnreadableFrame("the payload must be an object", message_id)
    return payload


def call(message_id: str, action: str, payload: dict[str, Any]) -> str:
    """Write a CALL."""
    return orjson.dumps([CALL, message_id, action, payload]).decode()


def call_result(message_id: str, payload: dict[str, Any]) -> str:
    """Write a CALLRESULT."""
    return orjson.dumps([CALL_RESULT, message_id, payload]).decode()


def call_error(message_id: str, code: str, description: str) -> str:
    """Write a CALLERROR; the description is cut to the 255 characters OCPP-J allows."""
    return orjson.dumps([CALL_ERROR, message_id, code, description[:LONGEST_DESCRIPTION], {}]).decode()
