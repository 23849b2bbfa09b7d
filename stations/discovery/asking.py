"""What a host that is there says of itself: its open ports, and its names by DNS, mDNS and NetBIOS."""

import asyncio
import re
import secrets
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from zeroconf import DNSIncoming, DNSOutgoing, DNSPointer, DNSQuestion  # type: ignore[attr-defined]  # not in __all__

from stations.discovery.hosts import Host, first_label
from stations.discovery.lan import Pace

PORTS = (80, 443, 8080, 502)
WITHIN_S = 0.6
PORT_COST, NAME_COST = 2, 1  # packets
RESOLV_CONF = Path("/etc/resolv.conf")
DNS_PORT, MDNS_PORT, NETBIOS_PORT = 53, 5353, 137
TYPE_PTR, CLASS_IN, QUERY, RECURSION_DESIRED = 12, 1, 0, 0x0100
# A node status request for "*" (RFC 1002 §4.2.17); the name is written in half bytes from A on (RFC 1001 §14.1).
NODE_STATUS = struct.pack("!HHHHHH", 0x4C4D, 0, 1, 0, 0, 0) + b"\x20CK" + b"A" * 30 + b"\x00" + b"\x00\x21\x00\x01"
NODE_NAMES_AT, NODE_NAME_LENGTH, GROUP_NAME = 56, 18, 0x80


async def ask(ip: str, pace: Pace) -> Host:
    """Ask one host for all of it, four connections at most; what it does not answer in time is left out."""
    asked = [(server, DNS_PORT) for server in name_servers()] + [(ip, MDNS_PORT)]
    by_dns = [_name_by_dns(ip, server, pace) for server in asked]
    ports, names = await asyncio.gather(_open_ports(ip, pace), asyncio.gather(*by_dns, _name_by_netbios(ip, pace)))
    known = {name.lower(): name for name in reversed(names) if name}
    return Host(ips=(ip,), names=tuple(known.values()), ports=ports)


async def _open_ports(ip: str, pace: Pace) -> tuple[int, ...]:
    is_open = await asyncio.gather(*(_is_open(ip, port, pace) for port in PORTS))
    return tuple(port for port, answers in zip(PORTS, is_open, strict=True) if answers)


async def _is_open(ip: str, port: int, pace: Pace) -> bool:
    await pace.take(PORT_COST)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(WITHIN_S):
            _reader, writer = await asyncio.open_connection(ip, port)
            writer.close()
            return True
    return False


def name_servers() -> list[str]:
    """List the name servers of the building: others are not told which addresses there are in it."""
    with suppress(OSError):
        found = re.findall(r"^\s*nameserver\s+(\S+)", RESOLV_CONF.read_text(), re.MULTILINE)
        return [server for server in found if _is_of_the_building(server)]
    return []


def _is_of_the_building(server: str) -> bool:
    try:
        return ip_address(server).is_private
    except ValueError:
        return False


async def _name_by_dns(ip: str, server: tuple[str, int], pace: Pace) -> str:
    """Ask a name server, or the host itself as multicast DNS allows (RFC 6762 §5.5), for the name of an address."""
    number, name = secrets.randbits(16), f"{ip_address(ip).reverse_pointer}."
    question = DNSOutgoing(QUERY | RECURSION_DESIRED, multicast=False, id_=number)
    question.add_question(DNSQuestion(name, TYPE_PTR, CLASS_IN))

    def read(data: bytes) -> str:
        answer = DNSIncoming(data)
        pointers = [entry for entry in answer.answers() if isinstance(entry, DNSPointer)] if answer.valid else []
        fits = answer.id in (number, 0) and pointers and pointers[0].name.lower() == name
        return first_label(pointers[0].alias) if fits else ""

    return await _answer(question.packets()[0], server, read, pace)


async def _name_by_netbios(ip: str, pace: Pace) -> str:
    return await _answer(NODE_STATUS, (ip, NETBIOS_PORT), node_name, pace)


def node_name(data: bytes) -> str:
    """Read the answer to a node status request: the machine's own name (RFC 1002 §4.2.18); empty where it has none."""
    if len(data) <= NODE_NAMES_AT or data[:2] != NODE_STATUS[:2]:
        return ""
    for number in range(data[NODE_NAMES_AT]):
        start = NODE_NAMES_AT + 1 + number * NODE_NAME_LENGTH
        entry = data[start : start + NODE_NAME_LENGTH]
        is_own = len(entry) == NODE_NAME_LENGTH and entry[15] == 0 and not entry[16] & GROUP_NAME
        if is_own:
            return first_label(entry[:15].decode("ascii", "replace"))
    return ""


class _Once(asyncio.DatagramProtocol):
    """Waits for the one datagram that can be read."""

    def __init__(self, read: Callable[[bytes], str]) -> None:
        self.name: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._read = read

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 (asyncio's interface)
        """Take it, unless it says nothing."""
        name = self._read(data)
        if name and not self.name.done():
            self.name.set_result(name)

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002
        """Nobody listens there: there is nothing to wait for."""
        if not self.name.done():
            self.name.set_result("")


async def _answer(packet: bytes, server: tuple[str, int], read: Callable[[bytes], str], pace: Pace) -> str:
    """Send one datagram and wait for its answer; empty where none comes in time."""
    await pace.take(NAME_COST)
    try:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Once(read), remote_addr=server
        )
    except OSError:
        return ""
    try:
        transport.sendto(packet)
        async with asyncio.timeout(WITHIN_S):
            return await protocol.name
    except TimeoutError:
        return ""
    finally:
        transport.close()
