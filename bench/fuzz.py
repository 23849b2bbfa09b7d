"""Let one station send 100,000 hostile frames while 20 others charge: `make bench-fuzz`.

Real processes. The others send MeterValues and Heartbeats one at a time, all through; the hostile station has its turns
between them, so that what is compared was measured in the same minutes. Exit status 1 when a promise is broken:

- the web process lives, writes no traceback, and still answers the hostile station;
- every StartTransaction, StopTransaction and MeterValues that can be read is answered with a CALLRESULT, and is kept;
- the others lose nothing, and are answered within twice the time of before (p50 and p99);
- after the first third of the frames the memory of the web process grows by less than 5 %.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
import websockets
from websockets.asyncio.client import ClientConnection

from tests.e2e.product import Product
from tests.stations.hostile import Frame, Hostile, Promise, promised

OTHERS, OTHERS_PAUSE_S = 20, (0.15, 0.45)
TURNS, QUIET_S = 25, 5.0
MOST_UNANSWERED = 50
ANSWER_WITHIN_S = 60.0
CLOSING_EACH = 2000
SLOWDOWN, GROWTH_PERCENT = 2.0, 5.0
TRACEBACK = re.compile(r"^Traceback[^\n]*\n(?:\s[^\n]*\n)*([^\n]*)", re.MULTILINE)


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


class Other:
    """A station that charges as it should: one call at a time, each with a number of its own as energy."""

    def __init__(self, url: str, number: int, seed: int) -> None:
        self.identity = f"OTHER{number}"
        self.times: list[tuple[float, float]] = []
        self.acknowledged: list[int] = []
        self.troubles: list[str] = []
        self._url, self._chance = f"{url}/{self.identity}", random.Random(seed * 1000 + number)
        self._ids = itertools.count(1)

    async def charge(self, ended: asyncio.Event) -> None:
        """Charge until told to end."""
        try:
            async with websockets.connect(self._url, subprotocols=[websockets.Subprotocol("ocpp1.6")]) as socket:
                await self._ask(socket, "BootNotification", {"chargePointVendor": "A", "chargePointModel": "B"})
                start = {"connectorId": 1, "idTag": "A1", "meterStart": 0, "timestamp": now()}
                number = (await self._ask(socket, "StartTransaction", start))["transactionId"]
                for energy_wh in itertools.count(1):
                    if ended.is_set():
                        break
                    await asyncio.sleep(self._chance.uniform(*OTHERS_PAUSE_S))
                    at = time.monotonic()
                    if energy_wh % 5 == 0:
                        await self._ask(socket, "Heartbeat", {})
                    else:
                        await self._ask(socket, "MeterValues", meter_values(1, number, energy_wh))
                        self.acknowledged.append(energy_wh)
                    self.times.append((at, time.monotonic() - at))
                stop = {"transactionId": number, "meterStop": energy_wh, "timestamp": now()}
                await self._ask(socket, "StopTransaction", stop)
        except (websockets.WebSocketException, OSError, TimeoutError) as error:
            self.troubles.append(f"{self.identity}: {error!r}")

    async def _ask(self, socket: ClientConnection, action: str, payload: dict[str, Any]) -> Any:
        """Call and return the answer; calls of the LLM in between are accepted."""
        message_id = str(next(self._ids))
        await socket.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                frame = json.loads(await socket.recv())
                if frame[0] == 2:
                    await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
                elif frame[1] == message_id:
                    if frame[0] != 3:
                        self.troubles.append(f"{self.identity}: {action}: {frame}")
                    return frame[2]


def now() -> str:
    """Write the time as stations do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def meter_values(connector: int, transaction_id: int, energy_wh: int) -> dict[str, Any]:
    """Make a report as a station does, of 9 A on three phases."""
    sampled: list[dict[str, str]] = [{"value": str(energy_wh)}]
    sampled += [{"value": "9.0", "measurand": "Current.Import", "phase": f"L{line}", "unit": "A"} for line in (1, 2, 3)]
    values = [{"timestamp": now(), "sampledValue": sampled}]
    return {"connectorId": connector, "transactionId": transaction_id, "meterValue": values}


