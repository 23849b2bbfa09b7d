"""A station's life against a real WebSocket central system that checks every frame against the OCPP 1.6 schemas."""

import asyncio
import base64
import contextlib
from datetime import UTC, datetime

import pytest
from ocpp.exceptions import NotImplementedError as OcppNotImplementedError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import serve

from simulator import Car, Model, Station

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


@pytest.fixture
async def site():
    site = Site()
    async with serve(site.welcome, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        site.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        yield site


@pytest.fixture
async def power(site):
    """Make stations that are switched off at the end."""
    stations = []

    def make(identity="CP1", **options):
        quick = {"tick_s": 0.02, "boot_retry_s": 0.02, "backoff_s": (0.02, 0.05), "sample_interval_s": 30.0}
        station = Station(identity, site.url, **(quick | options))
        station.configuration.put("TransactionMessageRetryInterval", "0.02")
        stations.append(station)
        station.start()
        return station

    yield make
    for station in stations:
        await station.stop()


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


async def test_a_life_from_power_up_to_the_end_of_a_charge(site, power):
    station = power("CP 1/a")
    await site.until(lambda: site.statuses() == ["Available"])
    assert site.sockets[0].request.path == "/ocpp/CP%201%2Fa"
    assert site.sockets[0].subprotocol == "ocpp1.6"
    assert [action for action, _ in site.seen] == ["BootNotification", "StatusNotification", "StatusNotification"]
    await charging(site, station)
    assert site.all("Authorize") == [{"id_tag": "BADGE"}]
    station.stop_transaction(1)
    await site.until(lambda: "Finishing" in site.statuses() and site.all("StopTransaction"))
    station.unplug()
    await site.until(lambda: site.statuses()[-1] == "Available")
    assert site.statuses() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    (stop,) = site.all("StopTransaction")
    assert (stop["transaction_id"], stop["reason"], stop["id_tag"]) == (1, "Local", "BADGE")
    contexts = [one["sampled_value"][0]["context"] for one in stop["transaction_data"]]
    assert contexts == ["Transaction.Begin", "Transaction.End"]


async def test_meter_values_tell_current_voltage_power_energy_and_offer_per_phase(site, power):
    station = power(sample_interval_s=0.05, lines=(1, 2, 0))
    await charging(site, station, phases=2)
    await site.until(lambda: len(site.all("MeterValues")) > 2)
    values = site.all("MeterValues")[2]
    assert values["transaction_id"] == 1
    sampled = values["meter_value"][0]["sampled_value"]
    told = {(one["measurand"], one.get("phase")): (one["value"], one["unit"]) for one in sampled}
    assert told[("Current.Import", "L1")] == told[("Current.Import", "L2")] == ("16.00", "A")
    assert told[("Current.Import", "L3")] == ("0.00", "A")
    assert told[("Voltage", "L1-N")] == ("230.0", "V")
    assert told[("Power.Active.Import", None)] == ("7360", "W")
    assert told[("Current.Offered", None)] == ("32.0", "A")
    assert ("Energy.Active.Import.Register", None) in told
    assert station.lines_a() == (0, 16, 16)


async def test_boot_is_repeated_until_accepted_and_nothing_else_is_said_before(site, power):
    site.boot_answers = ["Pending", "Rejected"]
    power()
    await site.until(lambda: site.statuses())
    assert [action for action, _ in site.seen][:4] == ["BootNotification"] * 3 + ["StatusNotification"]


async def test_a_lost_link_is_taken_up_again_without_a_boot(site, power):
    power()
    await site.until(lambda: site.statuses())
    await site.sockets[0].close()
    await site.until(lambda: len(site.statuses()) == 2)
    assert len(site.sockets) == 2
    assert len(site.all("BootNotification")) == 1


async def test_a_charge_made_offline_arrives_later_in_order_with_its_own_times(site, power):
    station = power()
    await site.until(lambda: site.statuses())
    await station.go_offline()
    before = datetime.now(UTC)
    station.plug(Car(), id_tag="UNKNOWN")
    while station.connectors[1].transaction is None:
        await asyncio.sleep(0)
    station.unplug()
    between = datetime.now(UTC)
    site.seen.clear()
    station.go_online()
    await site.until(lambda: site.all("StopTransaction"))
    kept = [action for action, _ in site.seen if action in ("StartTransaction", "MeterValues", "StopTransaction")]
    assert kept == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    (start,), (stop,) = site.all("StartTransaction"), site.all("StopTransaction")
    for moment in (start["timestamp"], stop["timestamp"]):
        assert before.timestamp() - 0.001 <= datetime.fromisoformat(moment).timestamp() <= between.timestamp()
    assert {one["transaction_id"] for one in site.all("MeterValues")} == {1} == {stop["transaction_id"]}


async def test_an_unanswered_start_is_sent_again_and_holds_back_what_follows(site, power):
    station = power(call_timeout_s=0.1)
    await site.until(lambda: site.statuses())
    site.deaf = True
    station.plug(Car())
    station.start_transaction(1, "BADGE")
    station.unplug()
    await site.until(lambda: any("StartTransaction" in frame for frame in site.all("unheard")))
    site.deaf = False
    await site.until(lambda: site.all("StopTransaction"))
    kept = [action for action, _ in site.seen if action.endswith("Transaction")]
    assert kept == ["StartTransaction", "StopTransaction"]


async def test_a_start_refused_three_times_is_given_up_and_its_stop_sent_with_minus_one(site, power):
    site.refuses_starts = 3
    station = power()
    await site.until(lambda: site.statuses())
    station.plug(Car())
    station.start_transaction(1, "BADGE")
    station.unplug()
    await site.until(lambda: site.all("StopTransaction"))
    assert len(site.all("StartTransaction")) == 3
    assert site.all("StopTransaction")[0]["transaction_id"] == -1


async def test_a_refused_badge_starts_nothing_and_a_blocked_one_is_stopped(site, power):
    station = power()
    await site.until(lambda: site.statuses())
    station.plug(Car(), id_tag="STRANGER")
    await site.until(lambda: site.all("Authorize"))
    station.present_badge("BLOCKED")
    await site.until(lambda: site.all("StopTransaction"))
    assert [one["id_tag"] for one in site.all("StartTransaction")] == ["BLOCKED"]
    assert site.all("StopTransaction")[0]["reason"] == "DeAuthorized"


async def test_a_transaction_profile_steers_the_car_and_zero_pauses_it(site, power):
    station = power()
    assert await site_is_up(site)
    early = await site.ask(set_profile(10.0, transaction_id=1))
    assert early.status == "Rejected"
    await charging(site, station)
    assert (await site.ask(set_profile(10.0, transaction_id=9))).status == "Rejected"
    assert (await site.ask(set_profile(10.0, transaction_id=1))).status == "Accepted"
    assert station.lines_a() == (10, 10, 10)
    assert (await site.ask(set_profile(0.0, transaction_id=1))).status == "Accepted"
    await site.until(lambda: site.statuses()[-1] == "SuspendedEVSE")
    assert station.lines_a() == (0, 0, 0)
    assert (await site.ask(call.ClearChargingProfile(id=1))).status == "Accepted"
    assert (await site.ask(call.ClearChargingProfile(id=1))).status == "Unknown"
    await site.until(lambda: site.statuses()[-1] == "Charging")
    assert station.lines_a() == (16, 16, 16)


async def site_is_up(site):
    await site.until(lambda: site.statuses())
    return True


async def test_a_live_limit_that_runs_out_leaves_the_standing_one(site, power):
    station = power()
    await site_is_up(site)
    assert (await site.ask(set_profile(0.0, purpose="TxDefaultProfile", profile_id=7))).status == "Accepted"
    station.plug(Car(follow_s=0.0), id_tag="BADGE")
    await site.until(lambda: "SuspendedEVSE" in site.statuses() and site.all("MeterValues"))
    live = set_profile(12.0, transaction_id=1, duration=1)
    assert (await site.ask(live)).status == "Accepted"
    assert station.lines_a() == (12, 12, 12)
    await site.until(lambda: site.statuses()[-2:] == ["Charging", "SuspendedEVSE"])
    assert station.lines_a() == (0, 0, 0)


async def test_the_composite_schedule_says_what_holds(site, power):
    power()
    await site_is_up(site)
    await site.ask(set_profile(13.0, connector_id=0, purpose="ChargePointMaxProfile"))
    answer = await site.ask(call.GetCompositeSchedule(connector_id=1, duration=60))
    assert answer.charging_schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 13}]
    watts = await site.ask(call.GetCompositeSchedule(connector_id=1, duration=60, charging_rate_unit="W"))
    assert watts.charging_schedule["charging_schedule_period"][0]["limit"] == 13 * 690


