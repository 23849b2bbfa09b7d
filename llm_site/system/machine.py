"""What the page shows of the machine: its names, addresses and uptime, and where stations connect to."""

import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import ifaddr
from django.conf import settings

from llm_site.system.identity import host_name

STARTED_AT = datetime.fromtimestamp(time.time(), UTC)


@dataclass(frozen=True, slots=True)
class Address:
    """An address of one of the machine's interfaces."""

    interface: str
    ip: str

    @property
    def is_ipv6(self) -> bool:
        """Say of which family it is."""
        return ":" in self.ip


def addresses() -> list[Address]:
    """List the addresses at which others can reach this machine: neither loopback nor link-local."""
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            ip = ip_address(text.partition("%")[0])
            if not (ip.is_loopback or ip.is_link_local or ip.is_unspecified):
                found.append(Address(adapter.nice_name, str(ip)))
    return sorted(found, key=lambda address: (address.is_ipv6, address.interface, address.ip))


def name_url() -> str:
    """Return the address of the pages by name (SPEC S2)."""
    port = "" if settings.PORT == 80 else f":{settings.PORT}"
    return f"http://{host_name()}.local{port}/"


def ocpp_addresses() -> list[str]:
    """List what can be entered in a station, without its identity: the name first, then each address."""
    hosts = [f"[{known.ip}]" if known.is_ipv6 else known.ip for known in addresses()]
    if settings.MDNS:
        hosts.insert(0, f"{host_name()}.local")
    found = [f"ws://{host}:{settings.PORT}/ocpp/" for host in hosts]
    if settings.TLS_CERT:
        found += [f"wss://{host}:{settings.TLS_PORT}/ocpp/" for host in hosts]
    return found


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
