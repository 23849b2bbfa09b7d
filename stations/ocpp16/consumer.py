"""One station's socket: handshake, frames in and out, and its end (OCPP-J 1.6 §3–§5)."""

import asyncio
import contextlib
import itertools
import logging
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import unquote

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from stations.connections import flaw_of_connection
from stations.cpo import links
from stations.errors import NoAnswer, StationAway, StationPaused, StationRefused
from stations.models import Station
from stations.ocpp16 import frame_buffer, frames, schemas, sockets
from stations.ocpp16.blanking import frame_without_secrets
from stations.ocpp16.charge_point import answer
from stations.ocpp16.command_queue import CommandQueue
from stations.ocpp16.commands import Limits
from stations.ocpp16.database import in_database
from stations.ocpp16.guessing import admit
from stations.ocpp16.handshake import read_offer
from stations.ocpp16.list_sending import bring_up_to_date
from stations.ocpp16.onboarding import QUIET_S, onboard
from stations.ocpp16.socket_log import SocketLog
from stations.services import release_socket

logger = logging.getLogger(__name__)

SUBPROTOCOL = "ocpp1.6"
CALL_TIMEOUT_S = 30
MOST_UNANSWERED = 3
MOST_LATE = 10
STOP_AGAIN_S = 60.0
SENT_AGAIN = frozenset({"MeterValues", "StartTransaction", "StopTransaction"})  # until they are answered (§3.7)


def _headers_of(refusal: StationRefused) -> list[tuple[bytes, bytes]]:
    """Return the headers of a refused upgrade: some stations send their password only when asked (RFC 7235 §3.1)."""
    if isinstance(refusal, StationPaused):
        return [(b"retry-after", b"%d" % math.ceil(refusal.pause_s))]
    return [(b"www-authenticate", b'Basic realm="OCPP"')] if refusal.status == 401 else []


class StationConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """The life of one socket.

    It joins no group: `sockets` hands it what others send. Channels' own loop and dispatch are passed over: they make
    a task and hop to a thread for every message.
    """

    station: Station
    limits: Limits
    commands: CommandQueue
    log: SocketLog
    tells_operator = False
    _is_open = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one socket until it ends."""
        self.scope, self.base_send = scope, send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            if self._is_open:  # killed, or broken by an error: nobody will say that it closed
                await self.leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Take one event of the server."""
        if message["type"] == "websocket.receive":
            await self.hear(message.get("text") or message.get("bytes") or "")
        elif message["type"] == "websocket.connect":
            await self.open()
        elif message["type"] == "websocket.disconnect":
            await self.leave()
            raise StopConsumer

    # --- the handshake

    async def open(self) -> None:
        """Let the station in, or refuse it in the HTTP upgrade with a status that says why."""
        self.socket_id = f"{settings.WEB_ID}/{uuid.uuid4().hex}"
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = {}
        self._turn, self._others = asyncio.Lock(), asyncio.Lock()
        self._late: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._numbers = itertools.count(1)
        self._unanswered = 0
        self._stop_asked_at: dict[int, float] = {}
        self._is_open = False
        self._onboarding: asyncio.Task[None] | None = None
        self._local_list: asyncio.Task[None] | None = None
        self._handing_over: asyncio.Task[None] | None = None
        try:
            identity = self._identity()
            subprotocol = self._subprotocol(identity)
            self.station = await self._admit(identity)
        except StationPaused as refusal:  # that its pause begins was logged
            await self._refuse(refusal)
            return
        except StationRefused as refusal:
            logger.warning("Refused: %s", refusal)
            await self._refuse(refusal)
            return
        self._is_open = True
        self.tells_operator = self.station.is_cpo_enabled or self.station.has_operators
        self.log = SocketLog(logger, identity)
        self.limits = Limits(self.station.pk, self.call_ahead)
        self.commands = CommandQueue(identity, self.call)
        await self.accept(subprotocol)
        displaced = sockets.attach(self.station.pk, self)
        if displaced is not None:
            displaced.start_close("a newer socket of this station is open")
        logger.info("%s connected", identity)
        links.station_changed(self.station.pk)
        await sockets.announce(self.station.pk, self.socket_id)
        self.start_onboarding(QUIET_S, is_return=True)

    async def _admit(self, identity: str) -> Station:
        """Give the station's place to this socket; one that is killed meanwhile lets it go again."""
        offer = read_offer(self.scope, identity)
        admission = asyncio.ensure_future(admit(identity, offer, self.socket_id))
        try:
            return await asyncio.shield(admission)
        except asyncio.CancelledError:
            with contextlib.suppress(StationRefused):
                await in_database(release_socket, station_id=(await admission).pk, socket_id=self.socket_id)
            raise

    def _identity(self) -> str:
        """Take the last segment of the path as it was sent, so that `%2F` within an identity stays one."""
        raw = self.scope.get("raw_path") or self.scope["path"].encode()
        identity = unquote(raw.decode("latin1").split("?")[0].rstrip("/").rpartition("/")[2]).strip()
        if not 0 < len(identity) <= 255 or not identity.isprintable():
            raise StationRefused(404, "the address needs an identity: ws://<host>/ocpp/<identity>")
        return identity

    def _subprotocol(self, identity: str) -> str | None:
        """Choose the sub-protocol; one that offers none is let in, one that offers only others is not."""
        offered = self.scope.get("subprotocols") or []
        if not offered:
            logger.info("%s offers no sub-protocol; taken for %s", identity, SUBPROTOCOL)
            return None
        chosen = next((name for name in offered if name.lower() == SUBPROTOCOL), None)
        if chosen is None:
            raise StationRefused(400, f"{identity} speaks {', '.join(offered)}; {SUBPROTOCOL} is needed")
        return str(chosen)

    async def _refuse(self, refusal: StationRefused) -> None:
        """Answer the upgrade with an HTTP status where the server can (ASGI denial response)."""
        if "websocket.http.response" in self.scope.get("extensions", {}):
            start = {"type": "websocket.http.response.start", "status": refusal.status}
            await self.base_send({**start, "headers": _headers_of(refusal)})
            await self.base_send({"type": "websocket.http.response.body", "body": str(refusal).encode()})
        else:
            await self.close()

    # --- frames

    async def hear(self, text: str | bytes) -> None:
        """Take one frame; whatever it is, the socket stays."""
        sockets.seen(self.station.pk)
        try:
            frame = frames.parse(text)
        except frames.UnreadableFrame as error:
            frame_buffer.note(self.station.pk, text, action="", is_incoming=True)
            shown = frame_without_secrets(frame_buffer.cut(text))[:200]
            self.log.warning("unreadable frame (%s): %r", error.description, shown)
            if error.message_id is not None:
                await self._say(frames.call_error(error.message_id, error.code, error.description), "")
            return
        if isinstance(frame, frames.Call):
            frame_buffer.note(self.station.pk, text, action=frame.action, is_incoming=True)
            await self._answer(frame)
        else:
            action, waiting = self._asked.get(frame.message_id, ("", None))
            frame_buffer.note(self.station.pk, text, action=action, is_incoming=True)
            self._settle(frame, waiting)

    async def _answer(self, call: frames.Call) -> None:
        """Reply to a call once everything it says is kept; one that must not be lost and was not kept gets no reply."""
        try:
            reply = frames.call_result(call.message_id, await answer(self, call.action, call.payload))
        except frames.OcppError as error:
            self.log.warning("%r: %s", call.action[:50], error)
            reply = frames.call_error(call.message_id, error.code, error.description)
        except Exception:
            self.log.exception("%r could not be kept", call.action[:50])
            if call.action in SENT_AGAIN:
                return
            reply = frames.call_error(call.message_id, "InternalError", "could not be kept; please send it again")
        await self._say(reply, call.action)

    async def _say(self, text: str, action: str) -> None:
        """Send one frame, and note it."""
        frame_buffer.note(self.station.pk, text, action=action, is_incoming=False)
        await self.base_send({"type": "websocket.send", "text": text})

    def _settle(
        self, frame: frames.CallResult | frames.CallError, waiting: asyncio.Future[dict[str, Any]] | None
    ) -> None:
        """Hand an answer to the call that waits for it."""
        self._unanswered = 0
        if waiting is None or waiting.done():
            self.log.info("an answer to nothing, or too late (%r)", frame.message_id[:50])
            on_late = self._late.pop(frame.message_id, None)
            if on_late is not None and isinstance(frame, frames.CallResult):
                on_late(frame.payload)
        elif isinstance(frame, frames.CallError):
            waiting.set_exception(frames.OcppError(frame.code or "GenericError", frame.description))
        else:
            waiting.set_result(frame.payload)

    async def call(
        self, action: str, payload: dict[str, Any], on_turn: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Any]:
        """Call the station when those that called before have their answers, and return its answer; see `call_ahead`.

        `on_turn` runs right before the call is sent; what it raises keeps it from being sent.
        """
        async with self._others:
            return await self.call_ahead(action, payload, on_turn=on_turn)

    async def call_ahead(
        self,
        action: str,
        payload: dict[str, Any],
        *,
        on_turn: Callable[[], Awaitable[None]] | None = None,
        on_late: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Call the station, one call at a time, before whatever waits, and return its answer.

        That is for limits: one is behind one other call at most. An answer that comes when nobody waits any more goes
        to `on_late`. Raises OcppError (refused, or not fit to be sent), NoAnswer, StationAway. Never await it in a
        handler: the answer could not be heard.
        """
        schemas.check(action, payload)
        async with self._turn:
            if not self._is_open:
                raise StationAway(f"{self.station.identity} is not connected")
            if on_turn is not None:
                await on_turn()
            message_id = f"{self.socket_id[-12:]}-{next(self._numbers)}"
            waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._asked[message_id] = (action, waiting)
            try:
                await self._say(frames.call(message_id, action, payload), action)
                async with asyncio.timeout(CALL_TIMEOUT_S):  # `wait_for` swallows cancellations until Python 3.12
                    return await waiting
            except TimeoutError:
                self._expect_late(message_id, on_late)
                self._count_unanswered()
                raise NoAnswer(f"{self.station.identity} did not answer {action} in {CALL_TIMEOUT_S} s") from None
            finally:
                del self._asked[message_id]

    def _expect_late(self, message_id: str, on_late: Callable[[dict[str, Any]], None] | None) -> None:
        """Know an answer that may still come; of many that stay away the newest are enough."""
        if on_late is not None:
            self._late[message_id] = on_late
            if len(self._late) > MOST_LATE:
                del self._late[next(iter(self._late))]

    def _count_unanswered(self) -> None:
        """Close a socket that no longer answers: the station reconnects."""
        self._unanswered += 1
        if self._unanswered >= MOST_UNANSWERED:
            self.start_close(f"{MOST_UNANSWERED} calls stayed unanswered")

    # --- tasks and the end

    def _start(self, work: Any) -> asyncio.Task[Any]:
        """Run work beside the socket; it ends with it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def is_handing_over(self) -> bool:
        """Say whether the station is being given a certificate."""
        return self._handing_over is not None and not self._handing_over.done()

    def start_handing_over(self, work: Coroutine[Any, Any, None]) -> None:
        """Give the station a certificate beside the socket: a handler must not wait for it."""
        self._handing_over = self._start(work)

    def start_onboarding(self, delay_s: float, *, is_return: bool = False) -> None:
        """Learn what the station can and set what it needs, in `delay_s`; what was under way is begun again.

        `is_return`: it connected, and unless it boots in time it only came back.
        """
        if self._onboarding is not None:
            self._onboarding.cancel()
        self.limits.forget()
        work = onboard(self.station.pk, self.call, delay_s, self.limits.forget, is_return=is_return)
        self._onboarding = self._start(work)

    def start_local_list(self) -> None:
        """Bring the station's list of badges up to date, unless that is under way or the station is being set up."""
        is_busy = any(task is not None and not task.done() for task in (self._onboarding, self._local_list))
        if not is_busy:
            self._local_list = self._start(bring_up_to_date(self.station.pk, self.call))

    def start_stop(self, transaction_id: int) -> None:
        """Ask the station to end a transaction; repeated wishes within a minute are one."""
        now = time.monotonic()
        self._stop_asked_at = {pk: at for pk, at in self._stop_asked_at.items() if now - at < STOP_AGAIN_S}
        if transaction_id not in self._stop_asked_at:
            self._stop_asked_at[transaction_id] = now
            self.start_call("RemoteStopTransaction", {"transactionId": transaction_id})

    def start_call(self, action: str, payload: dict[str, Any]) -> None:
        """Call the station and log its answer."""
        self._start(self._call_and_log(action, payload))

    async def _call_and_log(self, action: str, payload: dict[str, Any]) -> None:
        try:
            logger.info("%s: %s: %.300s", self.station.identity, action, await self.call(action, payload))
        except (frames.OcppError, NoAnswer, StationAway) as error:
            logger.warning("%s: %s: %s", self.station.identity, action, error)

    def start_check(self) -> None:
        """Close the socket soon if what it came with no longer counts."""
        self._start(self._check())

    async def _check(self) -> None:
        offer = read_offer(self.scope, self._identity())
        flaw = await in_database(flaw_of_connection, station_id=self.station.pk, offer=offer)
        if flaw:
            self.start_close(flaw)

    def start_close(self, why: str) -> None:
        """Close the socket soon."""
        logger.info("%s: closing: %s", self.station.identity, why)
        self._start(self.close(code=1000))  # Daphne's WebSocket refuses 1001 (going away)

    async def leave(self) -> None:
        """Clean up after this socket, and only after this one."""
        if not self._is_open:
            return
        self._is_open = False
        self.log.count()
        sockets.detach(self.station.pk, self)
        self.limits.stop()
        for _, waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(StationAway(f"{self.station.identity} is not connected"))
        for task in list(self._tasks):
            task.cancel()
        await self.commands.finish()
        if self.limits.trial is not None:
            await self.limits.trial.leave()
        await in_database(release_socket, station_id=self.station.pk, socket_id=self.socket_id)
        links.station_changed(self.station.pk)
        logger.info("%s disconnected", self.station.identity)