async def test_a_full_car_suspends_itself_and_keeps_its_transaction(site, power):
    station = power()
    await site_is_up(site)
    station.plug(Car(wanted_wh=0.0), id_tag="BADGE")
    await site.until(lambda: "SuspendedEV" in site.statuses())
    assert station.lines_a() == (0, 0, 0)
    assert not site.all("StopTransaction")


async def test_a_station_that_does_not_measure_reports_only_what_it_offers(site, power):
    station = power(model=Model(measures=False))
    await site_is_up(site)
    await charging(site, station)
    (sampled,) = site.all("MeterValues")[0]["meter_value"][0]["sampled_value"]
    assert (sampled["measurand"], sampled["value"]) == ("Current.Offered", "32.0")
    station.unplug()
    await site.until(lambda: site.all("StopTransaction"))
    assert "transaction_data" not in site.all("StopTransaction")[0]


async def test_two_connectors_share_the_station_maximum(site, power):
    station = power(connectors=2)
    await site_is_up(site)
    await site.ask(set_profile(20.0, connector_id=0, purpose="ChargePointMaxProfile"))
    for number in (1, 2):
        station.plug(Car(follow_s=0.0), connector_id=number, id_tag="BADGE")
    await site.until(lambda: "Charging" in site.statuses(1) and "Charging" in site.statuses(2))
    assert station.lines_a() == (20, 20, 20)


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (Model(purposes=("TxDefaultProfile",)), set_profile(8.0, connector_id=0, purpose="ChargePointMaxProfile")),
        (Model(units=("W",)), set_profile(8.0, purpose="TxDefaultProfile")),
        (Model(top_stack_level=0), set_profile(8.0, purpose="TxDefaultProfile", level=1)),
        (Model(kinds=("Relative",)), set_profile(8.0, purpose="TxDefaultProfile")),
        (Model(), set_profile(8.0, connector_id=5, purpose="TxDefaultProfile")),
    ],
)
async def test_a_station_rejects_what_its_make_does_not_take(site, power, model, profile):
    station = power(model=model)
    await site_is_up(site)
    assert (await site.ask(profile)).status == "Rejected"
    assert len(station.profiles) == 0


