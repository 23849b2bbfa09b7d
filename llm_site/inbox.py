"""What a socket has sent and nobody has taken yet: bounded, and taken no faster than is fair to the other sockets.

OCPP lets a station send its next call when it has the answer to the last (OCPP-J 1.6 §4.1.1), so that hardly anything
ever waits here. A station that sends without waiting is read no further while enough waits, and between two of its
frames the others have their turn: it never has more than a third of the process.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

MOST_FRAMES, MOST_BYTES = 64, 256 * 1024
OTHERS_SHARE = 2  # times as long as a frame took
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 2.0

Event = dict[str, Any]


class Inbox:
    """The frames of one socket between the wire and the application; `on_room` is called while it has room again."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._taken_at: float | None = None
        self._owed_s = 0.0
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Say whether the socket is to be read no further for now."""
        return len(self._sizes) >= MOST_FRAMES or self._bytes >= MOST_BYTES

    def arrived(self, size: int) -> None:
        """Count a frame that was put into the application's queue."""
        self._sizes.append(size)
        self._bytes += size

    def watching(self, receive: Callable[[], Awaitable[Event]]) -> Callable[[], Awaitable[Event]]:
        """Wrap an application's `receive`: it gives way to others first, then makes room for what comes next."""

        async def take() -> Event:
            await self._give_way()
            event = await receive()
            self._taken_at = time.monotonic()
            if event["type"] == "websocket.receive":
                self._bytes -= self._sizes.popleft()
                if len(self._sizes) <= MOST_FRAMES // 2:
                    self._on_room()
            return event

        return take

    async def _give_way(self) -> None:
        """Pause for twice as long as a frame took when the next one waits already."""
        if self._taken_at is None or not self._sizes or self.is_closed:
            self._owed_s = 0.0
            return
        self._owed_s += OTHERS_SHARE * (time.monotonic() - self._taken_at)
        if self._owed_s >= SHORTEST_PAUSE_S:
            pause_s, self._owed_s = min(self._owed_s, LONGEST_PAUSE_S), 0.0
            await asyncio.sleep(pause_s)
