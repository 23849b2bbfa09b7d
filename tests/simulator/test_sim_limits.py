"""What a simulated station makes of charging profiles, as its make takes them."""

import pytest
from ocpp.v16 import call

from simulator import Car, Model
from tests.simulator.central import charging, set_profile, site_is_up


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
