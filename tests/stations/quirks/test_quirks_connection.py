"""The connection: how real stations dial, come back and time, one test a quirk."""

import json

import pytest

from accounts.secrets import keyed_hash
from simulator.profiles import TRANSACTION
from stations.models import Connector, Preconfiguration, Station, Transaction
from stations.ocpp16 import consumer, sockets
from tests.stations.limits import limit, onboarded
from tests.stations.test_consumer import Line, basic, in_database
from tests.stations.wire import Wire, eventually, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

BENDER = "EVB-P18000000-" + "0" * 34  # 48 characters, as OCPP 2.x allows


def identities():
    return list(Station.objects.values_list("identity", flat=True))


@pytest.mark.parametrize(
    "path",
    ["/ocpp/CP1", "/ocpp/CP1/CP1", "/ocpp/CP1/CP1/CP1", "/ocpp/CP1/", "/ocpp/CP1//", "/ocpp/OCPPJProxy/v16/CP1"],
    ids=["once", "twice", "three times", "slash", "slashes", "Bender's prefix"],
)
async def test_a_station_appends_its_identity_once_or_twice_or_with_a_slash(path):
    async with Line(path) as line:
        assert "currentTime" in await line.ask("Heartbeat")
    assert await in_database(identities) == ["CP1"]


async def test_a_serial_number_is_appended_to_the_address():
    """EN+ appends it to whatever was entered."""
    async with Line("/ocpp/garage/place-1/SN0123"):
        pass
    assert await in_database(identities) == ["SN0123"]


@pytest.mark.parametrize("path", ["/ocpp/tacw22", "/ocpp/TacW22"])
async def test_an_identity_in_another_case_is_the_same_station(path):
    await in_database(lambda: Station.objects.create(identity="TACW22", state="configured"))
    async with Line(path):
        assert (await in_database(Station.objects.get)).is_connected
    assert await in_database(identities) == ["TACW22"]


async def test_of_two_identities_that_differ_in_case_each_finds_its_own_and_a_third_is_neither():
    await in_database(lambda: [Station.objects.create(identity=name, state="configured") for name in ("ab", "AB")])
    async with Line("/ocpp/AB"):
        assert await in_database(lambda: list(Station.objects.exclude(socket_id="").values_list("identity"))) == [
            ("AB",)
        ]
    async with Line("/ocpp/aB"):
        pass
    assert sorted(await in_database(identities)) == ["AB", "aB", "ab"]


async def test_a_password_counts_for_a_station_in_another_case():
    await in_database(lambda: Station.objects.create(identity="CP1", password_hash=keyed_hash("s3cret")))
    assert await Line("/ocpp/cp1").refusal() == 401
    async with Line("/ocpp/cp1", headers=basic("cp1", "s3cret")):
        pass


@pytest.mark.parametrize("identity", [BENDER, "x" * 255])
async def test_a_long_identity_is_not_cut(identity):
    async with Line(f"/ocpp/{identity}"):
        pass
    assert await in_database(identities) == [identity]


async def test_an_identity_that_no_field_can_hold_is_not_found():
    assert await Line(f"/ocpp/{'x' * 256}").refusal() == 404


async def test_security_profile_0_needs_no_password():
    async with Line("/ocpp/CP1", headers=basic("CP1", "")):
        pass
    async with Line("/ocpp/CP1"):
        pass


async def test_foxess_comes_back_after_minutes_without_a_boot_and_its_session_goes_on():
    async with Wire() as wire:
        await wire.boot()
        number = await wire.begin()
        await in_database(lambda: Connector.objects.update(accepted_limit_a=10))
    async with Wire() as again:
        await again.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
        await again.measure(number, 9)
        row = await in_database(Connector.objects.get)
        assert (row.accepted_limit_a, row.current_l1_a) == (10, 9), "what it held before it holds still"
        assert (await in_database(Transaction.objects.get)).stopped_at is None


async def test_what_was_accepted_before_a_reconnect_is_still_compared_with_what_the_car_draws():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
    async with Wire() as again:
        again.simulated.connectors[1].transaction = wire.simulated.connectors[1].transaction
        await again.measure(number, 16)
        await eventually(lambda: sockets._sockets[again.station_id].limits._promises)
        for _ in range(2):
            await again.measure(number, 16)
        await eventually(lambda: again.held_a() == 10)
        assert again.profiles() == [((TRANSACTION, "A", "Absolute", 8), True)]


async def test_a_station_that_comes_back_without_a_boot_is_asked_what_it_does_if_it_can_be(monkeypatch):
    async with Wire() as wire:
        await onboarded(wire)
        assert wire.asked("TriggerMessage") == []
    monkeypatch.setattr(consumer, "QUIET_S", 0)
    async with Wire() as again:
        await eventually(lambda: len(again.asked("TriggerMessage")) == 2)
        asked = [payload["requestedMessage"] for payload, _ in again.asked("TriggerMessage")]
        assert asked == ["StatusNotification", "MeterValues"]


async def test_a_station_that_cannot_be_triggered_is_not(monkeypatch):
    monkeypatch.setattr(consumer, "QUIET_S", 0)
    async with Wire() as wire:
        wire.simulated.configuration.put("SupportedFeatureProfiles", "Core,SmartCharging")
        wire.simulated.configuration.put("MeterValueSampleInterval", "60")
        await until(lambda: Preconfiguration.objects.filter(read_at__isnull=False).exists())
        await eventually(lambda: wire.written())
        await wire.ask("Heartbeat")
        assert wire.asked("TriggerMessage") == []


async def test_a_boot_makes_what_was_held_unknown():
    async with Wire() as wire:
        await wire.begin()
        await in_database(lambda: Connector.objects.update(accepted_limit_a=10))
        await wire.boot()
        assert (await in_database(Connector.objects.get)).accepted_limit_a is None


async def test_values_in_local_time_with_commas_and_foreign_keys_are_read():
    async with Wire() as wire:
        number = await wire.begin()
        sampled = [{"value": "9,5", "measurand": "Current.Import", "phase": "L1", "vendorNote": "x" * 60}]
        values = [{"timestamp": "2026-01-05T11:30:00", "sampledValue": sampled, "vendor": 1}]
        assert await wire.ask("MeterValues", connectorId=1, transactionId=number, meterValue=values) == {}
        kept = await in_database(lambda: Connector.objects.get().meter_values.get())
        assert (kept.current_l1_a, kept.measured_at.hour) == (9.5, 11)


async def test_a_start_without_a_connector_is_that_of_the_first():
    async with Line("/ocpp/CP1") as line:
        answer = await line.ask("StartTransaction", idTag="A1", meterStart=0, timestamp="2026-01-05T10:00:00Z")
        assert answer["transactionId"] > 0
    assert (await in_database(lambda: Transaction.objects.get().connector.number)) == 1


async def test_message_numbers_without_quotes_are_understood():
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to(json.dumps([2, 17, "Heartbeat", {}]))
        assert (await line.hear())[:2] == [3, "17"]
