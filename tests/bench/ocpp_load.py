#!/usr/bin/env python3
"""OCPP 1.6-J load generator: many simulated charging stations in one process.

It needs nothing but Python >= 3.11 (uvloop is used when it is installed, and triples its speed). One process holds
10,000 stations and drives over 10,000 messages a second, so that the server on the other core is the bottleneck, not
the generator: a 'client_cpu' near 1.0 in the report means that the generator itself was saturated.

Stations speak WebSocket (RFC 6455) straight over asyncio: frames are built from templates and sent with an all-zero
masking key, so that masking costs nothing here. As OCPP-J demands, a station has one CALL outstanding at a time; it
answers every CALL of the server with {"status":"Accepted"}.

A run has up to four phases:
  1. connect   all stations connect (at most --concurrency handshakes at a time) and --settle seconds pass;
  2. load      --closed-loop: each station sends its next message as soon as the last one is answered;
               --rate R: R messages/s over all stations, or --interval T: each station one message every T seconds.
               The paced modes are open-loop: latency runs from the moment the message was DUE, so that a server that
               falls behind cannot hide it (no coordinated omission). --warmup seconds are not counted;
  3. storm     (--storm) every connection is reset, then all stations reconnect at once and send BootNotification;
  4. close.

Examples
  ocpp_load.py --url ws://127.0.0.1:9000/ocpp --stations 200 --closed-loop --duration 10 --pid $SERVER
  ocpp_load.py --url ws://127.0.0.1:9000/ocpp --stations 1000 --mix session --interval 10 --duration 60 --json
  ocpp_load.py --url ws://127.0.0.1:9000/ocpp --stations 10000 --hold 5 --pid $SERVER          # memory only
  ocpp_load.py --url ws://127.0.0.1:9000/ocpp --stations 1000 --hold 1 --storm --pid $SERVER

Exit status: 0 all well; 1 when a station failed to connect, a message failed or one stayed unanswered.
"""

import argparse
import array
import asyncio
import base64
import collections
import gc
import json
import math
import os
import resource
import socket
import struct
import sys
import time
from urllib.parse import urlsplit

CALL, RESULT, ERROR = b"2", b"3", b"4"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
WS_KEY, WS_ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the RFC's own example
NO_LINGER = struct.pack("ii", 1, 0)


# --- what a station says: generators that yield (action, payload) and are sent the server's answer ----------------

METER = (
    b'{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%s","sampledValue":['
    b'{"value":"%d","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},'
    b'{"value":"11040.0","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},'
    + b",".join(
        b'{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","phase":"L%d","unit":"A"},'
        b'{"value":"230.0","context":"Sample.Periodic","measurand":"Voltage","phase":"L%d-N","unit":"V"}' % (p, p)
        for p in (1, 2, 3)
    )
    + b"]}]}"
)
BOOT = b'{"chargePointVendor":"Bench","chargePointModel":"Load-1","firmwareVersion":"1.0"}'
STATUS = b'{"connectorId":1,"errorCode":"NoError","status":"%s","timestamp":"%s"}'


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()


def heartbeat(_number, _args):
    """Heartbeats only: the cheapest message, hence the server's per-message overhead."""
    while True:
        yield b"Heartbeat", b"{}"


def session(number, args):
    """Boot once, then charging sessions for ever: a MeterValues has 8 samples, and --meter-values of them a session."""
    tag, energy = (args.id_tag % number).encode(), number
    yield b"BootNotification", BOOT
    while True:
        yield b"StatusNotification", STATUS % (b"Preparing", now())
        yield b"Authorize", b'{"idTag":"%s"}' % tag
        answer = yield (
            b"StartTransaction",
            b'{"connectorId":1,"idTag":"%s","meterStart":%d,"timestamp":"%s"}' % (tag, energy, now()),
        )
        transaction = json.loads(answer)[2].get("transactionId", 0) if answer else 0
        yield b"StatusNotification", STATUS % (b"Charging", now())
        for _ in range(args.meter_values):
            energy += 10
            yield b"MeterValues", METER % (transaction, now(), energy)
        yield (
            b"StopTransaction",
            b'{"transactionId":%d,"idTag":"%s","meterStop":%d,"timestamp":"%s","reason":"Local"}'
            % (transaction, tag, energy, now()),
        )
        yield b"StatusNotification", STATUS % (b"Available", now())


