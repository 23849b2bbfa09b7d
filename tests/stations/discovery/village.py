"""A network of namespaces: each device has a MAC address, an address and a way to make itself known, or none.

All of their sockets are served by one thread: a socket stays in the namespace in which it was made.
"""

import ctypes
import os
import selectors
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

from zeroconf import DNSAddress, DNSIncoming, DNSOutgoing, DNSPointer, DNSService, DNSText

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
CAPABILITIES_V3, CAP_NET_RAW = 0x20080522, 13
RESPONSE, CLASS_IN = 0x8400, 1
MDNS = "224.0.0.251"


@dataclass(frozen=True)
class Device:
    """One on the network; `services` and `announces`: types and addresses that it says by mDNS.

    `by`: who tells its name when asked: dns (the router), netbios, or the host itself (mDNS by unicast).
    """

    ip: str
    mac: str
    name: str = ""
    services: tuple[str, ...] = ()
    by: str = ""
    announces: tuple[str, ...] = ()
    delay_s: float = 0.0
    ports: tuple[int, ...] = ()
    is_station: bool = False


def can_make_namespaces() -> str:
    """Say why this machine cannot make namespaces; empty: it can."""
    name = f"llm-try-{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    except FileNotFoundError:
        return "no `ip` command (iproute2)"
    return made.stderr.strip() if made.returncode else ""


