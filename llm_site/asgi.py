"""The web process: pages over HTTP, stations over WebSocket."""

import io
import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.urls import re_path
from django.utils import translation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
http = get_asgi_application()

from accounts.addresses import is_trusted_proxy  # noqa: E402 (needs the apps loaded)
from llm_site.clock import InstallationTimeZone  # noqa: E402
from llm_site.errors import is_no_room, no_room  # noqa: E402
from stations.ocpp16.consumer import StationConsumer  # noqa: E402


async def pages(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve HTTP; where a trusted proxy ended TLS, as https.

    Below /api/ the path is routed as it was sent: a `%2F` within an identity separates nothing.
    """
    client = (scope.get("client") or [None])[0]
    if is_trusted_proxy(client) and dict(scope["headers"]).get(b"x-forwarded-proto", b"").lower() == b"https":
        scope = {**scope, "scheme": "https"}
    raw_path = scope.get("raw_path", b"").partition(b"?")[0]
    if raw_path.startswith(b"/api/"):
        scope = {**scope, "path": raw_path.decode("latin1")}
    try:
        await http(scope, receive, send)
    except OSError as error:  # of the body, which Django puts on the disk before its own pages for errors can help
        if not is_no_room(error):
            raise
        with translation.override(translation.get_language_from_request(ASGIRequest(scope, io.BytesIO()))):
            answer = no_room()
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.items()]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


stations = InstallationTimeZone(URLRouter([re_path(r"^ocpp/[\s\S]*$", StationConsumer.as_asgi())]))
application = ProtocolTypeRouter({"http": pages, "websocket": stations})
