"""What an operator asks of a station: what is forwarded, what is answered here, what is barred."""

import pytest

from stations.models import Connector, CpoIdTag, CpoLink, CpoMessage, CpoProfile, CpoServer, Station
from tests.stations.cpo.operator import Operator
from tests.stations.cpo.test_relay import Garage, accepted, state
from tests.stations.wire import eventually, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("relays")]

PROFILE = {
    "chargingProfileId": 7,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]},
}


async def test_a_reset_is_forwarded_and_may_be_barred():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        garage.replies["Reset"] = lambda _payload: {"status": "Accepted"}
        assert await operator.ask("Reset", type="Soft") == {"status": "Accepted"}
        await in_database(lambda: CpoServer.objects.update(barred=["Reset"]))
        await eventually(lambda: len(operator.sockets) == 2)
        await accepted()
        assert await operator.ask("Reset", type="Soft") == {"status": "Rejected"}
        assert len(garage.asked("Reset")) == 1


async def test_what_does_not_fit_its_schema_never_reaches_the_station():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        code, _why = await operator.ask("Reset", type="Hot")
        assert code == "PropertyConstraintViolation"
        assert (await operator.ask("InstallCertificate", certificate="x"))[0] == "NotSupported"
        assert not garage.asked("Reset")


async def test_a_station_that_is_away_does_nothing_and_the_operator_sees_it_unavailable():
    async with Operator() as operator:

        def last():
            told = operator.all("StatusNotification")
            return told[-1]["status"] if told else None

        async with Garage(operator) as garage:
            await accepted()
            await garage.ask("StatusNotification", connectorId=1, status="Preparing", errorCode="NoError")
            await operator.until(lambda: last() == "Preparing")
        await operator.until(lambda: last() == "Unavailable")
        assert await operator.ask("Reset", type="Soft") == {"status": "Rejected"}
        assert await operator.ask("UnlockConnector", connectorId=1) == {"status": "NotSupported"}
        assert await in_database(state) == ("accepted", "")
        async with garage:
            await garage.ask("StatusNotification", connectorId=1, status="Available", errorCode="NoError")
            await operator.until(lambda: last() == "Available")
    assert operator.faults == []


