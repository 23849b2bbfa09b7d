"""Measure what an outage costs: `make bench-outage`.

Real processes, simulated stations at which cars come and go, an operator's server that is away for ten minutes
(`--down`), the load manager killed in the middle of that and again while it tells what has waited, stations that drop
off the network, and some whose board is changed while a car charges: the end of that transaction is never heard. In the
end the operator must have heard of every transaction exactly once, in order, with the right energy, times and numbers.
Prints a table; fails where it has not.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import websockets
from websockets.asyncio.server import Server, ServerConnection, serve

from simulator import Car, Station
from stations.ocpp16 import schemas
from tests.e2e.product import Product, free_port

BEFORE_S, AFTER_S = 60.0, 60.0
SETTLE_WITHIN_S = 600.0  # who was away for long is tried again after 5 min at most
KILLED_AFTER = 20  # messages told since the operator is back
CHANGED_BOARDS, DROPS = 0.05, 0.3  # of the sessions
SAMPLE_INTERVAL_S = 10
SITE = """
installation: {{mode: static, phases: 3, fuse_a: 2000, static_limit_a: 1600, fail_safe_a: 6,
  measurement: ct_5a, ct_ratio_a: 2000}}
cpo_servers: [{{name: bench, url: "ws://127.0.0.1:{port}/ocpp", offline_policy: allow}}]
access: {{rule: free}}
stations: [{stations}]
"""


@dataclass
class Charge:
    """A transaction as the operator knows it."""

    identity: str
    start: dict[str, Any]
    stops: list[dict[str, Any]] = field(default_factory=list)
    values: list[tuple[float, float]] = field(default_factory=list)  # when, Wh


class Operator:
    """A strict operator. It knows a message that comes again by its id, as OCPP-J lets it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.charges: dict[int, Charge] = {}
        self.faults: list[str] = []
        self.again = self.told = 0
        self.first_told_at = 0.0
        self._heard: dict[tuple[str, str], str] = {}
        self._server: Server | None = None

    async def open(self) -> None:
        """Begin to serve."""
        self._server = await serve(
            self._welcome, "127.0.0.1", self.port, subprotocols=[websockets.Subprotocol("ocpp1.6")]
        )

    async def close(self) -> None:
        """Vanish."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _welcome(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        identity = socket.request.path.rpartition("/")[2]
        try:
            async for text in socket:
                frame = json.loads(text)
                if frame[0] != 2:
                    continue
                reply = self._reply(identity, *frame[1:4])
                await asyncio.sleep(random.uniform(0.0, 0.05))
                await socket.send(reply)
                if frame[2] == "BootNotification":
                    sampling = {"key": "MeterValueSampleInterval", "value": str(SAMPLE_INTERVAL_S)}
                    await socket.send(json.dumps([2, "sampling", "ChangeConfiguration", sampling]))
        except websockets.ConnectionClosed:
            pass

    def _reply(self, identity: str, number: str, action: str, payload: dict[str, Any]) -> str:
        """Answer; a message of the queue that comes again gets the answer that it had."""
        if not number.startswith("m"):
            return json.dumps([3, number, self._answer(identity, action, payload)])
        self.told += 1
        self.first_told_at = self.first_told_at or time.monotonic()
        if (identity, number) in self._heard:
            self.again += 1
        else:
            self._heard[identity, number] = json.dumps([3, number, self._answer(identity, action, payload)])
        return self._heard[identity, number]

    def _answer(self, identity: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            schemas.check(action, payload)
        except Exception as error:
            self.faults.append(f"{identity}: {error}")
        now = datetime.now(UTC).isoformat()
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 60}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            return {"idTagInfo": {"status": "Accepted"}}
        if action == "StartTransaction":
            number = 5000 + len(self.charges)
            self.charges[number] = Charge(identity, payload)
            return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        if action in ("MeterValues", "StopTransaction") and "transactionId" in payload:
            self._note(identity, action, payload)
        return {}

    def _note(self, identity: str, action: str, payload: dict[str, Any]) -> None:
        charge = self.charges.get(payload["transactionId"])
        if charge is None or charge.identity != identity:
            self.faults.append(f"{identity}: {action} for {payload['transactionId']}, which is none of its")
        elif action == "StopTransaction":
            charge.stops.append(payload)
        elif charge.stops:
            self.faults.append(f"{identity}: MeterValues after the stop of {payload['transactionId']}")
        else:
            charge.values += [(_utc(entry["timestamp"]), _energy_wh(entry)) for entry in payload["meterValue"]]


def _energy_wh(entry: dict[str, Any]) -> float:
    """Return what the register of a meter value counted."""
    register = "Energy.Active.Import.Register"
    return next(float(sampled["value"]) for sampled in entry["sampledValue"] if sampled.get("measurand") == register)


def verdict(product: Product, operator: Operator, garage: "Garage") -> list[str]:
    """Compare what the cars did, what the load manager has kept, and what the operator heard."""
    faults = list(operator.faults)
    kept = product.query(
        "SELECT s.identity, c.number, t.meter_start_wh, t.meter_stop_wh, t.started_at, t.stopped_at, x.cpo_id"
        " FROM stations_transaction t JOIN stations_connector c ON c.id = t.connector_id"
        " JOIN stations_station s ON s.id = c.station_id LEFT JOIN stations_cpotransaction x ON x.transaction_id = t.id"
        " ORDER BY t.id"
    )
    measured = defaultdict(list)
    for number, at, energy_wh in product.query(
        "SELECT x.cpo_id, m.measured_at, m.energy_wh FROM stations_metervalue m"
        " JOIN stations_cpotransaction x ON x.transaction_id = m.transaction_id ORDER BY m.id"
    ):
        measured[number].append((_utc(at), energy_wh))
    for identity, connector, start_wh, stop_wh, started_at, stopped_at, number in kept:
        charge = operator.charges.get(number)
        if charge is None:
            faults.append(f"{identity}: the operator does not know the transaction of {started_at}")
            continue
        start, stops = charge.start, [(stop["meterStop"], _utc(stop["timestamp"])) for stop in charge.stops]
        heard = (charge.identity, start["connectorId"], start["meterStart"], _utc(start["timestamp"]))
        if heard != (identity, connector, start_wh, _utc(started_at)):
            faults.append(f"{identity}: started {started_at} at {start_wh} Wh, the operator has {heard}")
        if stops != [(stop_wh, _utc(stopped_at))]:
            faults.append(f"{identity}: stopped {stopped_at} at {stop_wh} Wh, the operator has {stops}")
        rest = iter(measured[number])
        if not all(value in rest for value in charge.values):
            faults.append(f"{identity}: the values of {number} are {charge.values}, kept are {measured[number]}")
    told = Counter(charge.identity for charge in operator.charges.values())
    held = Counter(row[0] for row in kept)
    for name in garage.ended:
        if (
            not garage.ended[name] <= held[name] <= garage.ended[name] + garage.unheard[name]
            or told[name] != held[name]
        ):
            played = f"{garage.ended[name]} and up to {garage.unheard[name]} more"
            faults.append(f"{name}: {played} were charged, {held[name]} kept, {told[name]} told")
    return faults


def _utc(written: str) -> float:
    at = datetime.fromisoformat(written)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), 3)


class Garage:
    """Stations at which cars come and go; `ended` counts the sessions of each, `unheard` those that lost a board."""

    def __init__(self, names: list[str], url: str) -> None:
        self.url = url
        self.stations = {name: self._station(name) for name in names}
        self.ended, self.unheard = Counter(dict.fromkeys(names, 0)), Counter[str]()
        self.drops = 0

    def _station(self, name: str) -> Station:
        return Station(name, self.url, sample_interval_s=5.0, backoff_s=(0.2, 1.0))

    async def charge(self, seconds: float) -> None:
        """Let cars come and go for so long."""
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._live(name, until) for name in self.stations))

    async def _live(self, name: str, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(1.0, 10.0))
            self.stations[name].plug(Car(follow_s=0.0), id_tag="BADGE")
            await asyncio.sleep(random.uniform(15.0, 60.0))
            if random.random() < CHANGED_BOARDS and time.monotonic() < until - 30.0:
                await self._change_board(name)
                continue
            self.stations[name].unplug()
            self.ended[name] += 1
            if random.random() < DROPS:
                self.drops += 1
                await self.stations[name].go_offline()
                await asyncio.sleep(random.uniform(1.0, 20.0))
                self.stations[name].go_online()

    async def _change_board(self, name: str) -> None:
        """Put in a new board: it knows nothing of the car that charged."""
        self.unheard[name] += 1
        meter_wh = self.stations[name].connectors[1].register_wh
        await self.stations[name].stop()
        self.stations[name] = self._station(name)
        self.stations[name].connectors[1].register_wh = meter_wh
        self.stations[name].start()

    async def close(self) -> None:
        """Cut the power."""
        await asyncio.gather(*(station.stop() for station in self.stations.values()))


async def run(count: int, down_s: float) -> int:
    """Play the outage; returns the exit code."""
    operator = Operator(free_port())
    names = [f"CP{number}" for number in range(1, count + 1)]
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        rows = ", ".join(
            f"{{identity: {name}, cpo: {{server: bench, identity: {name}, enabled: true}}}}" for name in names
        )
        garage = Garage(names, product.url)
        try:
            await asyncio.to_thread(product.start)
            site = SITE.format(port=operator.port, stations=rows)
            await asyncio.to_thread(product.apply, site)
            for station in garage.stations.values():
                station.start()
            await operator.open()
            charging = asyncio.create_task(garage.charge(BEFORE_S + down_s + AFTER_S))
            await asyncio.sleep(BEFORE_S)
            waited = await go_down(product, operator, down_s)
            back_at = time.monotonic()
            await kill_while_told(product, operator)
            await charging
            return await settle(product, operator, garage, {"operator away, s": down_s, **waited}, back_at)
        finally:
            await garage.close()
            await operator.close()
            await asyncio.to_thread(product.stop)


async def go_down(product: Product, operator: Operator, down_s: float) -> dict[str, float]:
    """Let the operator be away, and the load manager be killed meanwhile; returns what waits in the end."""
    await operator.close()
    await asyncio.sleep(down_s / 2)
    await asyncio.to_thread(product.kill, "web")
    await asyncio.sleep(down_s / 2)
    ((waiting, longest),) = product.query(
        "SELECT sum(c), max(c) FROM (SELECT count(*) c FROM stations_cpomessage GROUP BY link_id)"
    )
    return {"messages that wait when it is back": waiting, "of one station, at most": longest}


async def kill_while_told(product: Product, operator: Operator) -> None:
    """Let the operator be back, and the load manager be killed while it tells what has waited."""
    operator.told, operator.first_told_at = 0, 0.0
    await operator.open()
    until = time.monotonic() + SETTLE_WITHIN_S
    while operator.told < KILLED_AFTER and time.monotonic() < until:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(product.kill, "web")


async def settle(
    product: Product, operator: Operator, garage: Garage, measured: dict[str, float], back_at: float
) -> int:
    """Wait until nothing waits any more, judge, and print the table."""
    waits = "SELECT count(*), count(set_aside_at) FROM stations_cpomessage"
    runs = "SELECT count(*), count(*) - count(stopped_at), sum(stop_reason = 'Lost') FROM stations_transaction"
    gone_at = time.monotonic()
    while time.monotonic() - gone_at < SETTLE_WITHIN_S:
        ((waiting, aside),), ((kept, running, lost),) = product.query(waits), product.query(runs)
        if waiting == aside and not running and kept >= sum(garage.ended.values()):
            break
        await asyncio.sleep(1.0)
    faults = verdict(product, operator, garage)
    if waiting or running:
        faults.append(f"{waiting} messages wait, {aside} of them set aside; {running} transactions run")
    measured = {
        "stations": len(garage.stations),
        **measured,
        "load manager killed": 2,
        "stations dropped off": garage.drops,
        "transactions": kept,
        "of them lost with their board": lost,
        "meter values told": sum(len(charge.values) for charge in operator.charges.values()),
        "messages that came again, with their id": operator.again,
        "first told after it was back, s": operator.first_told_at - back_at,
        "nothing waits after the last car, s": time.monotonic() - gone_at,
        "faults": len(faults),
    }
    print("\n".join(f"{name:<42}{value:>9,.0f}" for name, value in measured.items()))
    print("\n".join(faults) or "every transaction once, in order, with its energy, times and number")
    return 1 if faults or not kept else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--down", type=float, default=600.0, help="how long the operator is away, s")
    options = parser.parse_args()
    sys.exit(asyncio.run(run(options.stations, options.down)))