async def test_a_station_without_smart_charging_says_so(site, power):
    power(model=Model(purposes=()))
    await site_is_up(site)
    assert (await site.ask(set_profile(8.0, purpose="TxDefaultProfile"))).status == "NotSupported"
    answer = await site.ask(call.GetConfiguration(key=["SupportedFeatureProfiles", "ChargeProfileMaxStackLevel"]))
    assert "SmartCharging" not in answer.configuration_key[0]["value"]
    assert answer.unknown_key == ["ChargeProfileMaxStackLevel"]


async def test_faults_ignore_and_reject(site, power):
    station = power()
    await site_is_up(site)
    await charging(site, station)
    station.set_fault("ignore")
    assert (await site.ask(set_profile(8.0, transaction_id=1))).status == "Accepted"
    assert station.lines_a() == (16, 16, 16)
    station.set_fault("reject")
    assert (await site.ask(set_profile(8.0, transaction_id=1))).status == "Rejected"
    station.set_fault("none")
    assert (await site.ask(set_profile(8.0, transaction_id=1))).status == "Accepted"
    assert station.lines_a() == (8, 8, 8)


async def test_a_late_station_answers_after_the_patience_of_the_central_system(site, power):
    station = power(model=Model(late_s=60.0))
    await site_is_up(site)
    station.set_fault("late")
    site.central._response_timeout = 0.1
    with pytest.raises(asyncio.TimeoutError):
        await site.ask(call.ClearCache())
    station.plug(Car(), id_tag="BADGE")
    await site.until(lambda: "Charging" in site.statuses())


