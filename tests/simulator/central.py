"""A real WebSocket central system for one station, which checks every frame against the OCPP 1.6 schemas."""

import asyncio
import contextlib
from datetime import UTC, datetime

from ocpp.exceptions import NotImplementedError as OcppNotImplementedError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from simulator import Car

PATIENCE_S = 5.0


class Central(ChargePoint):
    """The central system's end of one socket; validation by the `ocpp` package, both ways."""

    def __init__(self, identity, socket, site):
        super().__init__(identity, socket, response_timeout=PATIENCE_S)
        self.site = site

    async def route_message(self, raw_msg):
        if self.site.deaf:
            self.note("unheard", raw_msg)
            return
        await super().route_message(raw_msg)

    def note(self, action, values):
        self.site.seen.append((action, values))
        self.site.news.set()

    @on("BootNotification")
    def boot(self, **values):
        self.note("BootNotification", values)
        answers = self.site.boot_answers
        status = answers.pop(0) if answers else "Accepted"
        return call_result.BootNotification(current_time=datetime.now(UTC).isoformat(), interval=0, status=status)

    @on("Heartbeat")
    def heartbeat(self):
        self.note("Heartbeat", {})
        return call_result.Heartbeat(current_time=datetime.now(UTC).isoformat())

    @on("StatusNotification")
    def status(self, **values):
        self.note("StatusNotification", values)
        return call_result.StatusNotification()

    @on("Authorize")
    def authorize(self, id_tag):
        self.note("Authorize", {"id_tag": id_tag})
        return call_result.Authorize(id_tag_info={"status": "Invalid" if id_tag == "STRANGER" else "Accepted"})

    @on("StartTransaction")
    def start_transaction(self, **values):
        self.note("StartTransaction", values)
        if self.site.refuses_starts:
            self.site.refuses_starts -= 1
            raise OcppNotImplementedError(description="not now")
        status = "Blocked" if values["id_tag"] == "BLOCKED" else "Accepted"
        return call_result.StartTransaction(transaction_id=self.site.next_id(), id_tag_info={"status": status})

    @on("StopTransaction")
    def stop_transaction(self, **values):
        self.note("StopTransaction", values)
        return call_result.StopTransaction()

    @on("MeterValues")
    def meter_values(self, **values):
        self.note("MeterValues", values)
        return call_result.MeterValues()


class Site:
    """What the central system knows, across sockets."""

    def __init__(self):
        self.seen = []
        self.news = asyncio.Event()
        self.boot_answers = []
        self.refuses_starts = 0
        self.deaf = False
        self.sockets = []
        self.central = None
        self.arrived = asyncio.Event()
        self.last_id = 0
        self.url = ""

    def next_id(self):
        self.last_id += 1
        return self.last_id

    async def welcome(self, socket):
        self.sockets.append(socket)
        self.central = Central(socket.request.path, socket, self)
        self.arrived.set()
        with contextlib.suppress(Exception):
            await self.central.start()

    def all(self, action):
        return [values for name, values in self.seen if name == action]

    def statuses(self, connector_id=1):
        return [one["status"] for one in self.all("StatusNotification") if one["connector_id"] == connector_id]

    async def until(self, holds):
        """Wait until something holds; what is waited for shows up on the wire."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def ask(self, request):
        return await self.central.call(request, suppress=False)


async def charging(site, station, **kind):
    """Bring a car to the point where the central system knows its transaction."""
    station.plug(Car(follow_s=0.0, **kind), id_tag="BADGE")
    await site.until(lambda: "Charging" in site.statuses() and site.all("MeterValues"))


def limit_profile(limit, *, purpose="TxProfile", transaction_id=None, profile_id=1, duration=None, unit="A", level=0):
    schedule = {
        "charging_rate_unit": unit,
        "charging_schedule_period": [{"start_period": 0, "limit": limit}],
        "start_schedule": "2026-01-01T00:00:00Z",
    }
    if duration is not None:
        schedule |= {"duration": duration, "start_schedule": datetime.now(UTC).isoformat()}
    profile = {
        "charging_profile_id": profile_id,
        "stack_level": level,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Absolute",
        "charging_schedule": schedule,
    }
    return profile if transaction_id is None else profile | {"transaction_id": transaction_id}


def set_profile(limit, connector_id=1, **details):
    return call.SetChargingProfile(connector_id=connector_id, cs_charging_profiles=limit_profile(limit, **details))


async def site_is_up(site):
    await site.until(lambda: site.statuses())
    return True