async def test_a_profile_is_kept_as_a_limit_and_never_sent_on():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        said = await operator.ask("SetChargingProfile", connectorId=1, csChargingProfiles=PROFILE)
        assert said == {"status": "Accepted"}
        schedule = await operator.ask("GetCompositeSchedule", connectorId=1, duration=60)
        assert schedule["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        schedule = await operator.ask("GetCompositeSchedule", connectorId=1, duration=10**17)
        assert schedule["chargingSchedule"]["duration"] == 7 * 86_400
        assert await operator.ask("ClearChargingProfile", id=8) == {"status": "Unknown"}
        assert await operator.ask("ClearChargingProfile", id=7) == {"status": "Accepted"}
        assert not await in_database(CpoProfile.objects.exists)
        assert garage.asked("SetChargingProfile") == []


@pytest.mark.parametrize("values", [
    {"chargingProfilePurpose": "TxProfile"}, {"chargingProfilePurpose": "TxProfile", "transactionId": 4711},
    {"chargingProfileKind": "Recurring"}, {"chargingProfilePurpose": "ChargePointMaxProfile"},
])  # fmt: skip
async def test_a_profile_that_cannot_be_kept_to_is_rejected(values):
    async with Operator() as operator, Garage(operator):
        await accepted()
        said = await operator.ask("SetChargingProfile", connectorId=1, csChargingProfiles={**PROFILE, **values})
        assert said == {"status": "Rejected"}


async def test_the_profile_of_a_remote_start_bounds_the_transaction_that_follows_and_ends_with_it():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        garage.replies["RemoteStartTransaction"] = lambda _payload: {"status": "Accepted"}
        profile = {**PROFILE, "chargingProfilePurpose": "TxProfile"}
        assert await operator.ask("RemoteStartTransaction", idTag="A1", chargingProfile=profile) == {
            "status": "Accepted"
        }
        assert [payload for payload, _reply in garage.asked("RemoteStartTransaction")] == [{"idTag": "A1"}]
        number = await garage.begin()
        assert await in_database(lambda: CpoProfile.objects.get().transaction_id) == number
        await garage.end(number)
        assert not await in_database(CpoProfile.objects.exists)


async def test_the_profile_of_a_remote_start_that_fails_is_forgotten():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        garage.replies["RemoteStartTransaction"] = lambda _payload: {"status": "Perhaps"}
        profile = {**PROFILE, "chargingProfilePurpose": "TxProfile"}
        code, _why = await operator.ask("RemoteStartTransaction", idTag="A1", chargingProfile=profile)
        assert code == "InternalError"
        assert not await in_database(CpoProfile.objects.exists)


async def test_keys_that_the_load_manager_needs_are_copies_and_the_rest_is_the_stations():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        garage.replies["ChangeConfiguration"] = lambda _payload: {"status": "Accepted"}
        garage.replies["GetConfiguration"] = lambda _payload: {
            "configurationKey": [
                {"key": "MeterValueSampleInterval", "readonly": False, "value": "10"},
                {"key": "LightIntensity", "readonly": False, "value": "50"},
                {"key": "AuthorizationKey", "readonly": False, "value": "s3cret"},
            ]
        }
        before = len(garage.written())
        said = await operator.ask("ChangeConfiguration", key="MeterValueSampleInterval", value="900")
        assert said == {"status": "Accepted"}
        assert await operator.ask("ChangeConfiguration", key="AuthorizationKey", value="x" * 16) == {
            "status": "Rejected"
        }
        assert await operator.ask("ChangeConfiguration", key="HeartbeatInterval", value="soon") == {
            "status": "Rejected"
        }
        assert len(garage.written()) == before
        assert await operator.ask("ChangeConfiguration", key="LightIntensity", value="9") == {"status": "Accepted"}
        known = (await operator.ask("GetConfiguration"))["configurationKey"]
        values = {entry["key"]: entry["value"] for entry in known}
        assert (values["MeterValueSampleInterval"], values["LightIntensity"]) == ("900", "50")
        assert "AuthorizationKey" not in values
        assert (await operator.ask("GetConfiguration", key=["Nothing"]))["unknownKey"] == ["Nothing"]


async def test_keys_are_known_however_they_are_written():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        before = len(garage.written())
        copied = await operator.ask("ChangeConfiguration", key="metervaluesampleinterval", value="900")
        assert copied == {"status": "Accepted"}
        for key in ("securityprofile", "CPONAME"):
            assert await operator.ask("ChangeConfiguration", key=key, value="3") == {"status": "Rejected"}
        assert len(garage.written()) == before
        said = await operator.ask("GetConfiguration", key=["METERVALUESAMPLEINTERVAL"])
        assert said["configurationKey"] == [{"key": "MeterValueSampleInterval", "readonly": False, "value": "900"}]
        garage.replies["GetConfiguration"] = lambda _payload: {
            "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "1"}]
        }
        assert "unknownKey" not in await operator.ask("GetConfiguration", key=["numberofconnectors"])


async def test_what_the_load_manager_answers_is_among_what_the_station_is_said_to_support():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        garage.replies["GetConfiguration"] = lambda _payload: {
            "configurationKey": [{"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core, RemoteTrigger"}]
        }
        (entry,) = (await operator.ask("GetConfiguration", key=["SupportedFeatureProfiles"]))["configurationKey"]
        assert entry["value"] == "Core,RemoteTrigger,LocalAuthListManagement,SmartCharging"


async def test_its_list_of_badges_decides_while_it_is_away_and_its_cache_can_be_cleared():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        assert await operator.ask("GetLocalListVersion") == {"listVersion": 0}
        entries = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}]
        full = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": entries}
        assert await operator.ask("SendLocalList", **full) == {"status": "Accepted"}
        older = {"listVersion": 3, "updateType": "Differential"}
        assert await operator.ask("SendLocalList", **older) == {"status": "VersionMismatch"}
        await garage.ask("Authorize", idTag="CACHED")
        assert await in_database(CpoIdTag.objects.exists)
        assert await operator.ask("ClearCache") == {"status": "Accepted"}
        await operator.close()
        await until(lambda: state()[0] == "unreachable")
        assert (await garage.ask("Authorize", idTag="listed"))["idTagInfo"]["status"] == "Accepted"
        assert (await garage.ask("Authorize", idTag="CACHED"))["idTagInfo"]["status"] == "Invalid"