class Attack:
    """The hostile station: what it sent, what it was promised, and what came back."""

    def __init__(self, url: str, seed: int) -> None:
        self.kinds: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self.refusals: list[str] = []
        self.unanswered: list[Promise] = []
        self.acknowledged: list[Promise] = []
        self.started: list[int] = []
        self._url, self._chance = f"{url}/HOSTILE", random.Random(seed)
        self._hostile = Hostile(seed)
        self._frames = iter(self._hostile)
        self._waiting: dict[str, list[Promise]] = {}
        self._room = asyncio.Semaphore(MOST_UNANSWERED)
        self._socket: ClientConnection
        self._reader: asyncio.Task[None]

    async def open(self) -> None:
        """Connect, and say who it is: a station in service."""
        self._socket = await websockets.connect(
            self._url, subprotocols=[websockets.Subprotocol("ocpp1.6")], ping_interval=None, open_timeout=60
        )
        self._reader = asyncio.create_task(self._read())
        await self._socket.send('[2,"boot","BootNotification",{"chargePointVendor":"A","chargePointModel":"B"}]')

    async def close(self) -> None:
        """Wait for what is promised, and leave."""
        await self._drain()
        await self._socket.close()
        await self._reader

    async def send(self, count: int) -> None:
        """Send so many frames, as fast as they are read, and wait until the last is dealt with."""
        for frame in itertools.islice(self._frames, count):
            self.kinds[frame.kind] += 1
            if sum(self.kinds.values()) % CLOSING_EACH == 0:
                await self._be_closed()
            try:
                await self._send(frame)
            except websockets.ConnectionClosed as closed:
                await self._reopen(closed)
            except TimeoutError:
                self._give_up()
        if not await self.is_answered():
            self.refusals.append("a Heartbeat stayed unanswered")

    async def _send(self, frame: Frame) -> None:
        """Send one frame; of those that are promised an answer only some wait at a time."""
        promise = promised(frame.text)
        if promise is not None:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._room.acquire()
            self._waiting.setdefault(promise.message_id, []).append(promise)
        await self._socket.send(frame.content)
        if self._chance.random() < 0.01:
            await self._socket.ping()

    async def is_answered(self) -> bool:
        """Say whether a Heartbeat is still answered."""
        await self._drain()
        self._waiting["last"] = [Promise("Heartbeat", "last", None)]
        await self._room.acquire()
        await self._socket.send('[2,"last","Heartbeat",{}]')
        await self._drain()
        return not self._waiting

    async def _drain(self) -> None:
        """Wait until everything promised has come, or time is up: then it is missing."""
        until = time.monotonic() + ANSWER_WITHIN_S
        while self._waiting and time.monotonic() < until and not self._reader.done():
            await asyncio.sleep(0.02)

    async def _be_closed(self) -> None:
        """Break the rules of WebSocket itself: text that is none, or a frame beyond the longest."""
        await self._drain()
        too_long = self._chance.random() < 0.5
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._socket.send("x" * 3_000_000 if too_long else b"\xff\xfe[2]", text=True)
            await self._socket.wait_closed()
        await self._reopen(None)

    async def _reopen(self, closed: websockets.ConnectionClosed | None) -> None:
        """Note how it was closed, and what that cost; connect anew."""
        await self._socket.wait_closed()
        await self._reader
        self.closes[self._socket.close_code or 0] += 1
        if closed is not None:
            self.refusals.append(f"closed by {closed!r}")
        self._give_up()
        await self.open()

    def _give_up(self) -> None:
        """Count what was promised and has not come as missing."""
        for promise in itertools.chain.from_iterable(self._waiting.values()):
            self.unanswered.append(promise)
            self._room.release()
        self._waiting.clear()

    async def _read(self) -> None:
        """Hear the answers; answer calls rightly, wrongly, or not at all."""
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self._socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    await self._answer(frame[1])
                elif waiting := self._waiting.get(frame[1]):
                    self._settle(waiting, frame)

    def _settle(self, waiting: list[Promise], frame: list[Any]) -> None:
        """Take an answer for the oldest promise of its message id."""
        promise = waiting.pop(0)
        if not waiting:
            del self._waiting[promise.message_id]
        self._room.release()
        if frame[0] == 4:
            self.refusals.append(f"{promise}: {frame[2:4]}")
        else:
            self.acknowledged.append(promise)
            if promise.action == "StartTransaction":
                self.started.append(frame[2]["transactionId"])
                self._hostile.learn(frame[2]["transactionId"])

    async def _answer(self, message_id: str) -> None:
        """Answer a call of the LLM as it comes."""
        answers: list[Any] = [
            {"status": "Accepted"},
            {"status": "\x00"},
            {},
            [],
            None,
            "x" * 5000,
            {"status": {"a": 1}},
        ]
        number = self._chance.choice([message_id, message_id, message_id, "wrong", "0"])
        kind = self._chance.choice([3, 3, 4])
        await self._socket.send(json.dumps([kind, number, self._chance.choice(answers)]))
        if number != message_id:
            await self._socket.send(json.dumps([3, message_id, {"status": "Rejected"}]))


