"""Frames on their way into the message log: held here, and written a few seconds later, many at once.

The log is for finding out, not for accounting: at a crash its last seconds are lost, and of a station that says more
than the log holds only the newest are written.
"""

import time
from collections import deque

from stations.message_log import Heard
from stations.models import FRAMES_KEPT

LONGEST = 10_000  # characters; the rest is cut

_held: dict[int, deque[Heard]] = {}


def note(station_id: int, text: str | bytes, *, action: str, is_incoming: bool) -> None:
    """Hold a frame until it is written."""
    held = _held.get(station_id)
    if held is None:
        held = _held[station_id] = deque(maxlen=FRAMES_KEPT)
    held.append(Heard(station_id, time.time(), is_incoming, action, cut(text)))


def cut(text: str | bytes) -> str:
    """Return as much of a frame as the log holds, as text."""
    text = text[:LONGEST]
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def take() -> list[Heard]:
    """Take what is held."""
    frames = [frame for held in _held.values() for frame in held]
    _held.clear()
    return frames
