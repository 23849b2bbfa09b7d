"""The web process: pages over HTTP, stations over WebSocket."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
http = get_asgi_application()

from stations.ocpp16.consumer import StationConsumer  # noqa: E402 (needs the apps loaded)
from stations.services import forget_sockets  # noqa: E402

forget_sockets()
application = ProtocolTypeRouter(
    {"http": http, "websocket": URLRouter([re_path(r"^ocpp/(?P<path>.+)$", StationConsumer.as_asgi())])}
)
