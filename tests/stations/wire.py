"""A simulated station's answers on a socket of the test: the LLM's calls reach the simulator's own rules."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from llm_site.asgi import application
from simulator import Model, Station
from simulator.answers import answer
from simulator.connector import Transaction
from simulator.link import CallError
from stations import models


@database_sync_to_async
def in_database(function):
    return function()


class Wire:
    """A station in service, connected; `calls` are what it was asked with what it answered.

    `replies` overrides the simulator: action → function of the payload that returns a reply, raises CallError, or
    returns None for silence.
    """

    def __init__(self, model=None, *, connectors=1, vendor="", **simulated):
        self.simulated = Station("CP1", "ws://unused", model=model or Model(), connectors=connectors, **simulated)
        self.connectors, self.vendor = connectors, vendor
        self.calls, self.replies, self.waiting, self.unanswered = [], {}, {}, []
        self.hour, self.reports = 10, 0

    async def __aenter__(self):
        await in_database(self._create)
        self.socket = WebsocketCommunicator(application, "/ocpp/CP1", [], ["ocpp1.6"])
        assert (await self.socket.connect(timeout=5))[0]
        self.serving = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *error):
        self.serving.cancel()
        await self.socket.disconnect()

    def _create(self):
        station, is_new = models.Station.objects.get_or_create(
            identity="CP1", defaults={"state": "configured", "vendor": self.vendor}
        )
        if is_new:
            for number in range(1, self.connectors + 1):
                models.Connector.objects.create(station=station, number=number)
        self.station_id = station.pk

    async def _serve(self):
        while True:
            frame = json.loads(await self.socket.receive_from(timeout=60))
            if frame[0] == 2:
                await self._answer(*frame[1:4])
            else:
                self.waiting.pop(frame[1]).set_result(frame[2])

    async def _answer(self, number, action, payload):
        try:
            reply = self.replies[action](payload) if action in self.replies else answer(self.simulated, action, payload)
        except CallError as error:
            self.calls.append((action, payload, error.code))
            await self.socket.send_to(json.dumps([4, number, error.code, error.description, {}]))
            return
        self.calls.append((action, payload, reply))
        if reply is None:
            self.unanswered.append((action, number))
        else:
            await self.socket.send_to(json.dumps([3, number, reply]))

    async def ask(self, action, **payload):
        number = f"own-{len(self.calls)}-{action}"
        self.waiting[number] = asyncio.get_running_loop().create_future()
        answered = self.waiting[number]
        await self.socket.send_to(json.dumps([2, number, action, payload]))
        return await asyncio.wait_for(answered, 5)

    async def boot(self, firmware="1.0"):
        await self.ask(
            "BootNotification",
            chargePointVendor=self.vendor or "Simulated",
            chargePointModel="Garage 22",
            firmwareVersion=firmware,
        )

    async def begin(self, number=1):
        """Begin a transaction on both sides; returns its number."""
        self.hour += 1
        start = {"connectorId": number, "idTag": "A1", "meterStart": 0, "timestamp": f"2026-01-05T{self.hour}:00:00Z"}
        begun = Transaction(number, "A1", time.time(), 0)
        begun.id = (await self.ask("StartTransaction", **start))["transactionId"]
        self.simulated.connectors[number].transaction = begun
        return begun.id

    async def end(self, transaction_id, number=1):
        """End a transaction on both sides."""
        self.simulated.connectors[number].transaction = None
        self.simulated.profiles.end_transaction(number)
        stop = {"transactionId": transaction_id, "meterStop": 500, "timestamp": f"2026-01-05T{self.hour}:30:00Z"}
        await self.ask("StopTransaction", **stop)

    async def reply_late(self, action, reply):
        """Answer the first call of an action that stayed unanswered."""
        number = next(number for name, number in self.unanswered if name == action)
        await self.socket.send_to(json.dumps([3, number, reply]))

    async def measure(self, transaction_id, *currents_a, offered_a=None, number=1):
        """Report what is drawn on each phase, or offered, now; no two reports are of one moment."""
        self.reports += 1
        at = datetime.now(UTC) + timedelta(milliseconds=self.reports)
        values = [
            {"value": str(current_a), "measurand": "Current.Import", "phase": f"L{phase}"}
            for phase, current_a in enumerate(currents_a, start=1)
        ]
        if offered_a is not None:
            values.append({"value": str(offered_a), "measurand": "Current.Offered"})
        sample = {"timestamp": at.isoformat(), "sampledValue": values}
        await self.ask("MeterValues", connectorId=number, transactionId=transaction_id, meterValue=[sample])

    def asked(self, action):
        """What the station was asked by one action: (payload, reply)."""
        return [(payload, reply) for name, payload, reply in self.calls if name == action]

    def written(self):
        """What was written into the configuration, in order: (key, value, status or error)."""
        return [
            (payload["key"], payload["value"], reply["status"] if isinstance(reply, dict) else reply)
            for payload, reply in self.asked("ChangeConfiguration")
        ]

    def profiles(self):
        """The charging profiles it was sent: (purpose, unit, kind, stack level), whether accepted."""
        sent = []
        for payload, reply in self.asked("SetChargingProfile"):
            profile = payload["csChargingProfiles"]
            form = (
                profile["chargingProfilePurpose"],
                profile["chargingSchedule"]["chargingRateUnit"],
                profile["chargingProfileKind"],
                profile["stackLevel"],
            )
            sent.append((form, isinstance(reply, dict) and reply["status"] == "Accepted"))
        return sent

    def held_a(self, number=1):
        """What limits a connector now, by the simulator's rules."""
        running = self.simulated.connectors[number].transaction
        limits = self.simulated.profiles.limits(
            number,
            time.time(),
            running and running.started_at,
            ignore_new_default=self.simulated.model.default_needs_new_transaction,
        )
        return limits.least(self.simulated.maximum_a)


async def until(question):
    """Wait until the database answers a question with something true, and return it."""
    async with asyncio.timeout(10):
        while not (found := await in_database(question)):
            await asyncio.sleep(0.01)
        return found


async def eventually(question):
    """Wait until what is known in this process answers a question with something true, and return it."""
    async with asyncio.timeout(10):
        while not (found := question()):
            await asyncio.sleep(0.01)
        return found
