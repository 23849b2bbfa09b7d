"""Run the web process: Daphne on uvloop, prepared for storms of stations. `python -m llm_site.serve`."""

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

from llm_site.asgi import application  # noqa: E402
from llm_site.settings import PORT  # noqa: E402
from stations.services import forget_sockets  # noqa: E402

HANDSHAKE_TIMEOUT_S = 60
PING_INTERVAL_S, PING_TIMEOUT_S = 30, 60


class DenyingProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Daphne's WebSocket protocol, which also refuses a handshake with a chosen status (ASGI denial response)."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take an event of the application."""
        if message["type"] == "websocket.http.response.start":
            self.handshake_deferred.errback(ConnectionDeny(message["status"], reason="Refused"))  # type: ignore[no-untyped-call]
            del self.handshake_deferred
            self.server.protocol_disconnected(self)
        elif message["type"] != "websocket.http.response.body":
            super().handle_reply(message)


async def denying(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Tell the application that this server can refuse with a status."""
    if scope["type"] == "websocket":
        scope["extensions"] = {"websocket.http.response": {}}
    await application(scope, receive, send)


def main() -> None:
    """Serve until stopped. No socket is closed for its age; a long queue of handshakes is held."""
    forget_sockets()
    WebSocketFactory.protocol = DenyingProtocol
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    Server(
        application=denying,
        endpoints=[f"tcp:port={PORT}:interface=0.0.0.0:backlog=4096"],
        websocket_timeout=-1,
        websocket_connect_timeout=HANDSHAKE_TIMEOUT_S,
        websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        server_name="llm",
    ).run()
    logging.shutdown()
    os._exit(0)  # a page that is being sent would otherwise wait for the event loop that has just ended


if __name__ == "__main__":
    main()
