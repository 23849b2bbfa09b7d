"""What was acknowledged survives `kill -9` of any process at any moment, and the process comes back."""

import asyncio
import itertools
import json
from datetime import UTC, datetime

import pytest
import websockets

pytestmark = pytest.mark.e2e

ROUNDS = 3


def now():
    return datetime.now(tz=UTC).isoformat()


class Station:
    """A station that calls and waits for the answer, and reconnects when its socket is lost."""

    def __init__(self, url, identity):
        self.address, self.numbers, self.socket = f"{url}/{identity}", itertools.count(1), None

    async def ask(self, action, payload):
        """Send a call until it is answered, as stations do; each attempt may meet a dead process."""
        while True:
            try:
                return await asyncio.wait_for(self._try(action, payload), 20)
            except (OSError, TimeoutError, websockets.WebSocketException):
                self.socket = None
                await asyncio.sleep(0.1)

    async def _try(self, action, payload):
        if self.socket is None:
            self.socket = await websockets.connect(self.address, subprotocols=["ocpp1.6"])
        number = str(next(self.numbers))
        await self.socket.send(json.dumps([2, number, action, payload]))
        while True:
            frame = json.loads(await self.socket.recv())
            if frame[0] == 2:
                await self.socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            elif frame[1] == number:
                assert frame[0] == 3, frame
                return frame[2]


async def charge_for_ever(station, kept):
    """Charge again and again; what was acknowledged is noted the moment the reply is here."""
    await station.ask("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})
    for meter_wh in itertools.count(1000, 500):
        start = {"connectorId": 1, "idTag": "A1", "meterStart": meter_wh, "timestamp": now()}
        number = (await station.ask("StartTransaction", start))["transactionId"]
        kept[number] = None
        stop = {"transactionId": number, "meterStop": meter_wh + 300, "timestamp": now(), "reason": "Local"}
        await station.ask("StopTransaction", stop)
        kept[number] = 300


async def test_every_acknowledged_transaction_survives_the_death_of_any_process(product):
    kept = {}
    stations = [Station(product.url, f"CP{n}") for n in range(4)]
    charging = [asyncio.create_task(charge_for_ever(station, kept)) for station in stations]
    for _ in range(ROUNDS):
        for name in ("web", "control", "worker", "beat", "redis"):
            known = len(kept)
            await asyncio.to_thread(product.kill, name)
            async with asyncio.timeout(60):
                while len(kept) < known + 8:
                    assert not any(task.done() for task in charging), "a station was refused"
                    await asyncio.sleep(0.02)
    acknowledged = dict(kept)
    await asyncio.to_thread(product.kill, "web")
    for task in charging:
        task.cancel()
    stored = dict(product.query("SELECT id, meter_stop_wh - meter_start_wh FROM stations_transaction"))
    lost = {number: energy for number, energy in acknowledged.items() if number not in stored}
    wrong = {n: energy for n, energy in acknowledged.items() if energy is not None and stored.get(n) != energy}
    assert (lost, wrong) == ({}, {})
    assert len(acknowledged) >= ROUNDS * 5 * 8


async def test_the_loop_goes_on_after_every_death(product):
    product.apply("installation: {mode: static, fuse_a: 63, static_limit_a: 20}\n")
    for name in ("redis", "beat", "control", "web"):
        product.kill(name)
        ((before,),) = product.query("SELECT count(*) FROM energy_reading")
        product.wait_for(
            lambda before=before: product.query("SELECT count(*) FROM energy_reading")[0][0] >= before + 3, 60
        )


def test_ctrl_c_stops_all_of_it(product):
    names = ("web", "control", "worker", "beat", "redis")
    processes = [process for name in names for process in product.processes(name)]
    assert len(processes) == 5
    product.stop()
    assert not any(process.is_running() for process in processes)
    product.start()
