"""The station's WebSocket: frames of OCPP-J 1.6, one CALL in flight each way, and coming back when the LLM is away."""

import asyncio
import base64
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

log = logging.getLogger(__name__)

Payload = dict[str, Any]
CALL, RESULT, ERROR = 2, 3, 4


class SimulatorError(Exception):
    """What can go wrong in the simulated world."""


class LinkLostError(SimulatorError):
    """There is no connection, or it broke before the answer came."""


class CallError(SimulatorError):
    """The other side answered with a CALLERROR, or we shall: an OCPP error code and a description."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class Link:
    """One station's connection: `run` keeps it up until cancelled.

    `answer` makes the reply to an inbound CALL or raises CallError; `after_answer` runs once that is on the wire.
    `session` runs while connected; `lost` is called when the connection is gone. `heard` sees every frame:
    direction ("in" or "out"), action (with "Response" or "Error" for replies), payload.
    """

    def __init__(
        self,
        url: str,
        identity: str,
        *,
        answer: Callable[[str, Payload], Payload],
        after_answer: Callable[[], None],
        session: Callable[[], Awaitable[None]],
        lost: Callable[[], None],
        heard: Callable[[str, str, Payload], None],
        password: str | None = None,
        timeout_s: float = 30.0,
        backoff_s: tuple[float, float] = (1.0, 10.0),
    ) -> None:
        self.url = f"{url.rstrip('/')}/{quote(identity, safe='')}"
        self.identity = identity
        self.timeout_s = timeout_s
        self.backoff_s = backoff_s
        self.answer_delay_s = 0.0
        self._answer, self._after_answer = answer, after_answer
        self._session, self._lost, self._heard = session, lost, heard
        self._headers: dict[str, str] = {}
        if password is not None:
            self.set_password(password.encode())
        self._random = random.Random(identity)
        self._socket: ClientConnection | None = None
        self._enabled = asyncio.Event()
        self._enabled.set()
        self._talking = asyncio.Event()
        self._talking.set()
        self._one_call = asyncio.Lock()
        self._pending: tuple[str, str, asyncio.Future[Payload | SimulatorError]] | None = None

    @property
    def is_connected(self) -> bool:
        """Tell whether the socket is open."""
        return self._socket is not None

    def set_password(self, password: bytes) -> None:
        """Sign in with this password from the next connection on."""
        token = base64.b64encode(self.identity.encode() + b":" + password).decode()
        self._headers["Authorization"] = f"Basic {token}"

    def set_silent(self, silent: bool) -> None:
        """Stop saying and answering anything while the socket stays open, or talk again."""
        if silent:
            self._talking.clear()
        else:
            self._talking.set()

    def enable(self) -> None:
        """Connect, and reconnect, from now on."""
        self._enabled.set()

    async def disable(self) -> None:
        """Close the connection and stay away."""
        self._enabled.clear()
        await self.close()

    async def close(self) -> None:
        """Close the connection; `run` opens it again unless disabled."""
        if self._socket:
            await self._socket.close()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            await self._enabled.wait()
            try:
                async with connect(
                    self.url,
                    subprotocols=[Subprotocol("ocpp1.6")],
                    additional_headers=self._headers,
                    compression=None,
                    proxy=None,
                    user_agent_header=None,
                    ping_interval=30,
                    close_timeout=2,
                ) as socket:
                    log.info("%s connected", self.identity)
                    failures = 0
                    if self._enabled.is_set():  # else it was disabled during the handshake
                        await self._serve(socket)
                log.info("%s disconnected", self.identity)
            except (OSError, WebSocketException) as error:
                log.info("%s cannot reach %s: %s", self.identity, self.url, error)
            low, high = self.backoff_s
            failures += 1
            await asyncio.sleep(self._random.uniform(low, min(high, low * 2.0**failures)))

    async def _serve(self, socket: ClientConnection) -> None:
        self._socket = socket
        calls: asyncio.Queue[tuple[str, str, Payload]] = asyncio.Queue()
        tasks = [asyncio.create_task(self._answer_calls(socket, calls)), asyncio.create_task(self._hold_session())]
        try:
            async for frame in socket:
                self._receive(frame, calls)
        finally:
            self._socket = None
            self._lost()
            if self._pending and not self._pending[2].done():
                self._pending[2].set_result(LinkLostError(f"{self.identity}: link lost before the answer came"))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hold_session(self) -> None:
        try:
            await self._session()
        except LinkLostError:
            return
        except Exception:
            log.exception("%s: the session failed", self.identity)
            await self.close()

    def _receive(self, frame: str | bytes, calls: "asyncio.Queue[tuple[str, str, Payload]]") -> None:
        if not self._talking.is_set():
            return
        try:
            message = orjson.loads(frame)
            match message:
                case [2, str(message_id), str(action), dict(payload)]:
                    self._heard("in", action, payload)
                    calls.put_nowait((message_id, action, payload))
                case [3, str(message_id), dict(payload)]:
                    self._settle(message_id, payload)
                case [4, str(message_id), str(code), str(description), *_]:
                    self._settle(message_id, CallError(code, description))
                case _:
                    log.warning("%s got no OCPP frame: %.200s", self.identity, frame)
        except orjson.JSONDecodeError:
            log.warning("%s got no JSON: %.200s", self.identity, frame)

    def _settle(self, message_id: str, result: Payload | CallError) -> None:
        if self._pending is None or self._pending[0] != message_id or self._pending[2].done():
            log.warning("%s got an answer nobody waits for: %s", self.identity, message_id)
            return
        _, action, future = self._pending
        if isinstance(result, CallError):
            self._heard("in", f"{action}Error", {"code": result.code, "description": result.description})
        else:
            self._heard("in", f"{action}Response", result)
        future.set_result(result)

    async def _answer_calls(self, socket: ClientConnection, calls: "asyncio.Queue[tuple[str, str, Payload]]") -> None:
        """Answer inbound CALLs one after the other, in their order."""
        while True:
            message_id, action, payload = await calls.get()
            if self.answer_delay_s:
                await asyncio.sleep(self.answer_delay_s)
            try:
                reply = self._answer(action, payload)
                frame: list[Any] = [RESULT, message_id, reply]
                self._heard("out", f"{action}Response", reply)
            except CallError as error:
                frame = [ERROR, message_id, error.code, error.description, {}]
                self._heard("out", f"{action}Error", {"code": error.code, "description": error.description})
            try:
                await socket.send(orjson.dumps(frame).decode())
            except WebSocketException:
                return
            self._after_answer()

    async def call(self, action: str, payload: Payload) -> Payload:
        """Send a CALL once no other is in flight and return its result.

        Raises LinkLostError, TimeoutError after `timeout_s`, or CallError for a CALLERROR.
        """
        async with self._one_call:
            await self._talking.wait()
            if self._socket is None:
                raise LinkLostError(f"{self.identity}: not connected, cannot send {action}")
            message_id = uuid4().hex
            future: asyncio.Future[Payload | SimulatorError] = asyncio.get_running_loop().create_future()
            self._pending = (message_id, action, future)
            self._heard("out", action, payload)
            try:
                await self._socket.send(orjson.dumps([CALL, message_id, action, payload]).decode())
                async with asyncio.timeout(self.timeout_s):
                    result = await future
            except WebSocketException as error:
                raise LinkLostError(f"{self.identity}: link lost while sending {action}") from error
            finally:
                self._pending = None
        if isinstance(result, SimulatorError):
            raise result
        return result
