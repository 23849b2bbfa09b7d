"""What a station must not lose: StartTransaction, MeterValues and StopTransaction, sent in order until answered."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .configuration import Configuration
from .link import CallError, Link, LinkLostError, Payload

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Message:
    """A message to be sent; its payload is made at sending, when a late transactionId is known."""

    action: str
    payload: Callable[[], Payload]
    answered: Callable[[Payload], None] | None = None
    refusals: int = 0


class Outbox:
    """The queue of one station; it survives lost links and resets (OCPP 1.6 §3.7)."""

    def __init__(self, link: Link, configuration: Configuration) -> None:
        self._link = link
        self._configuration = configuration
        self._messages: deque[Message] = deque()
        self._filled = asyncio.Event()
        self._open = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Queue a message behind all others."""
        self._messages.append(message)
        self._filled.set()

    def open(self) -> None:
        """Begin to send: the LLM has accepted the station and the link is up."""
        self._open.set()

    def close(self) -> None:
        """Hold everything back until `open`."""
        self._open.clear()

    async def deliver(self) -> None:
        """Send what is queued until cancelled."""
        while True:
            await self._filled.wait()
            await self._open.wait()
            message = self._messages[0]
            try:
                reply = await self._link.call(message.action, message.payload())
            except LinkLostError:
                self.close()
                continue
            except TimeoutError:
                log.warning("%s: no answer to %s, sending it again", self._link.identity, message.action)
                continue
            except CallError as error:
                if not await self._is_worth_another_try(message, error):
                    self._drop_first()
                continue
            self._drop_first()
            if message.answered:
                message.answered(reply)

    async def _is_worth_another_try(self, message: Message, error: CallError) -> bool:
        """Wait longer each time, up to TransactionMessageAttempts (§9.1.25, §9.1.26)."""
        message.refusals += 1
        if message.refusals >= self._configuration.seconds("TransactionMessageAttempts"):
            log.warning("%s: giving up %s: %s", self._link.identity, message.action, error)
            return False
        await asyncio.sleep(message.refusals * self._configuration.seconds("TransactionMessageRetryInterval"))
        return True

    def _drop_first(self) -> None:
        self._messages.popleft()
        if not self._messages:
            self._filled.clear()