async def test_a_silent_station_keeps_its_socket_and_answers_nothing_until_it_talks_again(site, power):
    station = power()
    await site_is_up(site)
    station.set_fault("silent")
    site.central._response_timeout = 0.1
    with pytest.raises(asyncio.TimeoutError):
        await site.ask(call.ClearCache())
    station.plug(Car(), id_tag="BADGE")
    station.set_fault("none")
    site.central._response_timeout = PATIENCE_S
    assert (await site.ask(call.ClearCache())).status == "Accepted"
    assert len(site.sockets) == 1


async def test_odd_values_have_decimal_commas_and_foreign_keys(site, power):
    events = []

    def note(event):
        events.append(event)
        site.news.set()

    station = power(on_event=note)
    await site_is_up(site)
    station.set_fault("odd")
    station.plug(Car(), id_tag="BADGE")
    await site.until(lambda: "Charging" in site.statuses() and any(one.action == "MeterValues" for one in events))
    (value,) = next(one for one in events if one.action == "MeterValues").payload["meterValue"]
    assert not value["timestamp"].endswith("Z")
    assert value["sampledValue"][-1]["unit"] == "Celcius"
    assert {one["value"] for one in value["sampledValue"] if one["measurand"] == "Voltage"} == {"230,0"}


async def test_remote_start_waits_for_the_car_and_remote_stop_ends_it(site, power):
    station = power()
    await site_is_up(site)
    start = call.RemoteStartTransaction(id_tag="FAR", connector_id=1, charging_profile=limit_profile(7.0))
    assert (await site.ask(start)).status == "Accepted"
    await site.until(lambda: site.statuses()[-1] == "Preparing")
    station.plug(Car(follow_s=0.0))
    await site.until(lambda: site.all("MeterValues"))
    assert site.all("StartTransaction")[0]["id_tag"] == "FAR"
    assert station.lines_a() == (7, 7, 7)
    assert (await site.ask(call.RemoteStopTransaction(transaction_id=1))).status == "Accepted"
    await site.until(lambda: site.all("StopTransaction"))
    assert site.all("StopTransaction")[0]["reason"] == "Remote"
    assert (await site.ask(call.RemoteStopTransaction(transaction_id=1))).status == "Rejected"


async def test_a_reset_stops_the_charge_and_boots_again(site, power):
    station = power()
    await site_is_up(site)
    await charging(site, station)
    assert (await site.ask(call.Reset(type="Soft"))).status == "Accepted"
    await site.until(lambda: len(site.all("BootNotification")) == 2 and site.all("StopTransaction"))
    assert site.all("StopTransaction")[0]["reason"] == "SoftReset"


async def test_a_power_cut_is_reported_after_the_power_is_back(site, power):
    station = power()
    await site_is_up(site)
    await charging(site, station)
    await station.stop()
    assert site.sockets[0].close_code == 1000
    assert station.lines_a() == (0, 0, 0)
    station.start()
    await site.until(lambda: site.all("StopTransaction"))
    assert site.all("StopTransaction")[0]["reason"] == "PowerLoss"
    assert len(site.all("BootNotification")) == 2


