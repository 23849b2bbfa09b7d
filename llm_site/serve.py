"""Run the web process: Daphne on uvloop, prepared for storms of stations. `python -m llm_site.serve`."""

import asyncio
import gc
import logging
import os

import uvloop

uvloop.install()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")

from typing import Any  # noqa: E402 (Daphne takes the event loop at import)

from autobahn.websocket.types import ConnectionDeny  # noqa: E402
from daphne.server import Server  # noqa: E402
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol  # noqa: E402
from twisted.internet import reactor  # noqa: E402

from llm_site.asgi import application  # noqa: E402
from llm_site.inbox import Inbox  # noqa: E402
from llm_site.settings import PORT, TLS_CERT  # noqa: E402
from llm_site.slow_readers import patiently  # noqa: E402
from llm_site.tls import listen, tls_of  # noqa: E402
from stations.commanding import end_commands_of_last_life  # noqa: E402
from stations.cpo.links import start_relays  # noqa: E402
from stations.cpo.standing import forget_states  # noqa: E402
from stations.fail_safe import end_tests_of_last_life  # noqa: E402
from stations.services import forget_sockets  # noqa: E402

HANDSHAKE_TIMEOUT_S = 60
PING_INTERVAL_S, PING_TIMEOUT_S = 30, 60
LONGEST_FRAME = 2 * 2**20
STEPS_AT_ONCE, STEPS_PAUSE_S = 300, 0.01
CLOSE_WITHIN_S = 60


class Unread:
    """Told by Twisted when a socket's answers pile up because the other end does not read them."""

    def __init__(self, protocol: "StationProtocol") -> None:
        self._protocol = protocol

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's names)
        """Answers pile up."""
        self._protocol.leave_unread(True)

    def resumeProducing(self) -> None:  # noqa: N802
        """All answers are on their way."""
        self._protocol.leave_unread(False)

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone."""


class StationProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Daphne's WebSocket protocol, which also refuses a handshake with a chosen status (ASGI denial response).

    It reads no further while its inbox is full or its answers are not read, gives way after many steps of parsing, and
    says with a close code why it closes (RFC 6455 §7.4.1: 1002, 1007, 1009).
    """

    def makeConnection(self, transport: Any) -> None:  # noqa: N802 (Twisted's name)
        """Begin to count."""
        self.inbox = Inbox(self.go_on)
        self._steps = 0
        self._is_held = self._is_unread = False
        self.refusal_headers: list[tuple[str, str]] = []
        super().makeConnection(transport)
        self.failByDrop = False

    def onOpen(self) -> None:  # noqa: N802 (autobahn's name)
        """Watch how much of the answers is unread; until now the HTTP channel did."""
        self.unregisterProducer()
        self.registerProducer(Unread(self), True)
        super().onOpen()

    def onMessageFrame(self, payload: list[bytes]) -> None:  # noqa: N802
        """Take a fragment; of an empty one nothing is kept, as a message may have any number of them."""
        super().onMessageFrame([part for part in payload if part])

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        """Take a whole frame."""
        if not self.muted:
            self.inbox.arrived(len(payload))
        super().onMessage(payload, isBinary)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        """Let the application take what still waits without a pause."""
        self.inbox.is_closed = True
        super().onClose(wasClean, code, reason)

    def processData(self) -> bool:  # noqa: N802
        """Do one step of parsing what has been read; False when there is no more to do now."""
        self._steps += 1
        if self._steps > STEPS_AT_ONCE and not self._is_held:
            asyncio.get_running_loop().call_later(STEPS_PAUSE_S, self.go_on)
        elif not (self.inbox.is_full or self._is_unread):
            return bool(super().processData())
        self._is_held = True
        self.transport.pauseProducing()
        return False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take what was read."""
        self._steps = 0
        super().dataReceived(data)

    def go_on(self) -> None:
        """Read on, where it may."""
        if self._is_held and not (self.inbox.is_full or self._is_unread):
            self._is_held, self._steps = False, 0
            self.consumeData()
            if not self._is_held:
                self.transport.resumeProducing()

    def leave_unread(self, is_unread: bool) -> None:
        """Note whether the station leaves its answers unread."""
        self._is_unread = is_unread
        if not is_unread:
            self.go_on()

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803
        """Refuse a handshake, with the application's headers where it has said some."""
        super().failHandshake(reason, code, responseHeaders or self.refusal_headers)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take an event of the application."""
        if message["type"] == "websocket.http.response.start":
            self.refusal_headers = [(name.decode(), value.decode()) for name, value in message.get("headers", ())]
            self.handshake_deferred.errback(ConnectionDeny(message["status"], reason="Refused"))  # type: ignore[no-untyped-call]
            del self.handshake_deferred
            self.server.protocol_disconnected(self)
        elif message["type"] == "websocket.send" and self.state in (self.STATE_CLOSING, self.STATE_CLOSED):
            return  # the application is told of the end after what it still had to read
        elif message["type"] != "websocket.http.response.body":
            super().handle_reply(message)


class StationServer(Server):  # type: ignore[misc]
    """Daphne, whose sockets have an inbox and can refuse with a status; it says how a connection is secured."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Give the application what it needs to know of the socket."""
        if scope["type"] == "websocket":
            scope["extensions"] = {"websocket.http.response": {}}
            tls = tls_of(protocol.transport)
            if tls is not None:
                scope["extensions"]["tls"] = tls
            scope["inbox"] = protocol.inbox
        else:
            scope["web_request"] = protocol
        return super().create_application(protocol, scope)


async def watched(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Run the application; a socket's through its inbox, a page's at the pace of its reader."""
    if scope["type"] == "websocket":
        receive = scope.pop("inbox").watching(receive)
    elif scope["type"] == "http":
        send = patiently(scope.pop("web_request"), send)
    await application(scope, receive, send)


def main() -> None:
    """Serve until stopped. No socket is closed for its age; a long queue of handshakes is held."""
    end_commands_of_last_life()
    end_tests_of_last_life()
    forget_sockets()
    forget_states()
    reactor.callLater(0, start_relays)  # type: ignore[arg-type]
    WebSocketFactory.protocol = StationProtocol
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    server = StationServer(
        application=watched,
        endpoints=[f"tcp:port={PORT}:interface=0.0.0.0:backlog=4096"],
        websocket_timeout=-1,
        websocket_connect_timeout=HANDSHAKE_TIMEOUT_S,
        websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        websocket_max_message_size=LONGEST_FRAME,
        websocket_max_frame_size=LONGEST_FRAME,
        application_close_timeout=CLOSE_WITHIN_S,
        server_name="llm",
    )
    if TLS_CERT:
        listen(server)
    server.run()
    logging.shutdown()
    os._exit(0)  # a page that is being sent would otherwise wait for the event loop that has just ended


if __name__ == "__main__":
    main()
