"""Who is on the local network: each address is called once, and who answers is known with its MAC address.

Where the process may (root, or CAP_NET_RAW), it asks by ARP itself: one packet an address, and an address that two
devices have is seen. Anyone may have the kernel ask instead: a datagram to an address makes it look for the owner, up
to three times, and its table of neighbours (netlink) says whom it found.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address

import ifaddr
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from stations.discovery.hosts import Host

PACKETS_PER_S = 180.0  # of the 200 that a search may send; the rest is for mDNS
ARP_COST, POKE_COST, TOUCH_COST = 1, 3, 2  # packets, with the kernel's repetitions
ADDRESSES_MAX = 1024  # the kernel's table of neighbours holds as many
LARGEST_PREFIX, SLICE_PREFIX = 22, 24
DISCARD_PORT = 9
TOUCHED_PORTS = (80, 443)
TOUCH_TIMEOUT_S = 0.3
ETHERTYPE_ARP, ARP_REQUEST = 0x0806, 1
FRAMES_AT_ONCE = 64  # then others have their turn
BROADCAST = b"\xff" * 6
ICMPV6_ECHO_REQUEST = 128
ALL_NODES = "ff02::1"
RTM_GETNEIGH, RTM_NEWNEIGH = 30, 28
NLM_F_REQUEST_DUMP = 0x301
NDA_DST, NDA_LLADDR = 1, 2
ANSWERS = 0x02 | 0x04 | 0x08 | 0x10  # NUD_REACHABLE, STALE, DELAY, PROBE (linux/neighbour.h)


@dataclass(frozen=True, slots=True)
class Network:
    """A network that is searched; own ones have the interface they are at, and the machine's own address there."""

    network: IPv4Network
    interface: str = ""
    own_ip: str = ""
    is_cut: bool = False

    def addresses(self) -> list[str]:
        """List whom to call."""
        return [str(address) for address in self.network.hosts() if str(address) != self.own_ip]


def own_networks() -> list[Network]:
    """List the private networks of this machine's interfaces; of a very large one, the part around the machine."""
    found: dict[IPv4Network, Network] = {}
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            if isinstance(entry.ip, str) and entry.network_prefix < 31:
                network = _network_of(IPv4Interface(f"{entry.ip}/{entry.network_prefix}"), adapter.nice_name)
                if network is not None:
                    found.setdefault(network.network, network)
    return sorted(found.values(), key=lambda network: network.network)


def _network_of(own: IPv4Interface, interface: str) -> Network | None:
    if not own.ip.is_private or own.ip.is_loopback or own.ip.is_link_local:
        return None
    is_cut = own.network.prefixlen < LARGEST_PREFIX
    network = IPv4Network(f"{own.ip}/{SLICE_PREFIX}", strict=False) if is_cut else own.network
    return Network(network, interface, str(own.ip), is_cut)


def other_networks(text: str) -> list[Network]:
    """Read networks that are reached through a router (192.168.2.0/24 …). Raises ValidationError."""
    found: dict[IPv4Network, None] = {}
    for part in filter(None, re.split(r"[\s,;]+", text.strip())):
        try:
            network = IPv4Network(part, strict=False)
        except ValueError:
            message = _("“%(part)s” is no network: write it like 192.168.1.0/24.")
            raise ValidationError(message % {"part": part}) from None
        if not network.is_private or network.is_loopback or network.is_link_local:
            message = _("%(part)s is not a network of the building: only private networks are searched.")
            raise ValidationError(message % {"part": part})
        found[network] = None
        if sum(known.num_addresses for known in found) > ADDRESSES_MAX:
            raise ValidationError(
                _("At most %(number)d addresses are searched at once: %(part)s is too many. Search a part of them.")
                % {"number": ADDRESSES_MAX, "part": part}
            )
    return [Network(network) for network in found]


class Pace:
    """Spaces what is sent: so many packets a second, whoever sends them."""

    def __init__(self, packets_per_s: float = PACKETS_PER_S) -> None:
        self._gap_s = 1 / packets_per_s
        self._free_at_s = 0.0

    async def take(self, packets: int) -> None:
        """Wait for the turn of so many packets."""
        now_s = asyncio.get_running_loop().time()
        wait_s = max(0.0, self._free_at_s - now_s)
        self._free_at_s = now_s + wait_s + packets * self._gap_s
        await asyncio.sleep(wait_s)


# --- ARP by ourselves


