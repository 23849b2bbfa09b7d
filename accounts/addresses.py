"""Where a request or a connection comes from; a proxy that `LLM_TRUSTED_PROXIES` names is believed, nobody else."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def is_trusted_proxy(address: str | None) -> bool:
    """Say whether headers from an address are believed."""
    return address is not None and any(ip_address(address) in ip_network(net) for net in settings.TRUSTED_PROXIES)


def forwarded_address(header: str) -> str | None:
    """Return where the first proxy that is believed was called from, by X-Forwarded-For; None where it does not say.

    Each proxy writes on the right whom it saw: what stands left of the first that is not believed, anybody can write.
    """
    seen = None
    for entry in reversed(header.split(",")):
        address = _address_in(entry.strip())
        seen = address or seen
        if not is_trusted_proxy(address):
            break
    return seen


def _address_in(entry: str) -> str | None:
    """Read an address, which may have a port; IPv6 with a port is in brackets."""
    host = entry[1:].partition("]")[0] if entry.startswith("[") else entry
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def client_address(request: HttpRequest) -> str | None:
    """Return where a request comes from; None where it came over no network."""
    peer = request.META.get("REMOTE_ADDR") or None
    if not is_trusted_proxy(peer):
        return peer
    return forwarded_address(request.headers.get("X-Forwarded-For", "")) or peer