def metering(number, args):
    """One charging session that never ends: MeterValues of 8 samples, which the server keeps before it answers."""
    yield b"BootNotification", BOOT
    answer = yield (
        b"StartTransaction",
        b'{"connectorId":1,"idTag":"%s","meterStart":%d,"timestamp":"%s"}'
        % ((args.id_tag % number).encode(), number, now()),
    )
    transaction, energy = json.loads(answer)[2]["transactionId"], number
    while True:
        energy += 10
        yield b"MeterValues", METER % (transaction, now(), energy)


def boot(_number, _args):
    """What a station says first after a reconnect (used by --storm)."""
    yield b"BootNotification", BOOT


MIXES = {"heartbeat": heartbeat, "metering": metering, "session": session}
MUST_BE_ACCEPTED = {b"BootNotification", b"Authorize", b"StartTransaction"}


# --- one station -----------------------------------------------------------------------------------------------


def frame(opcode, payload):
    """A masked client frame; the mask is zero, so the payload goes out as it is."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB4x", 0x80 | opcode, 0x80 | size) + payload
    return struct.pack("!BBH4x", 0x80 | opcode, 0xFE, size) + payload


class Station(asyncio.Protocol):
    def __init__(self, load, number):
        self.load, self.number = load, number
        self.name = load.args.station_id % number
        self.script = load.script(number, load.args)
        self.transport, self.open, self.buffer, self.parts = None, None, b"", b""
        self.serial, self.action, self.sent_id, self.due_at = 0, None, None, 0.0
        self.answer, self.backlog = None, collections.deque()

    def connection_made(self, transport):
        self.transport, self.buffer, self.parts, self.action = transport, b"", b"", None
        self.backlog.clear()
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(self.load.handshake(self.name))

    def connection_lost(self, _error):
        if not self.load.closing:
            self.load.errors["connection lost" if self.open.done() else "handshake cut off"] += 1
        if not self.open.done():
            self.open.set_exception(ConnectionError("closed during the handshake"))
        self.transport = None

    def data_received(self, data):
        if self.buffer:
            data = self.buffer + data
        if not self.open.done():
            head, blank, data = data.partition(b"\r\n\r\n")
            if not blank:
                self.buffer = head
                return
            if b" 101 " not in head[:14] or WS_ACCEPT not in head or b"ocpp1.6" not in head:
                self.load.errors["handshake refused: " + head.split(b"\r\n")[0].decode("latin1")] += 1
                self.open.set_exception(ConnectionError("refused"))
                self.transport.abort()
                return
            self.open.set_result(None)
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2  # a server's frame is never masked
            if size > 125:
                start += 2 if size == 126 else 8
                if end < start:
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            if end < start + size:
                break
            self.on_frame(data[at], data[start : start + size])
            at = start + size
        self.buffer = data[at:]

    def on_frame(self, first, payload):
        opcode = first & 15
        if opcode <= TEXT:
            if first & 0x80 and not self.parts:
                self.on_message(payload)
            else:
                self.parts += payload
                if first & 0x80:
                    payload, self.parts = self.parts, b""
                    self.on_message(payload)
        elif opcode == PING:
            self.transport.write(frame(PONG, payload))
        elif opcode == CLOSE and self.transport:
            self.transport.write(frame(CLOSE, payload[:2]))
            self.transport.close()

    def on_message(self, text):
        kind = text[1:2]
        if kind == CALL:
            message = json.loads(text)
            self.load.on_call(self, message)
            self.transport.write(frame(TEXT, b'[3,"%s",{"status":"Accepted"}]' % message[1].encode()))
            return
        load = self.load
        if self.action is None or self.sent_id not in text[:80]:
            load.errors["answer to nothing"] += 1
            return
        if kind == ERROR:
            load.errors["CallError to " + self.action.decode() + ": " + text[:120].decode()] += 1
            text = None
        elif self.action in MUST_BE_ACCEPTED and b'"Accepted"' not in text:
            load.errors[self.action.decode() + " not accepted"] += 1
        self.answer, self.action = text, None
        load.on_answer(self, time.perf_counter())

    def due(self, at):
        """A message is due: send it, or after the outstanding one."""
        if self.action is None and self.transport:
            self.call(at)
        else:
            self.backlog.append(at)

    def call(self, at):
        self.action, payload = self.script.send(self.answer if self.serial else None)
        self.serial += 1
        self.due_at, self.sent_id = at, b"%s-%d-%d" % (self.load.run, self.number, self.serial)
        self.transport.write(frame(TEXT, b'[2,"%s","%s",%s]' % (self.sent_id, self.action, payload)))


# --- the run ---------------------------------------------------------------------------------------------------


class Load:
    def __init__(self, args):
        self.args, self.script = args, MIXES[args.mix]
        url = urlsplit(args.url)
        self.host, self.port, self.path = url.hostname, url.port or 80, url.path
        self.run = b"%x" % (time.time_ns() // 1000 % 16**8)  # makes message ids unique from run to run
        self.stations = [Station(self, n) for n in range(args.first, args.first + args.stations)]
        self.errors, self.actions = collections.Counter(), collections.Counter()
        self.latencies, self.connects = array.array("d"), array.array("d")
        self.calls, self.calls_log = 0, args.calls_log
        self.closing, self.counting, self.sending, self.closed_loop = False, False, False, args.closed_loop
        self.answered = lambda: None

    def handshake(self, name):
        path = self.path.replace("{id}", name) if "{id}" in self.path else f"{self.path.rstrip('/')}/{name}"
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {WS_KEY}",
            "Sec-WebSocket-Protocol: ocpp1.6",
            *self.args.header,
        ]
        if self.args.password is not None:
            lines.append("Authorization: Basic " + base64.b64encode(f"{name}:{self.args.password}".encode()).decode())
        return "\r\n".join([*lines, "", ""]).encode()

    def on_call(self, station, message):
        self.calls += 1
        if self.calls_log:  # for control-loop measurements: when did which station get what?
            print(json.dumps([time.time(), station.name, *message[2:]]), file=self.calls_log)

    def on_answer(self, station, at):
        if self.counting:
            self.latencies.append(at - station.due_at)
        if station.backlog:
            station.call(station.backlog.popleft())
        elif self.closed_loop and self.sending:
            station.call(at)
        self.answered()

    async def connect(self, concurrency):
        """Connect every station; returns the seconds it took."""
        loop, gate, begin = asyncio.get_running_loop(), asyncio.Semaphore(concurrency), time.perf_counter()

        async def one(station):
            async with gate:
                start, station.open = time.perf_counter(), loop.create_future()
                try:
                    async with asyncio.timeout(self.args.timeout):
                        await loop.create_connection(lambda: station, self.host, self.port)
                        await station.open
                    self.connects.append(time.perf_counter() - start)
                except (OSError, TimeoutError) as error:
                    self.errors[f"connect: {type(error).__name__}"] += 1
                    if not station.open.done():
                        station.open.cancel()

        await asyncio.gather(*map(one, self.stations))
        return time.perf_counter() - begin

    async def pace(self, rate, until):
        """Open loop: message k is due k/rate seconds after the start, whatever the server does."""
        start, k = time.perf_counter(), 0
        while (at := time.perf_counter()) < until:
            while k < (at - start) * rate:
                self.stations[k % len(self.stations)].due(start + k / rate)
                k += 1
            await asyncio.sleep(0.001)

    async def load(self):
        args, report = self.args, {}
        start = time.perf_counter()
        self.sending = True
        rate = args.rate or (args.stations / args.interval if args.interval else None)
        if rate:
            pacer = asyncio.create_task(self.pace(rate, start + args.warmup + args.duration))
        else:
            for station in self.stations:
                station.due(start)
        await asyncio.sleep(args.warmup)
        self.counting, begin, cpu, own = True, time.perf_counter(), cpu_seconds(args.pid), time.process_time()
        await asyncio.sleep(args.duration)
        self.counting, seconds, count = not self.closed_loop, time.perf_counter() - begin, len(self.latencies)
        self.sending, own = False, time.process_time() - own
        if args.pid:
            cpu = cpu_seconds(args.pid) - cpu
            report.update(server_cpu=round(cpu / seconds, 3), cpu_us_per_msg=round(cpu / max(count, 1) * 1e6, 1))
        if rate:
            await pacer
        drained = time.perf_counter() + args.timeout
        while any(s.action for s in self.stations) and time.perf_counter() < drained:
            await asyncio.sleep(0.02)
        self.counting = False
        unanswered = sum(bool(s.action) + len(s.backlog) for s in self.stations)
        if unanswered:
            self.errors["unanswered"] = unanswered
        report.update(
            messages=count,
            msgs_per_s=round(count / seconds, 1),
            client_cpu=round(own / seconds, 3),
            latency_ms=percentiles(self.latencies),
        )
        return report

    async def storm(self):
        """Reset every connection, reconnect all at once, boot; returns the two times."""
        self.closing = True
        for station in self.stations:
            if station.transport:
                sock = station.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                station.transport.abort()
        await asyncio.sleep(self.args.settle)
        self.closing, self.closed_loop, done, ready = False, False, asyncio.Event(), 0
        self.connects = array.array("d")

        def answered():
            nonlocal ready
            ready += 1
            if ready == len(self.stations):
                done.set()

        self.answered = answered
        start = time.perf_counter()
        for station in self.stations:  # each boots as soon as it is connected
            station.script, station.serial, station.backlog = boot(station.number, self.args), 0, collections.deque()

        async def boot_when_open(station):
            while station.open is None or (station.open.done() and not station.transport):
                await asyncio.sleep(0.001)
            await asyncio.wait([station.open])
            if station.transport and not station.open.cancelled() and not station.open.exception():
                station.due(time.perf_counter())

        for station in self.stations:
            station.open = None
        boots = [asyncio.create_task(boot_when_open(s)) for s in self.stations]
        connected = await self.connect(len(self.stations))
        try:
            await asyncio.wait_for(done.wait(), self.args.timeout)
        except TimeoutError:
            self.errors["storm: no answer to BootNotification"] += len(self.stations) - ready
        for task in boots:
            task.cancel()
        return {
            "connect_s": round(connected, 3),
            "ready_s": round(time.perf_counter() - start, 3),
            "handshake_ms": percentiles(self.connects),
        }

    async def close(self):
        self.closing = True
        for station in self.stations:
            if station.transport:
                station.transport.write(frame(CLOSE, b"\x03\xe8"))
        end = time.perf_counter() + 3
        while any(s.transport for s in self.stations) and time.perf_counter() < end:
            await asyncio.sleep(0.02)
        for station in self.stations:
            if station.transport:
                station.transport.abort()

    async def main(self):
        args = self.args
        report = {"url": args.url, "stations": args.stations, "mix": args.mix}
        before = rss_kib(args.pid)
        took = await self.connect(args.concurrency)
        await asyncio.sleep(args.settle)
        report["connect"] = {
            "seconds": round(took, 3),
            "per_s": round(len(self.connects) / took, 1),
            "handshake_ms": percentiles(self.connects),
        }
        if args.pid:
            held = rss_kib(args.pid)
            report["rss"] = {
                "before_mib": round(before / 1024, 1),
                "connected_mib": round(held / 1024, 1),
                "kib_per_station": round((held - before) / args.stations, 1),
            }
        if args.hold is not None:
            await asyncio.sleep(args.hold)
        else:
            report["load"] = await self.load()
        if args.pid:
            held = rss_kib(args.pid)
            report["rss"].update(
                after_mib=round(held / 1024, 1), after_kib_per_station=round((held - before) / args.stations, 1)
            )
        if args.storm:
            report["storm"] = await self.storm()
        report["calls_received"] = self.calls
        await self.close()
        report["errors"] = dict(self.errors.most_common(20))
        return report


# --- measuring -------------------------------------------------------------------------------------------------


def percentiles(seconds):
    values = sorted(seconds)
    if not values:
        return {}
    pick = {f"p{p}": values[min(len(values) - 1, math.ceil(len(values) * p / 100) - 1)] for p in (50, 90, 99)}
    return {name: round(value * 1000, 2) for name, value in {**pick, "max": values[-1]}.items()}


def tree(pids):
    """The processes and all their descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(entry))
            except OSError:
                pass
    found, todo = set(), list(pids)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += parents.get(pid, [])
    return found


