"""A station's life against a real central system: power, charges, lost links."""

import asyncio
from datetime import UTC, datetime

from simulator import Car
from tests.simulator.central import charging


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
