"""What was seen on the network, put together: one host from all that was seen of it, and which station it is. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from stations.discovery.makers import ALFEN_HOST, HAGER_HOST, maker_named

LONGEST_LABEL = 63  # RFC 1035 §2.3.4


@dataclass(frozen=True, slots=True)
class Host:
    """One sighting, or all of them of one host; what is empty is not known. Addresses without a scope."""

    mac: str = ""
    ips: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Return the name that tells most: one of a station's pattern, where it has several."""
        return next((name for name in self.names if maker_named((name,), ())), self.names[0] if self.names else "")

    @property
    def ipv4(self) -> str:
        """Return the address to call it by; empty where it has none of IPv4."""
        return next((ip for ip in self.ips if ":" not in ip), "")

    def dump(self) -> list[Any]:
        """Write it as JSON takes it."""
        return [self.mac, list(self.ips), list(self.names), list(self.services), list(self.ports)]


def load(kept: Sequence[Any]) -> Host:
    """Read what `dump` wrote."""
    mac, *rest = kept
    return Host(mac, *(tuple(part) for part in rest))


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of a station that may be the one on the network."""

    number: int
    identity: str
    host_name: str = ""
    mac: str = ""
    serial_number: str = ""
    ip: str = ""


def plain_mac(text: str) -> str:
    """Write a MAC address as aa:bb:cc:dd:ee:ff; empty where it is none."""
    digits = "".join(sign for sign in text.lower() if sign in "0123456789abcdef")
    is_mac = len(digits) == 12 and set(text.lower()) <= set("0123456789abcdef:-. ")
    return ":".join(digits[start : start + 2] for start in range(0, 12, 2)) if is_mac else ""


def first_label(name: str) -> str:
    """Return a host name without its domain, and without what cannot be shown: anybody on the network may say it."""
    label = name.rstrip(".").partition(".")[0]
    return "".join(sign for sign in label if sign.isprintable())[:LONGEST_LABEL].strip()


def mac_in(ip: str) -> str:
    """Return the MAC address that a link-local IPv6 address was made of (RFC 4291 appendix A); empty where of none."""
    address = ip_address(ip)
    if not isinstance(address, IPv6Address) or not address.is_link_local or address.packed[11:13] != b"\xff\xfe":
        return ""
    digits = bytes([address.packed[8] ^ 2]) + address.packed[9:11] + address.packed[13:]
    return digits.hex(":")


def shared_ips(hosts: Iterable[Host]) -> dict[str, set[str]]:
    """Return the IPv4 addresses that more than one MAC address has, with those; none of them can be relied on."""
    owners: dict[str, set[str]] = {}
    for host in hosts:
        for ip in host.ips:
            if host.mac and ":" not in ip:
                owners.setdefault(ip, set()).add(host.mac)
    return {ip: macs for ip, macs in owners.items() if len(macs) > 1}


def merge(sightings: Iterable[Host]) -> list[Host]:
    """Put together what was seen of each host: by MAC address, else by address, else by name.

    An address that two have joins nothing: what was seen at it may be of either.
    """
    seen = [Host(_mac_of(host), *_rest(host)) for host in sightings]
    shared = shared_ips(seen)
    groups: list[Host] = []
    marked: defaultdict[str, set[int]] = defaultdict(set)
    for host in sorted(seen, key=lambda host: (not host.mac, not host.ips)):
        place = _place(host, groups, marked, shared)
        if place is None:
            place = len(groups)
            groups.append(host)
        else:
            groups[place] = _joined(groups[place], host)
        for mark in (_mac_mark(host), *map(_ip_mark, host.ips), *_name_marks(host)):
            marked[mark].add(place)
    return groups


def _mac_mark(host: Host) -> str:
    return f"mac {host.mac}"


def _ip_mark(ip: str) -> str:
    return f"ip {ip}"


def _name_marks(host: Host) -> set[str]:
    return {f"name {name.lower()}" for name in host.names}


def _mac_of(host: Host) -> str:
    found = {mac for ip in host.ips if (mac := mac_in(ip))}
    return host.mac or (found.pop() if len(found) == 1 else "")


def _rest(host: Host) -> tuple[Any, ...]:
    return host.ips, host.names, host.services, host.ports


def _place(
    host: Host, groups: Sequence[Host], marked: Mapping[str, set[int]], shared: dict[str, set[str]]
) -> int | None:
    """Find the group a sighting belongs to; None where to none that is known yet. `marked`: mark → places of groups."""
    if host.mac:
        return min(marked.get(_mac_mark(host), ()), default=None)
    for ip in host.ips:
        if ip not in shared and (places := marked.get(_ip_mark(ip))):
            return min(places)
    alike = set[int]().union(*(marked.get(mark, ()) for mark in _name_marks(host)))
    if len(alike) != 1:
        return None
    (place,) = alike
    return place if not host.ips or not groups[place].mac else None


def _joined(one: Host, other: Host) -> Host:
    """Add what another sighting says of a host."""
    parts = ((*mine, *more) for mine, more in zip(_rest(one), _rest(other), strict=True))
    return Host(one.mac or other.mac, *(tuple(dict.fromkeys(part)) for part in parts))


# --- which station it is


def _hager_endings(host: Host) -> set[str]:
    """A Hager station's host name ends with the last six characters of its OCPP identity."""
    return {match[1].lower() for name in host.names if (match := HAGER_HOST.fullmatch(name))}