def rss_kib(pids):
    total = 0
    for pid in tree(pids):
        try:
            with open(f"/proc/{pid}/status") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        except OSError:
            pass
    return total


def cpu_seconds(pids):
    total = 0
    for pid in tree(pids):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


def raise_file_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((max(soft, wanted), max(hard, wanted)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            break
        except (ValueError, OSError):
            continue
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft < wanted:
        sys.exit(f"{wanted} open files are needed, the limit is {soft}: raise it (ulimit -n {wanted})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--url", required=True, help="ws://host:port/path; the station's id replaces {id} or is added at the end")
    add("--stations", type=int, default=100)
    add("--first", type=int, default=1, help="number of the first station (default 1)")
    add("--station-id", default="CP%05d", help="made from the station's number (default CP%%05d)")
    add("--id-tag", default="TAG%05d", help="made from the station's number (default TAG%%05d)")
    add("--password", help="HTTP Basic password (OCPP security profile 1), the user being the station id")
    add("--header", action="append", default=[], help="a further handshake header, 'Name: value'; repeatable")
    add("--mix", choices=MIXES, default="heartbeat")
    add("--meter-values", type=int, default=20, help="MeterValues in a charging session (default 20)")
    pacing = parser.add_mutually_exclusive_group()
    pacing.add_argument("--closed-loop", action="store_true", help="as fast as answers come (the default)")
    pacing.add_argument("--rate", type=float, help="messages/s over all stations, open loop")
    pacing.add_argument("--interval", type=float, help="seconds between two messages of a station, open loop")
    pacing.add_argument("--hold", type=float, help="send nothing, stay connected for this many seconds")
    add("--duration", type=float, default=10, help="seconds of counted load (default 10)")
    add("--warmup", type=float, default=2, help="seconds of load before that (default 2)")
    add("--settle", type=float, default=1, help="idle seconds after connecting (default 1)")
    add("--concurrency", type=int, default=100, help="handshakes at a time in phase 1 (default 100)")
    add("--timeout", type=float, default=30, help="seconds to wait for a handshake or a last answer (default 30)")
    add("--storm", action="store_true", help="at the end, reset all connections and reconnect them at once")
    add(
        "--pid",
        type=int,
        action="append",
        default=[],
        help="server process whose memory and CPU, with its children's, are read; repeatable",
    )
    add(
        "--calls-log",
        type=argparse.FileType("w"),
        help="write each CALL from the server to this file: [unix time, station, action, payload]",
    )
    add("--json", action="store_true", help="print one line of JSON")
    args = parser.parse_args()
    args.closed_loop = not (args.rate or args.interval or args.hold is not None)
    raise_file_limit(args.stations + 100)
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    gc.disable()  # no reference cycles are made on the hot path
    report = run(Load(args).main())
    print(json.dumps(report) if args.json else json.dumps(report, indent=2))
    sys.exit(1 if report["errors"] else 0)


if __name__ == "__main__":
    main()
