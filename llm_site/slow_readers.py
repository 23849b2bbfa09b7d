"""Pages and files that are sent in pieces wait for whoever reads slowly: what is not read yet would fill the memory.

Daphne takes every piece at once. Twisted tells a producer when a connection has more than it can send.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Unsent:
    """Told by Twisted when a connection has enough, and when it has sent that."""

    def __init__(self) -> None:
        self._is_sent = asyncio.Event()
        self._is_sent.set()

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's names)
        """It has enough."""
        self._is_sent.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """It can send more."""
        self._is_sent.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone: nobody waits for it any more."""
        self._is_sent.set()

    async def drained(self) -> None:
        """Wait until more can be sent."""
        await self._is_sent.wait()


def patiently(request: Any, send: Send) -> Send:
    """Wrap the `send` of an HTTP request (Daphne's WebRequest) so that each piece waits until it can be sent."""
    unsent: Unsent | None = None

    async def send_piece(message: dict[str, Any]) -> None:
        nonlocal unsent
        is_piece = message["type"] == "http.response.body" and message.get("more_body", False)
        if is_piece and unsent is None and request.channel is not None:
            unsent = Unsent()
            request.registerProducer(unsent, True)
        elif not is_piece and unsent is not None and request.producer is unsent and request.channel is not None:
            request.unregisterProducer()
        await send(message)
        if is_piece and unsent is not None:
            await unsent.drained()

    return send_piece
