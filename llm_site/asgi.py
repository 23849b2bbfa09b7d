"""The web process: pages over HTTP, stations over WebSocket."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
http = get_asgi_application()

from accounts.addresses import is_trusted_proxy  # noqa: E402 (needs the apps loaded)
from llm_site.clock import InstallationTimeZone  # noqa: E402
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
    await http(scope, receive, send)


stations = InstallationTimeZone(URLRouter([re_path(r"^ocpp/[\s\S]*$", StationConsumer.as_asgi())]))
application = ProtocolTypeRouter({"http": pages, "websocket": stations})