class Memory:
    """The resident memory of the web process through the run, by frames sent."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.samples: list[tuple[int, int]] = []

    def note(self, frames: int) -> None:
        """Take a sample."""
        self.samples.append((frames, self.process.memory_info().rss))

    def between(self, first: float, last: float) -> list[int]:
        """Return the samples of a part of the run, as shares of the frames."""
        most = self.samples[-1][0]
        return [rss for frames, rss in self.samples if first * most <= frames <= last * most]

    @property
    def growth_percent(self) -> float:
        """Compare the last tenth with the end of the first third, each at its median."""
        before, after = self.between(0.3, 0.4), self.between(0.9, 1.0)
        return 100.0 * (percentile([float(rss) for rss in after], 50) / percentile(list(map(float, before)), 50) - 1)


@dataclass
class Seen:
    """What was seen of a run; `times` are the others' reply times, s, while it was quiet and during the attack."""

    hostile: Attack
    others: list[Other]
    memory: Memory
    times: dict[str, list[float]]

    def ratio(self, percent: float) -> float:
        """Say how many times slower the others were answered."""
        return percentile(self.times["attack"], percent) / percentile(self.times["quiet"], percent)


async def attack(product: Product, frames: int, seed: int) -> Seen:
    """Let the others charge, and the hostile station take its turns."""
    ended = asyncio.Event()
    others = [Other(product.url, number, seed) for number in range(1, OTHERS + 1)]
    (web,) = product.processes("web")
    hostile, memory = Attack(product.url, seed), Memory(web)
    spans: dict[str, list[tuple[float, float]]] = {"quiet": [], "attack": []}
    charging = [asyncio.create_task(other.charge(ended)) for other in others]
    await asyncio.sleep(QUIET_S)
    await hostile.open()
    for turn in range(TURNS):
        began = time.monotonic()
        await asyncio.sleep(QUIET_S)
        spans["quiet"].append((began, time.monotonic()))
        began = time.monotonic()
        sending = asyncio.create_task(hostile.send(frames // TURNS))
        while not sending.done():
            await asyncio.wait([sending], timeout=0.5)
            memory.note(hostile.kinds.total())
        await sending
        spans["attack"].append((began, time.monotonic()))
        rate = frames / TURNS / (time.monotonic() - began)
        held = memory.samples[-1][1] / 2**20
        print(f"turn {turn + 1}/{TURNS}: {hostile.kinds.total()} frames, {rate:.0f}/s, {held:.1f} MiB", flush=True)
    await hostile.close()
    ended.set()
    await asyncio.gather(*charging)
    times = {
        phase: [took for other in others for at, took in other.times if any(a <= at <= b for a, b in within)]
        for phase, within in spans.items()
    }
    return Seen(hostile, others, memory, times)


def not_kept(product: Product, hostile: Attack, others: list[Other]) -> Iterator[str]:
    """List what was acknowledged and is not in the database."""
    known = {pk for (pk,) in product.query("SELECT id FROM stations_transaction")}
    yield from (f"transaction {pk}" for pk in set(hostile.started) - known)
    stops = {mark for (mark,) in product.query("SELECT raw_stop ->> 'mark' FROM stations_transaction")}
    strays = {mark for (mark,) in product.query("SELECT payload ->> 'mark' FROM stations_straymessage")}
    counted = product.query("SELECT coalesce(sum(payload ->> 'not_kept'), 0) FROM stations_straymessage")[0][0]
    wanted = {p.mark for p in hostile.acknowledged if p.action == "StopTransaction" and p.mark is not None}
    missing = sorted(wanted - stops - strays)
    yield from (f"StopTransaction {mark} of the hostile station" for mark in missing[counted:])
    for other in others:
        rows = product.query(
            "SELECT v.energy_wh FROM stations_metervalue v JOIN stations_connector c ON c.id = v.connector_id "
            "JOIN stations_station s ON s.id = c.station_id WHERE s.identity = ?",
            other.identity,
        )
        yield from (f"{other.identity}: {wh} Wh" for wh in set(other.acknowledged) - {wh for (wh,) in rows})


def log_of(product: Product) -> str:
    """Return what the web process logged."""
    return "".join(path.read_text(errors="replace") for path in (product.folder / "log").glob("web.log*"))


def broken(product: Product, seen: Seen) -> list[str]:
    """List the promises that were broken."""
    hostile, others, log = seen.hostile, seen.others, log_of(product)
    found = [f"refused: {refusal}" for refusal in hostile.refusals]
    found += [f"unanswered: {promise}" for promise in hostile.unanswered]
    found += [f"not kept: {lost}" for lost in not_kept(product, hostile, others)]
    found += [trouble for other in others for trouble in other.troubles]
    found += [f"in web.log: {line}" for line in TRACEBACK.findall(log)]
    if [process.pid for process in product.processes("web")] != [seen.memory.process.pid]:
        found.append("the web process was restarted")
    found += [f"p{p} of the others: {seen.ratio(p):.2f} × slower" for p in (50, 99) if not seen.ratio(p) <= SLOWDOWN]
    found += ["memory grew"] if not seen.memory.growth_percent < GROWTH_PERCENT else []
    return found


def main() -> None:
    """Start the product, attack, print the table; exit status 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        product.start()
        try:
            seen = asyncio.run(attack(product, options.frames, options.seed))
            troubles, lines = broken(product, seen), log_of(product).count("\n")
        finally:
            product.stop()
    report(seen, lines)
    for trouble in troubles[:20]:
        print(f"BROKEN  {trouble:.300}")
    if troubles:
        sys.exit(f"{len(troubles)} promises broken")


def report(seen: Seen, lines: int) -> None:
    """Print what was measured."""
    hostile, memory = seen.hostile, seen.memory
    print(f"frames of the hostile station: {dict(hostile.kinds)}")
    acknowledged = Counter(promise.action for promise in hostile.acknowledged)
    print(f"acknowledged {dict(acknowledged)}; closed with {dict(hostile.closes)}; lines in web.log {lines}")
    print(f"{'reply times of the others, ms':32} {'count':>7} {'p50':>7} {'p99':>7} {'max':>7}")
    for phase in ("quiet", "attack"):
        values = [1000 * took for took in seen.times[phase]]
        p50, p99, highest = percentile(values, 50), percentile(values, 99), max(values, default=math.nan)
        print(f"{phase:32} {len(values):7} {p50:7.1f} {p99:7.1f} {highest:7.1f}")
    print(f"{'× slower (goal ≤ 2)':32} {'':7} {seen.ratio(50):7.2f} {seen.ratio(99):7.2f}")
    mib = [rss / 2**20 for _, rss in memory.samples]
    third = [rss / 2**20 for rss in memory.between(0.3, 0.4)]
    print(
        f"memory of the web process, MiB: at first {mib[0]:.1f}, after a third {percentile(third, 50):.1f}, "
        f"at last {mib[-1]:.1f}, most {max(mib):.1f}; growth {memory.growth_percent:+.1f} % (goal < 5 %)"
    )


if __name__ == "__main__":
    main()
