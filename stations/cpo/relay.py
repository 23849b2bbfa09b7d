"""One upstream socket: the load manager as the charge point that an operator knows (OCPP-J 1.6 §3–§5).

It lives in the web process that had the station's socket last, and outlives that socket: the operator goes on hearing
from the charge point while the station is away.
"""

import asyncio
import base64
import contextlib
import logging
import math
import random
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import websockets
from django.conf import settings
from django.utils import timezone
from websockets.asyncio.client import connect

from stations.cpo import requests
from stations.cpo.badges import remember_tag, said_alone, said_of_start
from stations.cpo.causes import BadAuthority, BadKey, Cause, Nonsense, OperatorAway, StationNotHeard, cause_of
from stations.cpo.outbox import NO_ANSWER, Outgoing, next_message, note_loss, note_refusal, settle_message
from stations.cpo.policy import ANSWER_WITHIN_S, backoff_s, read_tag_info
from stations.cpo.standing import boot_of, heartbeat_s, note_state, statuses_of
from stations.cpo.wording import transfer_message
from stations.errors import NoAnswer, StationAway
from stations.models import LinkState
from stations.ocpp16 import frames, schemas
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.normalise import integer

logger = logging.getLogger(__name__)

SUBPROTOCOL = "ocpp1.6"
CALL_TIMEOUT_S, OPEN_TIMEOUT_S, PING_S = 30.0, 10.0, 30.0
LONGEST_FRAME = 2 * 2**20
MOST_REQUESTS = 50
FRAME_GAP_S = 0.005  # others have their turn, and TCP holds back who sends faster
STEADY_AFTER_S = 60.0
LOOK_AGAIN_S = 30.0
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S, USUAL_INTERVAL_S = 1.0, 86_400.0, 60.0
STATES = {"Accepted": LinkState.ACCEPTED, "Pending": LinkState.PENDING, "Rejected": LinkState.REJECTED}

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """Where a link leads and what holds there; other terms are another connection.

    `password` None: it is sealed with another key than this installation has.
    """

    link_id: int
    station_id: int
    server_id: int
    url: str
    identity: str
    password: str | None
    ca_pem: str
    barred: tuple[str, ...]

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Terms({self.link_id}, {self.url}, {self.identity})"


class NoRedirects(connect):
    """A client that goes where it was told and nowhere else: the password goes with it."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Refuse to be led on."""
        return exc


