"""What a simulated station answers and reports, and how it fails."""

import asyncio
import base64

import pytest
from ocpp.exceptions import NotImplementedError as OcppNotImplementedError
from ocpp.v16 import call

from simulator import Car, Model
from tests.simulator.central import PATIENCE_S, charging, limit_profile, set_profile, site_is_up


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
