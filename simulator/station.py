"""A charging station that speaks OCPP 1.6-J: its life from power-up to power-off."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from .answers import answer
from .car import Car
from .configuration import station_configuration
from .connector import Connector, Transaction
from .link import CallError, Link, LinkLostError, Payload, SimulatorError
from .local_list import LocalList
from .model import Event, Fault, Model
from .outbox import Message, Outbox
from .profiles import Profile, ProfileStore
from .timestamps import format_time

log = logging.getLogger(__name__)

QUIET = frozenset({"Heartbeat", "MeterValues", "HeartbeatResponse", "MeterValuesResponse"})


class Station:
    """A station with its connectors, profiles, configuration and link.

    `lines` says which installation line feeds phase 1, 2, 3 (one entry: a single-phase station). `fault` is what is
    wrong with it: it may "ignore" profiles it accepts, "reject" them, answer "late", go "silent", or send "odd" values.
    """

    def __init__(
        self,
        identity: str,
        url: str,
        *,
        model: Model | None = None,
        connectors: int = 1,
        lines: tuple[int, ...] = (0, 1, 2),
        maximum_a: float = 32.0,
        password: str | None = None,
        sample_interval_s: float = 10.0,
        tick_s: float = 0.5,
        boot_retry_s: float = 10.0,
        call_timeout_s: float = 30.0,
        backoff_s: tuple[float, float] = (1.0, 10.0),
        on_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.identity = identity
        self.model = model = model or Model()
        self.lines = lines
        self.maximum_a = maximum_a
        self.clock = clock
        self.fault: Fault = "none"
        self.profiles = ProfileStore()
        self.local_list = LocalList()
        self.connectors = {
            number: Connector(number, lines=lines, maximum_a=maximum_a, step_a=model.step_a)
            for number in range(1, connectors + 1)
        }
        self.configuration = station_configuration(
            model, connectors=connectors, lines=lines, sample_interval_s=sample_interval_s
        )
        self._link = Link(
            url,
            identity,
            answer=lambda action, payload: answer(self, action, payload),
            after_answer=self._follow_up,
            session=self._hold_session,
            lost=self._lose_link,
            heard=self._hear,
            password=password,
            timeout_s=call_timeout_s,
            backoff_s=backoff_s,
        )
        self._outbox = Outbox(self._link, self.configuration)
        self._on_event = on_event
        self._tick_s = tick_s
        self._boot_retry_s = boot_retry_s
        self._has_booted = False
        self._boot_now = asyncio.Event()
        self._interval_changed = asyncio.Event()
        self._follow_ups: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_on = False
        self.is_online = False

    # Power and link

    def start(self) -> None:
        """Power up; a transaction that was running at power-off is stopped as PowerLoss."""
        if self.is_on:
            raise SimulatorError(f"expected {self.identity} to be off, it is on")
        self.is_on = True
        for number in self.connectors:
            self.stop_transaction(number, "PowerLoss")
        self._has_booted = False
        self._link.enable()
        for life in (self._link.run(), self._outbox.deliver(), self._tick()):
            self._spawn(life)

    async def stop(self) -> None:
        """Cut the power: no more messages, no more current; safe to call twice."""
        self.is_on = False
        await self._link.disable()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connector in self.connectors.values():
            connector.offer(0.0, self.clock())
            connector.offer_until = math.inf

    async def go_offline(self) -> None:
        """Lose the network; charging goes on and transactions are kept for later."""
        await self._link.disable()

    def go_online(self) -> None:
        """Find the network again."""
        self._link.enable()

    def set_fault(self, fault: Fault) -> None:
        """Break the station in one way, or mend it with "none"."""
        self.fault = fault
        self._link.set_silent(fault == "silent")
        self._link.answer_delay_s = self.model.late_s if fault == "late" else 0.0

    def change_password(self, password: bytes) -> None:
        """Come back with another HTTP Basic password."""
        self._link.set_password(password)
        self._spawn(self._link.close())

    def reset(self, reason: str) -> None:
        """Stop what runs and boot again; `reason` is SoftReset or HardReset (§5.14)."""
        for number in self.connectors:
            self.stop_transaction(number, reason)
        self._has_booted = False
        self._spawn(self._link.close())

    # The driver

    def plug(self, car: Car, *, connector_id: int = 1, id_tag: str | None = None) -> None:
        """Plug a car in and, with a badge, start charging; without, a RemoteStartTransaction may."""
        connector = self.connectors[connector_id]
        connector.plug(car)
        log.info("%s: a car plugs in at connector %d", self.identity, connector_id)
        if connector.remote_id_tag:
            self.start_transaction(connector_id, connector.remote_id_tag)
        elif id_tag:
            self.present_badge(id_tag, connector_id=connector_id)
        self.report_changes()

    def unplug(self, *, connector_id: int = 1) -> Car | None:
        """Pull the cable, which ends the transaction; return the car that was there."""
        self.stop_transaction(connector_id, "EVDisconnected")
        connector = self.connectors[connector_id]
        car, connector.car = connector.car, None
        connector.has_finished = False
        log.info("%s: the car leaves connector %d", self.identity, connector_id)
        self.report_changes()
        return car

    def present_badge(self, id_tag: str, *, connector_id: int = 1) -> None:
        """Hold a badge to the reader: start the transaction if it is authorised; a station that is off does nothing."""

        async def begin() -> None:
            if await self._is_authorized(id_tag):
                self.start_transaction(connector_id, id_tag)
            else:
                log.info("%s: badge %s is refused", self.identity, id_tag)
                self.profiles.end_transaction(connector_id)

        if self.is_on:
            self._spawn(begin())

    async def _is_authorized(self, id_tag: str) -> bool:
        listed = (
            self.local_list.status(id_tag, self.clock()) if self.configuration.flag("LocalAuthListEnabled") else None
        )
        known = listed == "Accepted"
        if not self.model.authorizes or (known and self.configuration.flag("LocalPreAuthorize")):
            return True
        if self.is_online:
            try:
                reply = await self._link.call("Authorize", {"idTag": id_tag})
                return bool(reply["idTagInfo"]["status"] == "Accepted")
            except CallError:
                return False
            except (LinkLostError, TimeoutError):
                log.info("%s: nobody to ask about badge %s", self.identity, id_tag)
        allows_unknown = self.configuration.flag("AllowOfflineTxForUnknownId") and listed is None
        return allows_unknown or (known and self.configuration.flag("LocalAuthorizeOffline"))

    # Transactions

    def start_remotely(self, connector_id: int, id_tag: str, profile: Profile | None) -> None:
        """Follow a RemoteStartTransaction: at once with a car, else within ConnectionTimeOut (§5.11)."""
        connector = self.connectors[connector_id]
        if profile:
            self.profiles.install(connector_id, replace(profile, transaction_id=None))
        if connector.car is None:
            connector.remote_id_tag = id_tag
            connector.remote_until = self.clock() + self.configuration.seconds("ConnectionTimeOut")
            self.report_changes()
        elif self.configuration.flag("AuthorizeRemoteTxRequests"):
            self.present_badge(id_tag, connector_id=connector_id)
        else:
            self.start_transaction(connector_id, id_tag)

    def start_transaction(self, connector_id: int, id_tag: str) -> None:
        """Begin to charge; nothing happens without a car, out of service, or when charging already."""
        connector = self.connectors[connector_id]
        if not self.is_on or connector.transaction or connector.car is None or not connector.is_operative:
            return
        now = self.clock()
        transaction = Transaction(connector_id, id_tag, now, int(connector.register_wh))
        start: Payload = {
            "connectorId": connector_id,
            "idTag": id_tag,
            "meterStart": transaction.meter_start_wh,
            "timestamp": format_time(now),
        }
        if connector.reservation_id is not None:
            start["reservationId"] = connector.reservation_id
        connector.transaction = transaction
        connector.reservation_id = connector.reserved_for = connector.remote_id_tag = None
        connector.next_sample_at = now + self._sample_interval_s()
        self._outbox.put(
            Message("StartTransaction", lambda: start, lambda reply: self._follow_start(transaction, reply))
        )
        self.apply_profiles()
        self._queue_sample(connector, transaction, "Transaction.Begin")

    def _follow_start(self, transaction: Transaction, reply: Payload) -> None:
        transaction.id = reply["transactionId"]
        is_refused = reply["idTagInfo"]["status"] != "Accepted"
        is_running = self.connectors[transaction.connector_id].transaction is transaction
        if is_refused and is_running and self.configuration.flag("StopTransactionOnInvalidId"):
            self.stop_transaction(transaction.connector_id, "DeAuthorized")

    def stop_transaction(self, connector_id: int, reason: str = "Local") -> None:
        """End the transaction of a connector for a Reason of §7.36; without one, nothing happens."""
        connector = self.connectors[connector_id]
        transaction = connector.transaction
        if transaction is None:
            return
        now = self.clock()
        self._refresh(connector, now)
        self._queue_sample(connector, transaction, "Transaction.End")
        stop: Payload = {"meterStop": int(connector.register_wh), "timestamp": format_time(now), "reason": reason}
        if reason == "Local":
            stop["idTag"] = transaction.id_tag
        if transaction.samples:
            stop["transactionData"] = transaction.samples
        # A station that never got a transactionId has nothing better to send than -1.
        self._outbox.put(
            Message(
                "StopTransaction", lambda: stop | {"transactionId": -1 if transaction.id is None else transaction.id}
            )
        )
        connector.transaction = None
        connector.has_finished = True
        connector.next_sample_at = math.inf
        self.profiles.end_transaction(connector_id)
        self.apply_profiles()

    def _sample_interval_s(self) -> float:
        return self.configuration.seconds("MeterValueSampleInterval") or math.inf

    def _queue_sample(self, connector: Connector, transaction: Transaction, context: str) -> None:
        now = self.clock()
        sample = connector.sample(now, self.configuration.measurands(), context)
        if self.model.measures and context != "Sample.Periodic":
            transaction.samples.append(connector.sample(now, ("Energy.Active.Import.Register",), context))
        if not sample["sampledValue"]:
            return
        if self.fault == "odd":
            sample = _odd(sample)

        def payload() -> Payload:
            values = {"connectorId": connector.number, "meterValue": [sample]}
            return values if transaction.id is None else values | {"transactionId": transaction.id}

        self._outbox.put(Message("MeterValues", payload))

    # Current

    def lines_a(self) -> tuple[float, float, float]:
        """Tell what the station draws now on the installation's lines; nothing while it is off."""
        if not self.is_on:
            return 0.0, 0.0, 0.0
        now = self.clock()
        l1 = l2 = l3 = 0.0
        for connector in self.connectors.values():
            self._refresh(connector, now)
            a1, a2, a3 = connector.lines_a(now)
            l1, l2, l3 = l1 + a1, l2 + a2, l3 + a3
        return l1, l2, l3

    def apply_profiles(self) -> None:
        """Offer every connector what the profiles say now, and report what that changes."""
        now = self.clock()
        for connector in self.connectors.values():
            self._refresh(connector, now)
            self._offer(connector, now)
        self.report_changes()

    def _refresh(self, connector: Connector, now: float) -> None:
        """Bring a connector up to now, through every change its profiles made on the way."""
        while connector.offer_until <= now:
            self._offer(connector, connector.offer_until)
        connector.advance(now)

    def _offer(self, connector: Connector, at: float) -> None:
        transaction = connector.transaction
        limits = self.profiles.limits(
            connector.number,
            at,
            transaction.started_at if transaction else None,
            ignore_new_default=self.model.default_needs_new_transaction,
        )
        if limits.station_a is not None:  # one limit for the station, shared by those who charge (§3.13.1)
            charging = sum(one.transaction is not None for one in self.connectors.values())
            limits = replace(limits, station_a=limits.station_a / max(1, charging))
        connector.offer_until = limits.until
        connector.offer(limits.least(self.maximum_a), at)

    # Talking

    async def _hold_session(self) -> None:
        """Introduce the station if it is new, then keep the heartbeat until the link goes."""
        if not self._has_booted:
            await self._boot()
        self.is_online = True
        for connector in self.connectors.values():
            connector.reported_status = None
        self._spawn(self._say("StatusNotification", self._status_payload(0)))
        self.report_changes()
        self._outbox.open()
        while True:
            self._interval_changed.clear()
            interval_s = self.configuration.seconds("HeartbeatInterval") or None
            if not await _is_set_within(self._interval_changed, interval_s):
                await self._say("Heartbeat", {})

    async def _boot(self) -> None:
        """Send BootNotification until it is Accepted, at the pace the LLM asks for (§4.2)."""
        while True:
            self._boot_now.clear()
            wait_s = self._boot_retry_s
            try:
                reply = await self._link.call("BootNotification", self._boot_payload())
                interval_s = reply["interval"]
                if reply["status"] == "Accepted":
                    if interval_s > 0:
                        self.configuration.put("HeartbeatInterval", str(interval_s))
                    self._has_booted = True
                    return
                log.info("%s is %s", self.identity, reply["status"])
                wait_s = interval_s or wait_s
            except (CallError, TimeoutError) as error:
                log.warning("%s: BootNotification failed: %s", self.identity, error)
            await _is_set_within(self._boot_now, wait_s)

    def _boot_payload(self) -> Payload:
        return {
            "chargePointVendor": self.model.vendor,
            "chargePointModel": self.model.name,
            "chargePointSerialNumber": self.identity[:25],
            "firmwareVersion": "1.0",
        }

    def _status_payload(self, number: int) -> Payload:
        if number == 0:
            status = "Available"
        else:
            connector = self.connectors[number]
            status = connector.reported_status = connector.status
        return {
            "connectorId": number,
            "errorCode": "NoError",
            "status": status,
            "timestamp": format_time(self.clock()),
        }

    def report_changes(self) -> None:
        """Send a StatusNotification for each connector whose status is another than the last one reported."""
        if not self.is_online:
            return
        for number, connector in self.connectors.items():
            if connector.status != connector.reported_status:
                self._spawn(self._say("StatusNotification", self._status_payload(number)))

    def send_triggered(self, requested: str, connector_id: int | None) -> None:
        """Send what a TriggerMessage asked for (§5.17)."""
        if requested == "BootNotification":
            if self._has_booted:
                self._spawn(self._say("BootNotification", self._boot_payload()))
            self._boot_now.set()
        elif requested == "Heartbeat":
            self._spawn(self._say("Heartbeat", {}))
        else:
            for number in self.connectors if connector_id is None else (connector_id,):
                self._spawn(self._say(requested, self._triggered_payload(requested, number)))

    def _triggered_payload(self, requested: str, number: int) -> Payload:
        if requested == "StatusNotification":
            return self._status_payload(number)
        connector = self.connectors.get(number) or self.connectors[1]
        sample = connector.sample(self.clock(), self.configuration.measurands(), "Trigger")
        payload: Payload = {"connectorId": number, "meterValue": [sample]}
        if connector.transaction and connector.transaction.id is not None:
            payload["transactionId"] = connector.transaction.id
        return payload

    def follow_configuration(self) -> None:
        """Let changed intervals count from now."""
        self._interval_changed.set()
        for connector in self.connectors.values():
            if connector.transaction:
                soonest = self.clock() + self._sample_interval_s()
                connector.next_sample_at = min(connector.next_sample_at, soonest)

    def after_answer(self, follow_up: Callable[[], None]) -> None:
        """Do something once the answer being made is on the wire."""
        self._follow_ups.append(follow_up)

    def _follow_up(self) -> None:
        follow_ups, self._follow_ups = self._follow_ups, []
        for follow_up in follow_ups:
            follow_up()

    async def _say(self, action: str, payload: Payload) -> None:
        """Send something that may get lost."""
        try:
            await self._link.call(action, payload)
        except (LinkLostError, CallError, TimeoutError) as error:
            log.info("%s: %s went nowhere: %s", self.identity, action, error)

    def _lose_link(self) -> None:
        self.is_online = False
        self._outbox.close()
        self._follow_ups.clear()

    def _hear(self, direction: str, action: str, payload: Payload) -> None:
        if action not in QUIET and not action.endswith("Response"):
            log.info("%s %s %s %s", self.identity, "<-" if direction == "in" else "->", action, payload)
        if self._on_event:
            self._on_event(Event(self.clock(), self.identity, direction, action, payload))

    # Housekeeping

    async def _tick(self) -> None:
        """Sample and notice what changes by itself: profiles that run out, cars that are full."""
        while True:
            now = self.clock()
            for connector in self.connectors.values():
                self._refresh(connector, now)
                if connector.transaction and connector.next_sample_at <= now:
                    self._queue_sample(connector, connector.transaction, "Sample.Periodic")
                    connector.next_sample_at = now + self._sample_interval_s()
                if connector.remote_id_tag and now >= connector.remote_until:
                    connector.remote_id_tag = None
                    self.profiles.end_transaction(connector.number)
            self.report_changes()
            due = min(min(one.next_sample_at, one.offer_until) for one in self.connectors.values())
            await asyncio.sleep(max(0.0, min(self._tick_s, due - now)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s: a part of the station failed", self.identity, exc_info=error)


def _odd(sample: Payload) -> Payload:
    """Turn a MeterValue into what some stations send: local time, decimal comma, a unit nobody knows, foreign keys."""
    values = [dict(value, value=value["value"].replace(".", ",")) for value in sample["sampledValue"]]
    strange: Payload = {"value": "31,5", "unit": "Celcius", "measurand": "Temperature", "vendorNote": "x" * 60}
    return {"timestamp": sample["timestamp"].rstrip("Z"), "sampledValue": [*values, strange]}


async def _is_set_within(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Wait for an event; False when the time is over first, None waits for ever."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