async def trigger(operator, wanted, **more):
    """Trigger a message, and return what was answered and the message, None: there was none."""
    before = len(operator.all(wanted))
    answer = await operator.ask("TriggerMessage", requestedMessage=wanted, **more)
    if answer == {"status": "Accepted"}:
        await operator.hears(wanted, before + 1)
    return answer["status"], operator.all(wanted)[before:]


async def test_a_message_of_one_connector_is_told_of_that_one_alone():
    async with Operator() as operator, Garage(operator, connectors=2):
        await accepted()
        await operator.hears("StatusNotification", 2)
        await in_database(lambda: Connector.objects.update(energy_wh=1234, current_l1_a=6.5))
        for wanted in ("StatusNotification", "MeterValues"):
            status, told = await trigger(operator, wanted, connectorId=2)
            assert (status, [payload["connectorId"] for payload in told]) == ("Accepted", [2])
            assert await trigger(operator, wanted, connectorId=3) == ("Rejected", [])
        for wanted in ("Heartbeat", "BootNotification"):
            assert (await trigger(operator, wanted))[0] == "Accepted"
        assert len(operator.all("MeterValues")) == 1
    assert operator.faults == []


async def test_what_was_never_measured_cannot_be_triggered():
    async with Operator() as operator, Garage(operator):
        await accepted()
        assert await trigger(operator, "MeterValues") == ("Rejected", [])


async def test_triggered_values_carry_the_operators_number_of_the_transaction_that_runs():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        number = await garage.begin()
        await garage.measure(number, 9.5)
        await operator.hears("MeterValues")
        await until(lambda: not CpoMessage.objects.exists())
        _status, (told,) = await trigger(operator, "MeterValues")
        assert told["transactionId"] == 1001
    assert operator.faults == []


@pytest.mark.parametrize(("action", "during", "after"), [
    ("DiagnosticsStatusNotification", "Uploading", "UploadFailed"),
    ("FirmwareStatusNotification", "Downloading", "Installed"),
])  # fmt: skip
async def test_what_is_triggered_of_an_update_or_an_upload_is_idle_before_and_after_it(action, during, after):
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        assert await trigger(operator, action) == ("Accepted", [{"status": "Idle"}])
        for count, (said, triggered) in enumerate(((during, during), (after, "Idle"))):
            await garage.ask(action, status=said)
            await operator.hears(action, 2 * count + 2)
            assert await trigger(operator, action) == ("Accepted", [{"status": triggered}])
    assert operator.faults == []


async def test_what_a_vendor_says_reaches_the_operator_and_is_unknown_while_that_is_away():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        said = await garage.ask("DataTransfer", vendorId="acme", data="7")
        assert said == {"status": "Accepted", "data": "from the operator"}
        await operator.close()
        await until(lambda: state()[0] == "unreachable")
        assert await garage.ask("DataTransfer", vendorId="acme") == {"status": "UnknownVendorId"}


async def test_a_former_operator_may_stop_what_began_with_it_and_nothing_else():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        await garage.begin()
        await until(lambda: not CpoMessage.objects.exists())
        await in_database(lambda: Station.objects.update(is_cpo_enabled=False))
        await eventually(lambda: operator.sockets and not links_in_force(garage.station_id))
        assert await operator.ask("Reset", type="Hard") == {"status": "Rejected"}
        assert await operator.ask("RemoteStopTransaction", transactionId=1001) == {"status": "Accepted"}
        assert await in_database(lambda: CpoLink.objects.count()) == 1


def links_in_force(station_id):
    from stations.cpo.links import relay_of

    return relay_of(station_id)
