"""Configuration keys: what real stations say and take, one test a quirk, on a real socket."""

import pytest

from simulator import Model
from simulator.configuration import Key
from simulator.link import CallError
from stations.models import Connector, Preconfiguration, Station
from stations.preconfiguration import capabilities_of
from tests.stations.limits import connector, limit, live, onboarded
from tests.stations.wire import Wire, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

INTERVAL, SAMPLED = "MeterValueSampleInterval", "MeterValuesSampledData"
NEEDED = "Current.Import,Energy.Active.Import.Register,Power.Active.Import,Voltage"


def put(wire, name, value, writable=None):
    """Give a simulated station a key it does not have from the factory."""
    wire.simulated.configuration._keys[name] = Key(value, writable)


def changing(wire, takes):
    """Let a station take only some values."""

    def reply(payload):
        if not takes(payload["key"], payload["value"]):
            return {"status": "Rejected"}
        return {"status": wire.simulated.configuration.change(payload["key"], payload["value"])}

    wire.replies["ChangeConfiguration"] = reply


async def settled(count):
    """Wait until so many values have been tried, each with its outcome."""

    def tried():
        kept = Preconfiguration.objects.filter(read_at__isnull=False).first()
        return kept and len(kept.tried) == count and all(outcome for _, _, outcome in kept.tried)

    await until(tried)


def abilities():
    return capabilities_of(Station.objects.get(), Preconfiguration.objects.get())


async def test_heidelberg_has_no_smart_charging_so_it_is_sent_no_profile_and_counted_at_its_maximum():
    async with Wire(Model(purposes=())) as wire:
        profiles = "Core, FirmwareManagement, LocalAuthListManagement, Reservation, RemoteTrigger"
        wire.simulated.configuration.put("SupportedFeatureProfiles", profiles)
        await onboarded(wire)
        number = await wire.begin()
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        row = await until(lambda: (found := connector()).refusal and found)
        assert row.refusal == "cannot be limited: no SmartCharging"
        assert row.accepted_limit_a == 32
        assert wire.profiles() == []


async def test_a_station_that_refuses_every_form_and_holds_none_is_counted_at_its_maximum():
    async with Wire() as wire:
        await onboarded(wire)
        wire.simulated.fault = "reject"
        await in_database(lambda: Station.objects.update(max_current_a=20))
        number = await wire.begin()
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        row = await until(lambda: (found := connector()).refusal.startswith("cannot be limited") and found)
        assert row.accepted_limit_a == 20


async def test_a_twin_station_has_two_connectors_each_with_a_limit_of_its_own():
    async with Wire(connectors=2) as wire:
        await onboarded(wire)
        assert await in_database(Connector.objects.count) == 2
        for number in (1, 2):
            await limit(wire, 8 + number, await wire.begin(number), number)
        assert (wire.held_a(1), wire.held_a(2)) == (9, 10)


async def test_microocpp_gives_its_maximum_to_each_connector_so_a_twin_station_is_never_sent_one():
    async with Wire(connectors=2) as wire:
        await onboarded(wire)
        wire.simulated.fault = "reject"
        live(wire, 10, await wire.begin(), connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().refusal.startswith("cannot be limited"))
        assert "ChargePointMaxProfile" not in {form[0] for form, _ in wire.profiles()}


async def test_a_station_with_room_for_one_profile_gets_the_live_default_in_the_standing_one_s_place():
    async with Wire(Model(purposes=("TxDefaultProfile",))) as wire:
        wire.simulated.configuration.put("MaxChargingProfilesInstalled", "1")
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert len(wire.simulated.profiles) == 1
        assert wire.asked("SetChargingProfile")[-1][0]["csChargingProfiles"]["chargingProfileId"] == 1


async def test_one_period_is_enough_for_every_station():
    async with Wire(Model(largest_schedule=1)) as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert wire.held_a() == 10


@pytest.mark.parametrize(
    ("said", "proposed"),
    [("1.RTS", "L1L3L2"), ("0.RST,1.RST", "L1L2L3"), ("1.Unknown", ""), ("NotApplicable", ""), ("Unknown", "")],
)
async def test_the_rotation_a_station_says_is_a_proposal_and_the_installer_s_counts(said, proposed):
    """Wallbox says 1.Unknown; EVBox Elvi applies a rotation to its values by itself."""
    async with Wire() as wire:
        await in_database(lambda: Station.objects.update(phase_rotation="L2L3L1"))
        wire.simulated.configuration.put("ConnectorPhaseRotation", said)
        await onboarded(wire)
        assert (await in_database(abilities)).rotation == proposed
        assert (await in_database(Station.objects.get)).phase_rotation == "L2L3L1"


async def test_a_read_only_list_of_measurands_is_left_as_it_is():
    async with Wire() as wire:
        put(wire, SAMPLED, "Energy.Active.Import.Register")
        await onboarded(wire)
        await settled(0)
    assert wire.written() == []