class ArpEar:
    """Asks by ARP over one interface, and hears who answers, all of them."""

    def __init__(self, network: Network, seen: list[Host]) -> None:
        """Raises PermissionError where the process may not, OSError where the interface has no ARP."""
        self._network, self._seen = network, seen
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP))
        self._socket.setblocking(False)
        try:
            self._socket.bind((network.interface, ETHERTYPE_ARP))
            self._own_mac: bytes = self._socket.getsockname()[4]
            if len(self._own_mac) != len(BROADCAST):
                raise OSError(f"{network.interface} has no ARP")
        except OSError:
            self._socket.close()
            raise
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def ask(self, ip: str) -> None:
        """Ask who has an address."""
        head = BROADCAST + self._own_mac + struct.pack("!HHHBBH", ETHERTYPE_ARP, 1, 0x0800, 6, 4, ARP_REQUEST)
        own = self._own_mac + IPv4Address(self._network.own_ip).packed
        with suppress(OSError):
            self._socket.send(head + own + bytes(6) + IPv4Address(ip).packed)

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _hear(self) -> None:
        """Note the sender of each packet, request or answer, that is of this network."""
        with suppress(OSError):
            for _frame in range(FRAMES_AT_ONCE):
                frame = self._socket.recv(128)
                mac, ip = frame[22:28], frame[28:32]
                if len(ip) == 4 and mac != self._own_mac and IPv4Address(ip) in self._network.network:
                    self._seen.append(Host(mac.hex(":"), (str(IPv4Address(ip)),)))


@contextmanager
def ears(networks: Sequence[Network], seen: list[Host]) -> Iterator[dict[Network, ArpEar]]:
    """Listen for ARP at each own network, as far as the process may."""
    opened: dict[Network, ArpEar] = {}
    try:
        for network in networks:
            with suppress(OSError):
                opened[network] = ArpEar(network, seen)
        yield opened
    finally:
        for ear in opened.values():
            ear.close()


# --- by the kernel


def poke(sock: socket.socket, ip: str) -> None:
    """Send an empty datagram, so that the kernel looks for the owner of an address."""
    with suppress(OSError):
        sock.sendto(b"", (ip, DISCARD_PORT))


def call_all_nodes(interfaces: Iterable[str]) -> None:
    """Have the IPv6 hosts at these interfaces answer, so that the kernel learns of them; only root may (ff02::1)."""
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        for interface in interfaces:
            scope = socket.if_nametoindex(interface)
            sock.sendto(struct.pack("!BBHHH", ICMPV6_ECHO_REQUEST, 0, 0, 0, 0), (ALL_NODES, 0, 0, scope))


def neighbours(interfaces: Iterable[str]) -> list[Host]:
    """Read whom the kernel knows at these interfaces, by IPv4 and IPv6 (rtnetlink(7), RTM_GETNEIGH).

    Raises OSError where an interface has gone.
    """
    numbers = {socket.if_nametoindex(interface) for interface in interfaces}
    found: list[Host] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(1.0)
        body = struct.pack("=BxxxiHBB", socket.AF_UNSPEC, 0, 0, 0, 0)
        sock.send(struct.pack("=IHHII", 16 + len(body), RTM_GETNEIGH, NLM_F_REQUEST_DUMP, 1, 0) + body)
        while True:
            data = sock.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind != RTM_NEWNEIGH:
                    return found
                host = _neighbour(data[16:length], numbers)
                if host is not None:
                    found.append(host)
                data = data[(length + 3) & ~3 :]


def _neighbour(message: bytes, interfaces: set[int]) -> Host | None:
    """Read one entry of the kernel's table; None where nobody answers there."""
    _family, interface, state = struct.unpack_from("=BxxxiH", message)
    parts, rest = {}, message[12:]
    while len(rest) >= 4:
        length, kind = struct.unpack_from("=HH", rest)
        parts[kind] = rest[4:length]
        rest = rest[max(4, (length + 3) & ~3) :]
    mac = parts.get(NDA_LLADDR, b"")
    if interface not in interfaces or not state & ANSWERS or len(mac) != 6:
        return None
    address = ip_address(parts[NDA_DST])
    return None if address.is_multicast else Host(mac.hex(":"), (str(address),))


# --- through a router


async def touch(ip: str, pace: Pace) -> Host | None:
    """See whether a host beyond a router lives: it takes or refuses a connection. None where nothing comes back."""
    lives = await asyncio.gather(*(_answers(ip, port, pace) for port in TOUCHED_PORTS))
    return Host(ips=(ip,)) if any(lives) else None


async def _answers(ip: str, port: int, pace: Pace) -> bool:
    await pace.take(TOUCH_COST)
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(TOUCH_TIMEOUT_S):
            with suppress(ConnectionRefusedError):
                _reader, writer = await asyncio.open_connection(ip, port)
                writer.close()
            return True
    return False
