"""Where a request or a connection comes from; a proxy that `LLM_TRUSTED_PROXIES` names is believed, nobody else."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def is_trusted_proxy(address: str | None) -> bool:
    """Say whether headers from an address are believed."""
    return address is not None and any(ip_address(address) in ip_network(net) for net in settings.TRUSTED_PROXIES)


def forwarded_address(header: str) -> str | None:
    """Return the address that the nearest proxy saw, from its X-Forwarded-For; None where it is none."""
    try:
        return str(ip_address(header.rpartition(",")[2].strip()))
    except ValueError:
        return None


def client_address(request: HttpRequest) -> str | None:
    """Return where a request comes from; None where it came over no network."""
    peer = request.META.get("REMOTE_ADDR") or None
    if not is_trusted_proxy(peer):
        return peer
    return forwarded_address(request.headers.get("X-Forwarded-For", "")) or peer