async def test_configuration_is_read_written_and_protected(site, power):
    power()
    await site_is_up(site)
    answer = await site.ask(call.GetConfiguration())
    assert {"MeterValueSampleInterval", "NumberOfConnectors"} <= {one["key"] for one in answer.configuration_key}
    statuses = [
        (await site.ask(call.ChangeConfiguration(key=key, value=value))).status
        for key, value in (
            ("MeterValueSampleInterval", "20"),
            ("MeterValueSampleInterval", "often"),
            ("NumberOfConnectors", "3"),
            ("MeterValuesSampledData", "Current.Import,SoC"),
            ("MeterValuesSampledData", "Current.Import"),
            ("AuthorizationKey", "secret"),
            ("Unheard", "1"),
        )
    ]
    assert statuses == ["Accepted", "Rejected", "Rejected", "Rejected", "Accepted", "Rejected", "NotSupported"]


async def test_a_shorter_heartbeat_interval_counts_at_once(site, power):
    power()
    await site_is_up(site)
    await site.ask(call.ChangeConfiguration(key="HeartbeatInterval", value="1"))
    await site.until(lambda: site.all("Heartbeat"))


async def test_every_other_question_gets_an_answer(site, power):
    station = power()
    await site_is_up(site)
    listed = [{"id_tag": "A", "id_tag_info": {"status": "Accepted"}}, {"id_tag": "B"}]
    questions = [
        (call.SendLocalList(list_version=3, update_type="Full", local_authorization_list=listed), "Accepted"),
        (call.DataTransfer(vendor_id="Nobody"), "UnknownVendorId"),
        (call.ReserveNow(connector_id=1, expiry_date="2030-01-01T00:00:00Z", id_tag="A", reservation_id=4), "Accepted"),
        (call.CancelReservation(reservation_id=4), "Accepted"),
        (call.CancelReservation(reservation_id=4), "Rejected"),
        (call.UnlockConnector(connector_id=1), "Unlocked"),
        (call.UnlockConnector(connector_id=2), "NotSupported"),
        (call.ChangeAvailability(connector_id=0, type="Inoperative"), "Accepted"),
        (call.TriggerMessage(requested_message="FirmwareStatusNotification"), "NotImplemented"),
        (call.TriggerMessage(requested_message="MeterValues", connector_id=1), "Accepted"),
        (call.TriggerMessage(requested_message="BootNotification"), "Accepted"),
    ]
    for question, status in questions:
        assert (await site.ask(question)).status == status, question
    assert (await site.ask(call.GetLocalListVersion())).list_version == 3
    assert [station.local_list.status(badge, 0) for badge in "aAB"] == ["Accepted", "Accepted", None]
    await site.until(lambda: "Unavailable" in site.statuses() and site.all("MeterValues"))
    await site.until(lambda: len(site.all("BootNotification")) == 2)
    with pytest.raises(OcppNotImplementedError):
        await site.ask(call.GetDiagnostics(location="ftp://127.0.0.1/"))


async def test_a_password_goes_as_basic_authorization(site, power):
    power("CP7", password="s3cret")
    await site_is_up(site)
    token = base64.b64decode(site.sockets[0].request.headers["Authorization"].removeprefix("Basic "))
    assert token == b"CP7:s3cret"
    fresh = bytes(range(236, 256))
    key = call.ChangeConfiguration(key="AuthorizationKey", value=fresh.hex())
    assert (await site.ask(key)).status == "Accepted"
    await site.until(lambda: len(site.statuses()) == 2)
    token = base64.b64decode(site.sockets[1].request.headers["Authorization"].removeprefix("Basic "))
    assert token == b"CP7:" + fresh
    (secret,) = (await site.ask(call.GetConfiguration(key=["AuthorizationKey"]))).configuration_key
    assert secret["value"] == ""


async def test_events_tell_what_went_over_the_wire_in_which_direction(site, power):
    events = []
    power(on_event=events.append)
    await site_is_up(site)
    await site.ask(call.ClearCache())
    assert [(one.direction, one.action) for one in events[:2]] == [
        ("out", "BootNotification"),
        ("in", "BootNotificationResponse"),
    ]
    assert ("in", "ClearCache") in [(one.direction, one.action) for one in events]
    assert events[0].payload["chargePointModel"] == "Garage 22"