class Relay:
    """The life of one link. `station` gives the socket of the station, if there is one in this process."""

    def __init__(self, terms: Terms, station: Callable[[], Any]) -> None:
        self.terms, self.station = terms, station
        self.is_accepted, self.is_rejected, self.is_in_force = False, False, True
        self._socket: websockets.ClientConnection | None = None
        self._asked: dict[str, asyncio.Future[Payload]] = {}
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._numbers = 0
        self._said: dict[Any, tuple[str, Payload]] = {}
        self._triggered: dict[Any, tuple[str, Payload]] = {}
        self._must_boot, self._tried_at = False, -math.inf
        self._in_flight: int | None = None
        self._starts: dict[int, asyncio.Future[Payload]] = {}
        self._requests: asyncio.Queue[frames.Call] = asyncio.Queue(MOST_REQUESTS)
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- the connection

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        try:
            await self._keep_connection()
        finally:
            self._let_go("the load manager closes it")

    async def _keep_connection(self) -> None:
        tries = 0
        while True:
            opened_at = asyncio.get_running_loop().time()
            try:
                await self._connect_and_speak()
                cause, detail = Cause.CLOSED, ""
            except Exception as error:
                cause, detail = cause_of(error)
                if cause is Cause.NETWORK and not isinstance(error, OSError):
                    logger.exception("%s: the connection to the operator broke", self.terms)
            self._tried_at = asyncio.get_running_loop().time()
            has_held = self.is_accepted or self._tried_at - opened_at > STEADY_AFTER_S
            tries = 1 if has_held or cause is Cause.NOT_HEARD else tries + 1
            await self._come_apart(cause, detail)
            await self._wait_to_boot(backoff_s(tries + 1, random.uniform(0.5, 1.0)))  # the first pause differs too

    async def _connect_and_speak(self) -> None:
        """Connect, speak and listen until either ends; raises what ended it."""
        self._must_boot = False
        if await in_database(boot_of, link_id=self.terms.link_id) is None:
            raise StationNotHeard
        await in_database(note_state, link_id=self.terms.link_id, state=LinkState.CONNECTING)
        async with self._connection() as socket:
            self._socket = socket
            works = [self._listen(socket), self._speak(), self._obey()]
            tasks = [asyncio.create_task(work) for work in works]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in (task for task in tasks if task in done):
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._must_boot = False  # the next connection begins with it

    def _connection(self) -> NoRedirects:
        terms = self.terms
        if terms.password is None:
            raise BadKey
        headers = {}
        if terms.password:
            pair = base64.b64encode(f"{terms.identity}:{terms.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return NoRedirects(
            f"{terms.url.rstrip('/')}/{quote(terms.identity, safe='')}",
            subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
            additional_headers=headers,
            user_agent_header=None,
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=1,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_size=LONGEST_FRAME,
            ssl=_tls(terms.ca_pem) if terms.url.startswith("wss:") else None,
        )

    async def _come_apart(self, cause: Cause, detail: str) -> None:
        """Note that the connection ended, and why; what had no answer is still to be told."""
        self._let_go("the connection ended")
        if self._in_flight is not None:
            message_id, self._in_flight = self._in_flight, None
            await in_database(note_loss, message_id=message_id, why=f"{NO_ANSWER}{cause} {detail}")
        state = LinkState.CONNECTING if cause is Cause.NOT_HEARD else LinkState.UNREACHABLE
        await in_database(note_state, link_id=self.terms.link_id, state=state, cause=cause, detail=detail)

    def _let_go(self, why: str) -> None:
        """Let nobody wait for an answer any more."""
        self.is_accepted = self.is_rejected = False
        self._socket = None
        self._triggered.clear()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(OperatorAway(why))
        for task in list(self._tasks):
            task.cancel()
        self._requests = asyncio.Queue(MOST_REQUESTS)

    async def _listen(self, socket: websockets.ClientConnection) -> None:
        """Take frames until the connection ends; raises how it ended."""
        while True:
            refusal = self._hear(await socket.recv())
            if refusal is not None:
                await self._say(refusal)
            await asyncio.sleep(FRAME_GAP_S)

    def _hear(self, text: str | bytes) -> str | None:
        """Take one frame; what cannot be understood is passed over. Returns how it is refused; None: it is not."""
        try:
            frame = frames.parse(text)
        except frames.UnreadableFrame as error:
            logger.warning("%s: an unreadable frame (%s)", self.terms, error.description)
            if error.message_id is None:
                return None
            return frames.call_error(error.message_id, error.code, error.description)
        if isinstance(frame, frames.Call):
            return self._take_request(frame)
        waiting = self._asked.get(frame.message_id)
        if waiting is None or waiting.done():
            logger.info("%s: an answer to nothing, or too late (%r)", self.terms, frame.message_id[:50])
        elif isinstance(frame, frames.CallError):
            waiting.set_exception(OcppError(frame.code or "GenericError", frame.description))
        else:
            waiting.set_result(frame.payload)
        return None

    def _take_request(self, call: frames.Call) -> str | None:
        if self.is_rejected:
            logger.info("%s: %r while it rejects the station has no answer (§4.2)", self.terms, call.action[:50])
            return None
        try:
            self._requests.put_nowait(call)
        except asyncio.QueueFull:
            return frames.call_error(call.message_id, "GenericError", "too many requests at once")
        return None

    async def _obey(self) -> None:
        """Answer what the operator asks, one after the other."""
        while True:
            call = await self._requests.get()
            try:
                answer = await requests.answer(self, call.action, call.payload)
                schemas.check(f"{call.action}Response", answer)
                reply = frames.call_result(call.message_id, answer)
            except OcppError as error:
                reply = frames.call_error(call.message_id, error.code, error.description)
            except (StationAway, NoAnswer) as error:
                reply = frames.call_error(call.message_id, "InternalError", str(error))
            except Exception:
                logger.exception("%s: %r failed", self.terms, call.action[:50])
                reply = frames.call_error(call.message_id, "InternalError", "it could not be done")
            await self._say(reply)

    async def _say(self, text: str) -> None:
        if self._socket is None:
            raise OperatorAway("not connected")
        await self._socket.send(text)

    async def call(self, action: str, payload: Payload, *, message_id: str = "") -> Payload:
        """Ask the operator, one thing at a time, and return the answer.

        Raises OcppError (refused, or not fit to be sent), NoAnswer, OperatorAway.
        """
        schemas.check(action, payload)
        async with self._turn:
            self._numbers += 1
            number = message_id or f"c{self._numbers}"
            waiting: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._asked[number] = waiting
            try:
                await self._say(frames.call(number, action, payload))
                async with asyncio.timeout(CALL_TIMEOUT_S):  # wait_for may swallow a cancellation (to 3.12)
                    return await waiting
            except TimeoutError:
                raise NoAnswer(f"no answer to {action} in {CALL_TIMEOUT_S:g} s") from None
            except websockets.ConnectionClosed as error:
                raise OperatorAway("the connection ended") from error
            finally:
                del self._asked[number]

    def _start(self, work: Any) -> asyncio.Task[Any]:
        """Run work beside the connection; it ends with it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("%s: %s", self.terms, error)

    # --- what the operator is told

    async def _speak(self) -> None:
        """Boot until accepted, then tell what there is to tell; raises what makes it end."""
        interval_s = await self._boot()
        await self.tell_statuses()
        beat_at = 0.0
        while True:
            self._news.clear()
            if asyncio.get_running_loop().time() >= self._boot_due_at():
                interval_s = await self._boot()
            if asyncio.get_running_loop().time() >= beat_at:
                beat_s = await in_database(heartbeat_s, link_id=self.terms.link_id, otherwise=interval_s)
                beat_at = asyncio.get_running_loop().time() + beat_s
                self._said["Heartbeat"] = ("Heartbeat", {})
            for said in (self._triggered, self._said):  # one of each, then of the queue: none holds up the others
                if said:
                    await self._tell(said.pop(next(iter(said))))
            message, next_at = await in_database(next_message, link_id=self.terms.link_id, web_id=settings.WEB_ID)
            if message is not None:
                await self._deliver(message)
            elif not (self._triggered or self._said):
                await self._wait_for_news(next_at, min(beat_at, self._boot_due_at()))

    async def _wait_for_news(self, next_at: datetime | None, due_at: float) -> None:
        """Wait until there is something to tell, until a message may be tried again, or until something is due."""
        again_s = LOOK_AGAIN_S if next_at is None else (next_at - timezone.now()).total_seconds()
        wait_s = min(again_s, due_at - asyncio.get_running_loop().time(), LOOK_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(wait_s, 0.0)):
                await self._news.wait()

    async def _boot(self) -> float:
        """Introduce the station until it is accepted; returns the seconds between heartbeats."""
        while True:
            self._must_boot = False
            boot = await in_database(boot_of, link_id=self.terms.link_id)
            if boot is None:
                raise StationNotHeard
            try:
                answer = await self.call("BootNotification", boot)
            except OcppError as error:
                raise Nonsense(f"BootNotification: {error}") from None
            self._tried_at = asyncio.get_running_loop().time()
            state = STATES.get(str(answer.get("status")))
            if state is None:
                raise Nonsense(f"BootNotification: {str(answer)[:100]}")
            self.is_accepted, self.is_rejected = state is LinkState.ACCEPTED, state is LinkState.REJECTED
            await in_database(note_state, link_id=self.terms.link_id, state=state)
            said_s = integer(answer.get("interval")) or 0
            interval_s = min(LONGEST_INTERVAL_S, float(said_s)) if said_s > 0 else USUAL_INTERVAL_S
            if self.is_accepted:
                return interval_s
            await self._wait_to_boot(max(SHORTEST_INTERVAL_S, interval_s))

    def _boot_due_at(self) -> float:
        """Return when the station is introduced again, by the clock of the loop: not at once, however often asked."""
        return self._tried_at + SHORTEST_INTERVAL_S if self._must_boot else math.inf

    async def _wait_to_boot(self, wait_s: float) -> None:
        """Wait to boot again, or until the station does; meanwhile a Pending operator hears what it triggers (§4.2)."""
        loop = asyncio.get_running_loop()
        boot_at = loop.time() + wait_s
        while (left_s := min(boot_at, self._boot_due_at()) - loop.time()) > 0:
            self._news.clear()
            if self._triggered:
                await self._tell(self._triggered.pop(next(iter(self._triggered))))
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()

    async def _tell(self, said: tuple[str, Payload]) -> None:
        """Tell what only counts while it is new: a refusal changes nothing."""
        try:
            await self.call(*said)
        except OcppError as error:
            logger.info("%s: %s: %s", self.terms, said[0], error)

    async def _deliver(self, message: Outgoing) -> None:
        """Send one message of the queue and keep what its answer says."""
        self._in_flight = message.pk
        try:
            answer = await self.call(message.action, message.payload, message_id=message.message_id)
        except OcppError as error:
            await in_database(note_refusal, message_id=message.pk, code=error.code, why=error.description)
            answer = {}
        else:
            await in_database(settle_message, message_id=message.pk, answer=answer)
        self._in_flight = None
        waiting = self._starts.get(message.transaction_id or 0)
        if message.action == "StartTransaction" and waiting is not None and not waiting.done():
            waiting.set_result(answer)

    # --- what the station's handlers ask

    def wake(self) -> None:
        """Say that the queue has something new."""
        self._news.set()

    def boot_again(self) -> None:
        """Let the operator hear that the station has booted."""
        self._must_boot = True
        self.wake()

    def tell(self, subject: object, action: str, payload: Payload | None) -> None:
        """Let the operator be told what only counts while it is new; the newest of a subject replaces the others."""
        if payload is not None:
            self._said.pop(subject, None)
            self._said[subject] = (action, payload)
            self.wake()

    def tell_triggered(self, said: dict[Any, tuple[str, Payload]]) -> None:
        """Let the operator be told what it has asked for, also where it has not accepted the station yet (§4.2)."""
        self._triggered |= said
        self.wake()

    def station_changed(self) -> None:
        """Let the operator be told that the station came or went."""
        self._start(self.tell_statuses())

    async def tell_statuses(self) -> None:
        """Let the operator be told the state of every connector."""
        self._said |= await in_database(statuses_of, link_id=self.terms.link_id)
        self.wake()

    async def ask(self, question: Coroutine[Any, Any, Payload]) -> Payload:
        """Ask the operator on behalf of the station, for as long as a station may wait; raises OperatorAway.

        The question goes on: what is answered later is heard all the same.
        """
        if not self.is_accepted:
            question.close()
            raise OperatorAway("not accepted by the operator")
        asking: asyncio.Task[Payload] = self._start(question)
        try:
            await asyncio.wait((asking,), timeout=ANSWER_WITHIN_S)
            if not asking.done() or asking.cancelled():
                raise OperatorAway("no answer in time, or the connection ended")
            return asking.result()
        except (OcppError, NoAnswer) as error:
            raise OperatorAway(str(error)) from None

    async def authorise(self, id_tag: str) -> Payload:
        """Return the IdTagInfo of a badge: the operator's, or what is decided without it."""
        try:
            info = await self.ask(self._learn_of_badge(id_tag))
        except OperatorAway:
            info = {}
        return info or await in_database(said_alone, link_id=self.terms.link_id, id_tag=id_tag)

    async def _learn_of_badge(self, id_tag: str) -> Payload:
        """Ask for a badge and keep what is said, also where the station was answered before; {}: nothing sensible."""
        answer = await self.call("Authorize", {"idTag": id_tag})
        info = read_tag_info(answer.get("idTagInfo"))
        if info is not None:
            await in_database(remember_tag, server_id=self.terms.server_id, id_tag=id_tag, info=info)
        return info or {}

    async def transfer(self, payload: Payload) -> Payload:
        """Return the operator's answer to a DataTransfer of the station; it knows no vendor while it is away."""
        message = transfer_message(payload)
        try:
            answer = await self.ask(self.call("DataTransfer", message)) if message is not None else {}
        except OperatorAway:
            answer = {}
        is_sound = "status" in answer and schemas.fits("DataTransferResponse", answer)
        return answer if is_sound else {"status": "UnknownVendorId"}

    async def authorise_start(self, transaction_id: int, otherwise: Payload) -> Payload:
        """Return what the operator says of the badge of a transaction that began; `otherwise` where it is silent."""
        waiting = self._starts.setdefault(transaction_id, asyncio.get_running_loop().create_future())
        self.wake()
        try:
            said = await in_database(said_of_start, transaction_id=transaction_id)
            if said is not None or not self.is_accepted:
                return said or otherwise
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await asyncio.shield(waiting)
            return read_tag_info(answer.get("idTagInfo")) or otherwise
        except TimeoutError:
            return otherwise
        finally:
            self._starts.pop(transaction_id, None)


def _tls(ca_pem: str) -> ssl.SSLContext:
    """Make the rules of TLS: certificates and host names are checked, always. Raises BadAuthority."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        try:
            context = ssl.create_default_context(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise BadAuthority from None
    return context
