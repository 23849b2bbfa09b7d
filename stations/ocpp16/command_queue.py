"""The commands one station still has to be sent; lives in the process that holds its socket."""

import asyncio
import logging
from collections import deque
from typing import Any, Protocol

from stations.commanding import note_sent, settle_command
from stations.errors import CommandGivenUp, NoAnswer, StationAway
from stations.models import CommandState
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.operations import is_accepted
from stations.ocpp16.sockets import announce_outcome

logger = logging.getLogger(__name__)


class Call(Protocol):
    """`StationConsumer.call`."""

    async def __call__(self, action: str, payload: dict[str, Any], on_turn: Any = None) -> dict[str, Any]:
        """Call the station and return its answer."""


class CommandQueue:
    """Sends commands in their order. Only one at a time waits for the station, so that a limit never waits for more."""

    def __init__(self, identity: str, call: Call) -> None:
        self._identity = identity
        self._call = call
        self._waiting: deque[tuple[int, str, dict[str, Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    def add(self, command_id: int, action: str, payload: dict[str, Any]) -> None:
        """Let a command be sent when those before it have their outcome."""
        self._waiting.append((command_id, action, payload))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    async def finish(self) -> None:
        """Wait until every command has its outcome: with the socket closed, that is at once."""
        if self._sending is not None:
            await self._sending

    async def _send_all(self) -> None:
        while self._waiting:
            command_id, action, payload = self._waiting.popleft()
            try:
                await self._send(command_id, action, payload)
            except Exception:
                logger.exception("%s: the outcome of %s could not be kept", self._identity, action)

    async def _send(self, command_id: int, action: str, payload: dict[str, Any]) -> None:
        """Send one command, keep its outcome, and tell whoever waits for it."""

        async def note() -> None:
            if not await in_database(note_sent, command_id=command_id):
                raise CommandGivenUp(f"command {command_id} has its outcome already")

        outcome: dict[str, Any]
        try:
            answer = await self._call(action, payload, note)
            state = CommandState.ACCEPTED if is_accepted(action, answer) else CommandState.REJECTED
            outcome = {"state": state, "answer": answer}
        except OcppError as error:
            outcome = {"state": CommandState.REFUSED, "error_code": error.code, "error_text": error.description}
        except NoAnswer as error:
            outcome = {"state": CommandState.TIMED_OUT, "error_text": str(error)}
        except StationAway as error:
            outcome = {"state": CommandState.NOT_CONNECTED, "error_text": str(error)}
        except CommandGivenUp as error:
            logger.info("%s: %s not sent: %s", self._identity, action, error)
            return
        logger.info("%s: %s: %s", self._identity, action, outcome["state"])
        if await in_database(settle_command, command_id=command_id, **outcome):
            await announce_outcome(command_id)
