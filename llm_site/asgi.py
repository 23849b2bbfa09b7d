"""The web process: pages over HTTP, stations over WebSocket."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
http = get_asgi_application()

from llm_site.clock import InstallationTimeZone  # noqa: E402 (needs the apps loaded)
from stations.ocpp16.consumer import StationConsumer  # noqa: E402

stations = InstallationTimeZone(URLRouter([re_path(r"^ocpp/[\s\S]*$", StationConsumer.as_asgi())]))
application = ProtocolTypeRouter({"http": http, "websocket": stations})
