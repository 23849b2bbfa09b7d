"""Where a station finds the load manager: the address to enter at it, and the addresses of this machine."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import ifaddr
from django.conf import settings
from django.http import HttpRequest

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Address:
    """An address of one of the machine's interfaces."""

    interface: str
    ip: str

    @property
    def is_ipv6(self) -> bool:
        """Say of which family it is."""
        return ":" in self.ip

    @property
    def host(self) -> str:
        """Write it as it stands in a URL."""
        return f"[{self.ip}]" if self.is_ipv6 else self.ip


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


def addresses_to_enter(host: str, *, is_secure: bool, identity: str = "") -> list[str]:
    """List what may be entered at a station, with arguments as of `ocpp_address`: any one of it will do.

    What the browser has used; where that names this machine alone, the machine's addresses in the network with the same
    port instead, of IPv6 only where it has no others. None are known: what the browser has used.
    """
    hosts = [host]
    if is_this_machine_only(host):
        port, known = re.search(r":\d+$", host), addresses()
        known = [address for address in known if not address.is_ipv6] or known
        hosts = [f"{address.host}{port[0] if port else ''}" for address in known] or hosts
    return [ocpp_address(host, is_secure=is_secure, identity=identity) for host in hosts]


def where_to_connect(request: HttpRequest, identity: str = "") -> dict[str, Any]:
    """Tell a page which addresses may be entered at a station, and whether none is known that it could reach."""
    found = addresses_to_enter(request.get_host(), is_secure=request.is_secure(), identity=identity)
    return {"addresses": found, "is_this_machine_only": is_this_machine_only(urlsplit(found[0]).netloc)}


def ocpp_address(host: str, *, is_secure: bool, identity: str = "") -> str:
    """Return the address a station is to be set to: `ws://<host>/ocpp/<identity>`, `wss://` where TLS is served.

    `host` is what the browser has used, with its port (`request.get_host()`), `is_secure` whether it came over TLS.
    Without an identity the address ends where the station's own is to be written.
    """
    if is_secure:
        return _address("wss", host, identity)
    if not settings.TLS_CERT:
        return _address("ws", host, identity)
    name = urlsplit(f"//{host}").hostname or host
    name = f"[{name}]" if ":" in name else name
    port = "" if settings.TLS_PORT == HTTPS_PORT else f":{settings.TLS_PORT}"
    return _address("wss", f"{name}{port}", identity)


def _address(scheme: str, host: str, identity: str) -> str:
    return f"{scheme}://{host}/ocpp/{quote(identity, safe='')}"


def is_this_machine_only(host: str) -> bool:
    """Say whether a host as above names the machine the browser runs on, which no station can reach by it."""
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.startswith("127.") or name == "::1"
