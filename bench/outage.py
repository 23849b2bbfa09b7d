"""Measure what an outage costs: `make bench-outage`.

Real processes, simulated stations with two sessions each, an operator's server that goes away and comes back, the load
manager killed twice, stations that drop off the network. In the end the operator must have heard of every transaction
exactly once, in order, with the right energy, times and numbers. Fails where it has not.
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

SETTLE_WITHIN_S = 120.0
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
    values: list[tuple[str, float]] = field(default_factory=list)


class Operator:
    """A strict operator. It knows a message that comes again by its id, as OCPP-J lets it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.charges: dict[int, Charge] = {}
        self.faults: list[str] = []
        self.again = 0
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
                reply = self._heard.get((identity, frame[1])) if frame[1].startswith("m") else None
                if reply is None:
                    reply = json.dumps([3, frame[1], self._answer(identity, frame[2], frame[3])])
                    self._heard[identity, frame[1]] = reply
                else:
                    self.again += 1
                await asyncio.sleep(random.uniform(0.0, 0.05))
                await socket.send(reply)
        except websockets.ConnectionClosed:
            pass

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
            charge.values.append((payload["meterValue"][0]["timestamp"], 0.0))


def verdict(product: Product, operator: Operator) -> list[str]:
    """Compare what the operator heard with what the load manager has kept."""
    faults = list(operator.faults)
    kept = product.query(
        "SELECT s.identity, c.number, t.meter_start_wh, t.meter_stop_wh, t.started_at, t.stopped_at, x.cpo_id"
        " FROM stations_transaction t JOIN stations_connector c ON c.id = t.connector_id"
        " JOIN stations_station s ON s.id = c.station_id LEFT JOIN stations_cpotransaction x ON x.transaction_id = t.id"
        " WHERE t.stop_reason <> 'Lost' ORDER BY t.id"
    )
    for identity, connector, start_wh, stop_wh, started_at, stopped_at, number in kept:
        charge = operator.charges.get(number)
        if charge is None:
            faults.append(f"{identity}: the operator does not know the transaction of {started_at}")
            continue
        heard = (
            charge.identity,
            charge.start["connectorId"],
            charge.start["meterStart"],
            _utc(charge.start["timestamp"]),
        )
        if heard != (identity, connector, start_wh, _utc(started_at)):
            faults.append(f"{identity}: started {started_at} at {start_wh} Wh, the operator has {heard}")
        stops = [(stop["meterStop"], _utc(stop["timestamp"])) for stop in charge.stops]
        if stops != [(stop_wh, _utc(stopped_at))]:
            faults.append(f"{identity}: stopped {stopped_at} at {stop_wh} Wh, the operator has {stops}")
        if [at for at, _value in charge.values] != sorted(at for at, _value in charge.values):
            faults.append(f"{identity}: meter values of {number} out of order")
    counted = Counter(charge.identity for charge in operator.charges.values())
    by_station: defaultdict[str, int] = defaultdict(int)
    for row in kept:
        by_station[row[0]] += 1
    faults += [
        f"{name}: {counted[name]} starts for {by_station[name]}"
        for name in counted
        if counted[name] != by_station[name]
    ]
    return faults


def _utc(written: str) -> float:
    at = datetime.fromisoformat(written)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), 3)


async def charge_all(stations: list[Station], sessions: int, seconds: float) -> None:
    """Let cars come and go at every station."""

    async def live(station: Station) -> None:
        for _session in range(sessions):
            await asyncio.sleep(random.uniform(0.2, seconds / 3))
            station.plug(Car(follow_s=0.0), id_tag="BADGE")
            await asyncio.sleep(random.uniform(seconds / 3, seconds))
            station.unplug()
            if random.random() < 0.3:
                await station.go_offline()
                await asyncio.sleep(random.uniform(0.2, 2.0))
                station.go_online()

    await asyncio.gather(*(live(station) for station in stations))


async def run(count: int, sessions: int) -> int:
    """Play the outage; returns the exit code."""
    operator = Operator(free_port())
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        names = [f"CP{number}" for number in range(1, count + 1)]
        rows = ", ".join(
            f"{{identity: {name}, cpo: {{server: bench, identity: {name}, enabled: true}}}}" for name in names
        )
        stations = [Station(name, product.url, sample_interval_s=2.0, backoff_s=(0.2, 1.0)) for name in names]
        await asyncio.to_thread(product.start)
        try:
            site = SITE.format(port=operator.port, stations=rows)
            await asyncio.to_thread(product.apply, site)
            for station in stations:
                station.start()
            await operator.open()
            charging = asyncio.create_task(charge_all(stations, sessions, 12.0))
            for pause_s in (6.0, 6.0):
                await asyncio.sleep(pause_s)
                await operator.close()
                await asyncio.sleep(pause_s)
                await asyncio.to_thread(product.kill, "web")
                await asyncio.sleep(1.0)
                await operator.open()
            await charging
            return await settle(product, operator)
        finally:
            for station in stations:
                await station.stop()
            await operator.close()
            await asyncio.to_thread(product.stop)


async def settle(product: Product, operator: Operator) -> int:
    """Wait until nothing waits any more, and judge."""
    waits = "SELECT count(*), sum(set_aside_at IS NOT NULL) FROM stations_cpomessage"
    opens = "SELECT count(*) FROM stations_transaction WHERE stopped_at IS NULL"
    begun = time.monotonic()
    while time.monotonic() - begun < SETTLE_WITHIN_S:
        ((waiting, aside),), ((running,),) = product.query(waits), product.query(opens)
        if waiting == (aside or 0) and not running:
            break
        await asyncio.sleep(1.0)
    faults = verdict(product, operator)
    print(f"{len(operator.charges)} transactions, {sum(len(c.values) for c in operator.charges.values())} meter values")
    print(f"{operator.again} messages came again with their id; {aside or 0} set aside, {waiting} wait, {running} run")
    print(f"the queues were empty {time.monotonic() - begun:.0f} s after the last car had gone")
    print("\n".join(faults) if faults else "every transaction once, in order, with its energy, times and number")
    return 1 if faults or waiting or not operator.charges else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--sessions", type=int, default=2)
    options = parser.parse_args()
    sys.exit(asyncio.run(run(options.stations, options.sessions)))