def ip_batch(*lines: str, inside: str = "") -> None:
    at = ["-n", inside] if inside else []
    subprocess.run(["ip", *at, "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)


@contextmanager
def inside(name: str):
    """Be in a namespace, this thread alone and what it starts."""
    with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{name}") as wanted:
        assert LIBC.setns(wanted.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            LIBC.setns(own.fileno(), CLONE_NEWNET)


@contextmanager
def without_raw_sockets():
    """Let this thread do only what everybody may."""
    header, data = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()
    assert LIBC.capget(header, data) == 0
    before = data[0]
    data[0] = before & ~(1 << CAP_NET_RAW)
    assert LIBC.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] = before
        assert LIBC.capset(header, data) == 0


class Village:
    """Devices at two bridges, and the load manager's machine `home` at both."""

    def __init__(self, devices: list[Device], home: dict[str, str], server: Device) -> None:
        self._devices, self._server = devices, server
        self._prefix = f"llm{os.getpid()}"
        self.home, self._lan = f"{self._prefix}-home", f"{self._prefix}-lan"
        self._names = [f"{self._prefix}-{number}" for number in range(len(devices))]
        self._selector, self._stopped = selectors.DefaultSelector(), threading.Event()
        self._due: list[tuple[float, object]] = []
        ip_batch(*(f"netns add {name}" for name in [self.home, self._lan, *self._names]))
        ip_batch(*(f"link add {bridge} up type bridge" for bridge in home), inside=self._lan)
        ip_batch("link set lo up", inside=self.home)
        for number, (bridge, ip) in enumerate(home.items()):
            self._plug(self.home, f"eth{number}", f"h{number}", bridge, ip, f"02:00:00:00:00:0{number}")
        bridges = {ip.rpartition(".")[0]: bridge for bridge, ip in home.items()}
        for number, (name, device) in enumerate(zip(self._names, devices, strict=True)):
            bridge = bridges[device.ip.rpartition(".")[0]]
            self._plug(name, "eth0", f"d{number}", bridge, device.ip, device.mac)
            with inside(name):
                self._open(device)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _plug(self, name, interface, port, bridge, ip, mac):
        ip_batch(
            f"link add {port} up master {bridge} type veth peer {interface} address {mac} netns {name}",
            inside=self._lan,
        )
        ip_batch(f"link set {interface} up", f"addr add {ip}/24 dev {interface}", inside=name)

    def close(self):
        self._stopped.set()
        self._thread.join(10)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        ip_batch(*(f"netns del {name}" for name in [self.home, self._lan, *self._names]))

    def packets_from_home(self) -> int:
        """Count what the load manager's machine has sent."""
        found = [f"/sys/class/net/eth{number}/statistics/tx_packets" for number in range(2)]
        script = subprocess.run(
            ["ip", "netns", "exec", self.home, "cat", *found], capture_output=True, text=True, check=True
        )
        return sum(map(int, script.stdout.split()))

    def forget_neighbours(self):
        ip_batch("neigh flush all", inside=self.home)

    @contextmanager
    def beyond_a_router(self, interface, own_ip):
        """Let the machine be in no network at this interface, but have a way to it."""
        network = f"{own_ip.rpartition('.')[0]}.0/24"
        way = f"route add {network} dev {interface}"
        ip_batch(
            f"addr del {own_ip}/24 dev {interface}", f"addr add {own_ip}/32 dev {interface}", way, inside=self.home
        )
        yield
        ip_batch(f"addr del {own_ip}/32 dev {interface}", f"addr add {own_ip}/24 dev {interface}", inside=self.home)

    # --- the devices

    def _open(self, device):
        for port in device.ports:
            listener = socket.create_server((device.ip, port))
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        if device.services or device.by == "host":
            member = socket.inet_aton(MDNS) + struct.pack("@ii", 0, socket.if_nametoindex("eth0"))
            sock = self._udp(5353, device, self._mdns)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
        if device.by == "netbios":
            self._udp(137, device, self._netbios)
        if device == self._server:
            self._udp(53, device, self._dns)

    def _udp(self, port, device, answer):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", port))
        self._selector.register(sock, selectors.EVENT_READ, partial(self._hear, sock, device, answer))
        return sock

    def _accept(self, listener):
        listener.accept()[0].close()

    def _hear(self, sock, device, answer):
        data, sender = sock.recvfrom(2000)
        self._due.append((time.monotonic() + device.delay_s, partial(answer, sock, device, data, sender)))

    def _serve(self):
        while not self._stopped.is_set():
            for key, _events in self._selector.select(0.02):
                key.data()
            now = time.monotonic()
            due, self._due = [act for at, act in self._due if at <= now], [one for one in self._due if one[0] > now]
            for act in due:
                act()

    def _mdns(self, sock, device, data, sender):
        asked = DNSIncoming(data)
        names = {question.name for question in asked.questions}
        if device.by == "host":
            if f"{ip_address(device.ip).reverse_pointer}." in names:
                self._point(sock, asked, device, sender)
            return
        out, host = DNSOutgoing(RESPONSE), f"{device.name}.local."
        for service in device.services:
            if service in names:
                full = f"{device.name}.{service}"
                out.add_answer_at_time(DNSPointer(service, 12, CLASS_IN, 120, full), 0)
                out.add_additional_answer(DNSService(full, 33, CLASS_IN, 120, 0, 0, 80, host))
                out.add_additional_answer(DNSText(full, 16, CLASS_IN, 120, b"\x00"))
                for ip in device.announces or (device.ip,):
                    packed = ip_address(ip).packed
                    out.add_additional_answer(DNSAddress(host, 1 if len(packed) == 4 else 28, CLASS_IN, 120, packed))
        if out.answers:
            sock.sendto(out.packets()[0], (MDNS, 5353))

    def _dns(self, sock, _device, data, sender):
        asked = DNSIncoming(data)
        name = asked.questions[0].name
        for device in self._devices:
            if device.by == "dns" and f"{ip_address(device.ip).reverse_pointer}." == name:
                self._point(sock, asked, device, sender)

    def _point(self, sock, asked, device, sender):
        out = DNSOutgoing(RESPONSE, multicast=False, id_=asked.id)
        alias = f"{device.name}.lan."
        out.add_answer_at_time(DNSPointer(asked.questions[0].name, 12, CLASS_IN, 120, alias), 0)
        sock.sendto(out.packets()[0], sender)

    def _netbios(self, sock, device, data, sender):
        entry = device.name[:15].upper().ljust(15).encode() + b"\x00\x04\x00"
        group = b"WORKGROUP".ljust(15) + b"\x00\x84\x00"
        record = data[12:46] + struct.pack("!HHIH", 0x21, 1, 0, 1 + 2 * 18) + b"\x02" + group + entry
        sock.sendto(data[:2] + struct.pack("!HHHHH", RESPONSE, 0, 1, 0, 0) + record, sender)