async def test_measurands_are_tried_one_by_one_where_the_list_is_refused():
    async with Wire() as wire:
        wire.simulated.configuration.put(SAMPLED, "")
        takes = {"Current.Import", "Voltage"}
        changing(wire, lambda _, value: set(value.split(",")) <= takes)
        await onboarded(wire)
        await settled(8)
        assert wire.simulated.configuration.measurands() == ("Current.Import", "Voltage")


async def test_the_list_is_cut_to_what_the_station_takes():
    async with Wire() as wire:
        wire.simulated.configuration.put(SAMPLED, "")
        wire.simulated.configuration.put("MeterValuesSampledDataMaxLength", "2")
        await onboarded(wire)
        await settled(1)
        assert wire.written() == [(SAMPLED, "Current.Import,Energy.Active.Import.Register", "Accepted")]


async def test_evbox_names_what_it_supports_and_is_spared_offered_values():
    async with Wire(vendor="EVBox") as wire:
        del wire.simulated.configuration._keys["SupportedMeasurands"]
        put(wire, "evb_SupportedMeasurands", "Current.Import,Current.Offered,Voltage,SoC")
        put(wire, SAMPLED, "", "text")
        await onboarded(wire)
        await settled(1)
        assert wire.written() == [(SAMPLED, "Current.Import,Voltage", "Accepted")]


async def test_wallbox_with_firmware_5_is_spared_offered_values():
    async with Wire(vendor="Wall Box Chargers - Wallbox") as wire:
        wire.simulated.configuration.put(SAMPLED, "")
        await onboarded(wire)
        await settled(1)
        assert wire.written() == [(SAMPLED, NEEDED, "Accepted")]


@pytest.mark.parametrize(
    ("least_s", "tried"), [(30, ["10", "30"]), (60, ["10", "30", "60"])], ids=["Easee", "Mennekes"]
)
async def test_a_least_sample_interval_is_found(least_s, tried):
    async with Wire(sample_interval_s=900) as wire:
        changing(wire, lambda key, value: key != INTERVAL or int(value) >= least_s)
        await onboarded(wire)
        await settled(len(tried))
        assert [value for key, value, _ in wire.written() if key == INTERVAL] == tried
        assert wire.simulated.configuration.seconds(INTERVAL) == least_s


async def test_morek_s_aligned_data_is_read_only_and_never_written_anywhere():
    async with Wire() as wire:
        await onboarded(wire)
        await settled(0)
    assert {key for key, _, _ in wire.written()}.isdisjoint({"ClockAlignedDataInterval", "MeterValuesAlignedData"})


async def test_a_station_without_a_ping_interval_is_not_asked_for_one():
    async with Wire() as wire:
        await onboarded(wire)
        await settled(0)
    assert "WebSocketPingInterval" not in {key for key, _, _ in wire.written()}


async def test_a_ping_interval_that_is_rejected_is_tried_once():
    for _ in range(2):
        async with Wire() as wire:
            put(wire, "WebSocketPingInterval", "0", "int")
            changing(wire, lambda key, _: key != "WebSocketPingInterval")
            await wire.boot()
            await settled(1)
    assert (await in_database(Preconfiguration.objects.get)).tried == [["WebSocketPingInterval", "30", "Rejected"]]


async def test_the_heartbeat_interval_goes_with_the_answer_to_the_boot():
    async with Wire() as wire:
        boot = {"chargePointVendor": "Wallbox", "chargePointModel": "Pulsar"}
        assert (await wire.ask("BootNotification", **boot))["interval"] == 60
    assert "HeartbeatInterval" not in {key for key, _, _ in wire.written()}


async def test_what_decides_who_charges_while_the_load_manager_is_off_is_left_to_the_installer():
    async with Wire() as wire:
        for name in ("LocalPreAuthorize", "LocalAuthorizeOffline", "AllowOfflineTxForUnknownId"):
            wire.simulated.configuration.put(name, "true")
        put(wire, "PlugAndChargeIdentifier", "ALFEN", "text")
        await onboarded(wire)
        await settled(0)
    assert wire.written() == []


async def test_wallbox_tells_fifty_keys_at_once_and_is_asked_for_the_rest_in_pieces():
    async with Wire(sample_interval_s=60) as wire:
        for number in range(60):
            put(wire, f"Aaa{number:02d}", "1")
        config = wire.simulated.configuration

        def read(payload):
            answer = config.read(payload.get("key", ()))
            entries = sorted(answer["configurationKey"], key=lambda entry: entry["key"])
            return {**answer, "configurationKey": entries[:50]}

        wire.replies["GetConfiguration"] = read
        await onboarded(wire)
        await settled(1)
        assert wire.written() == [(INTERVAL, "10", "Accepted")]
        assert (await in_database(abilities)).has_smart_charging


async def test_a_station_that_answers_with_an_error_is_limited_all_the_same():
    async with Wire() as wire:

        def refuse(_payload):
            raise CallError("InternalError", "")

        wire.replies["GetConfiguration"] = wire.replies["ChangeConfiguration"] = refuse
        await wire.boot()
        await limit(wire, 10, await wire.begin())
        assert wire.held_a() == 10
