"""What the page shows of the machine: its names and uptime, and where stations connect to."""

import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from llm_site.system.identity import host_name
from stations import addresses

STARTED_AT = datetime.fromtimestamp(time.time(), UTC)


def name_url() -> str:
    """Return the address of the pages by name (SPEC S2)."""
    port = "" if settings.PORT == 80 else f":{settings.PORT}"
    return f"http://{host_name()}.local{port}/"


def ocpp_addresses() -> list[str]:
    """List what can be entered in a station, without its identity: the name first, then each address."""
    return addresses.ocpp_addresses(f"{host_name()}.local" if settings.MDNS else "")


def machine_name() -> str:
    """Return the machine's own host name."""
    return socket.gethostname()


def machine_started_at() -> datetime | None:
    """Return when the machine was switched on; None where it does not say."""
    try:
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return datetime.fromtimestamp(time.time() - uptime_s, UTC)
