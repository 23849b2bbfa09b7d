"""Stations that none of us wrote, strict about schemas, live a whole session: PyPI's `ocpp` and npm's `ocpp-rpc`."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime

import pytest
import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, ChargePointErrorCode, ChargePointStatus, ChargingProfileStatus, RegistrationStatus

from tests.e2e.foreign import NODE, install, needs_npm

pytestmark = pytest.mark.e2e

STATIC_SITE = "installation: {mode: static, fuse_a: 63, static_limit_a: 20, fail_safe_a: 6}\n"


class Foreign(ChargePoint):
    """The package's station, with an answer to the profiles it is sent."""

    profiles = ()

    @on(Action.set_charging_profile)
    def take_profile(self, cs_charging_profiles, **_rest):
        self.profiles = (*self.profiles, cs_charging_profiles)
        return call_result.SetChargingProfile(status=ChargingProfileStatus.accepted)

    async def expect(self, purpose):
        while not any(profile["charging_profile_purpose"] == purpose for profile in self.profiles):
            await asyncio.sleep(0.05)


def now():
    return datetime.now(tz=UTC).isoformat()


def meter_value(energy_wh, current_a):
    sampled = [{"value": str(energy_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
    sampled += [
        {"value": str(current_a), "measurand": "Current.Import", "phase": phase, "unit": "A"}
        for phase in ("L1", "L2", "L3")
    ]
    return [{"timestamp": now(), "sampledValue": sampled}]


async def live(station):
    """Boot, authorise, start, be measured, be limited, stop; returns the transaction's number."""
    boot = await station.call(call.BootNotification(charge_point_model="Other", charge_point_vendor="Maker"))
    assert boot.status == RegistrationStatus.accepted
    assert (await station.call(call.Authorize(id_tag="A1B2C3"))).id_tag_info["status"] == "Accepted"
    started = await station.call(
        call.StartTransaction(connector_id=1, id_tag="A1B2C3", meter_start=1000, timestamp=now())
    )
    number = started.transaction_id
    await station.call(
        call.StatusNotification(
            connector_id=1, error_code=ChargePointErrorCode.no_error, status=ChargePointStatus.charging
        )
    )
    await station.call(call.MeterValues(connector_id=1, transaction_id=number, meter_value=meter_value(1400, 5.9)))
    await station.expect("TxDefaultProfile")
    await station.expect("TxProfile")
    stopped = await station.call(
        call.StopTransaction(transaction_id=number, id_tag="A1B2C3", meter_stop=2500, timestamp=now(), reason="Local")
    )
    assert stopped.id_tag_info["status"] == "Accepted"
    await station.call(call.Heartbeat())
    return number


async def test_it_completes_a_session_and_is_told_its_limits(product):
    product.apply(STATIC_SITE)
    async with websockets.connect(f"{product.url}/Foreign%2F1", subprotocols=["ocpp1.6"]) as socket:
        station = Foreign("Foreign/1", socket)
        listening = asyncio.create_task(station.start())
        number = await asyncio.wait_for(live(station), 30)
        listening.cancel()
    ((identity, energy_wh, reason),) = product.query(
        "SELECT s.identity, t.meter_stop_wh - t.meter_start_wh, t.stop_reason FROM stations_transaction t "
        "JOIN stations_connector c ON c.id = t.connector_id JOIN stations_station s ON s.id = c.station_id "
        "WHERE t.id = ?",
        number,
    )
    assert (identity, energy_wh, reason) == ("Foreign/1", 1500, "Local")
    assert product.query("SELECT current_l1_a FROM stations_metervalue WHERE energy_wh = 1400") == [(5.9,)]
    live_limits = [p for p in station.profiles if p["charging_profile_purpose"] == "TxProfile"]
    assert live_limits[-1]["transaction_id"] == number
    assert live_limits[-1]["charging_schedule"]["charging_schedule_period"][0]["limit"] == 20


@needs_npm
def test_a_station_of_another_language_completes_a_session_too(product):
    product.apply(STATIC_SITE)
    install()
    done = subprocess.run(
        ["node", "station.mjs", product.url, "Node 1"], cwd=NODE, check=True, timeout=90, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    assert ["TxProfile", 20] in told["limits"]
    stored = product.query(
        "SELECT meter_stop_wh - meter_start_wh, stop_reason FROM stations_transaction WHERE id = ?",
        told["transactionId"],
    )
    assert stored == [(1500, "EVDisconnected")]
    assert ("Node 1",) in product.query("SELECT identity FROM stations_station")