def _alfen_serials(host: Host) -> set[str]:
    return {match[1].lower() for name in host.names if (match := ALFEN_HOST.fullmatch(name))}


def _may_be_at(host: Host, known: Known) -> bool:
    """Say whether an address that both have may be the station's: no MAC address speaks against it."""
    return not (host.mac and known.mac) or host.mac == plain_mac(known.mac)


def join(hosts: Sequence[Host], known: Sequence[Known]) -> dict[int, int]:
    """Say which host is which station: place in `hosts` → number of the station. The surest signs count first.

    A sign that fits several on either side says nothing; an address that two share says nothing either.
    """
    shared = shared_ips(hosts)
    signs: tuple[tuple[Callable[[Host], set[str]], Callable[[Known], set[str]]], ...] = (
        (lambda host: {host.mac}, lambda known: {plain_mac(known.mac)}),
        (_hager_endings, lambda known: {known.identity.lower()[-6:]}),
        (_alfen_serials, lambda known: {known.serial_number.lower(), known.identity.lower()}),
        (
            lambda host: {name.lower() for name in host.names},
            lambda known: {first_label(known.host_name).lower(), known.identity.lower()},
        ),
        (lambda host: set(host.ips), lambda known: {known.ip} - shared.keys()),
    )
    joined: dict[int, int] = {}
    for sign in signs:
        fits = _fits(sign, hosts, known, joined)
        if sign is signs[-1]:
            stations = {station.number: station for station in known}
            fits = {(place, number) for place, number in fits if _may_be_at(hosts[place], stations[number])}
        places, numbers = Counter(place for place, _ in fits), Counter(number for _, number in fits)
        joined |= {place: number for place, number in fits if places[place] == numbers[number] == 1}
    return joined


def _fits(
    sign: tuple[Callable[[Host], set[str]], Callable[[Known], set[str]]],
    hosts: Sequence[Host],
    known: Sequence[Known],
    joined: Mapping[int, int],
) -> set[tuple[int, int]]:
    """Pair the hosts and stations that are still open and have a sign in common."""
    shown_by, had_by = sign
    taken = set(joined.values())
    with_sign: defaultdict[str, list[int]] = defaultdict(list)
    for station in known:
        if station.number not in taken:
            for key in had_by(station) - {""}:
                with_sign[key].append(station.number)
    return {
        (place, number)
        for place, host in enumerate(hosts)
        if place not in joined
        for key in shown_by(host)
        for number in with_sign.get(key, ())
    }
