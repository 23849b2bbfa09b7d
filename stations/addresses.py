"""Where a station finds the load manager: the machine's addresses, and the address to enter at a station."""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

import ifaddr
from django.conf import settings
from django.http import HttpRequest

from stations.models import Station

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Address:
    """An address of one of the machine's interfaces, and how many bits of it name the network."""

    interface: str
    ip: str
    prefix: int

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
                found.append(Address(adapter.nice_name, str(ip), entry.network_prefix))
    return sorted(found, key=lambda address: (address.is_ipv6, address.interface, address.ip))


def ocpp_addresses(name: str = "") -> list[str]:
    """List what can be entered in a station, without its identity: the machine's name if given, then each address."""
    hosts = [known.host for known in addresses()]
    if name:
        hosts.insert(0, name)
    found = [f"ws://{host}:{settings.PORT}/ocpp/" for host in hosts]
    if settings.TLS_CERT:
        found += [f"wss://{host}:{settings.TLS_PORT}/ocpp/" for host in hosts]
    return found


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


def ocpp_address_for(ip: str, identity: str, *, host: str, is_secure: bool) -> str:
    """Return the address to enter at the station that has this IPv4 address.

    It has this machine's own address in the station's network, as many stations resolve no names; `host` and
    `is_secure`, as the browser came, count where there is none, or where a proxy stands before the load manager.
    """
    own = [known for known in addresses() if not known.is_ipv6]
    near = [known.ip for known in own if ip and _is_in(ip, known)]
    if not near and is_this_machine_only(host):
        near = [known.ip for known in own]
    if near and not settings.TRUSTED_PROXIES:
        return ocpp_address(f"{near[0]}:{settings.PORT}", is_secure=False, identity=identity)
    return ocpp_address(host, is_secure=is_secure, identity=identity)


def _is_in(ip: str, own: Address) -> bool:
    return ip_address(ip) in ip_network(f"{own.ip}/{own.prefix}", strict=False)


def stations_at_lost_addresses() -> dict[str, list[Station]]:
    """Return the stations that are set to an address which this machine no longer has, by that address.

    An address under which another station is connected is not lost.
    """
    calling = Station.objects.exclude(called_address="").order_by("name", "identity")
    reached = set(calling.exclude(socket_id="").values_list("called_address", flat=True))
    kept = reached | {known.ip for known in addresses()}
    lost: dict[str, list[Station]] = {}
    for station in calling.filter(socket_id="").exclude(called_address__in=kept):
        lost.setdefault(station.called_address, []).append(station)
    return lost
