"""From where somebody comes: the connection itself, or what a proxy of `LLM_TRUSTED_PROXIES` says of it."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def is_trusted(client: str | None) -> bool:
    """Say whether headers from an address are believed."""
    return client is not None and any(ip_address(client) in ip_network(net) for net in settings.TRUSTED_PROXIES)


def visitor_address(client: str | None, forwarded_for: str) -> str | None:
    """Return the address of a visitor: where a trusted proxy connects, the one which that proxy saw."""
    if not is_trusted(client):
        return client
    try:
        return str(ip_address(forwarded_for.rpartition(",")[2].strip()))
    except ValueError:
        return client


def is_encrypted_before(client: str | None, forwarded_proto: str) -> bool:
    """Say whether a trusted proxy ended TLS."""
    return is_trusted(client) and forwarded_proto.lower() in ("https", "wss")


def address_of(request: HttpRequest) -> str | None:
    """Return the visitor's address; None where the request came over no network."""
    return visitor_address(request.META.get("REMOTE_ADDR") or None, request.META.get("HTTP_X_FORWARDED_FOR", ""))
