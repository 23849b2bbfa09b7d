"""The cases of the Core profile: sessions, what an operator asks of a station, refused badges, and being offline."""

from datetime import UTC, datetime, timedelta

from tests.certification.installation import BLOCKED, EXPIRED, UNKNOWN, VALID
from tests.certification.station import ACCEPTED
from tests.certification.table import Case, entering

CORE: list[Case] = []
case = entering(CORE)

SESSIONS, CACHE, REMOTE, RESET = "Sessions", "Cache", "Remote start and stop", "Reset"
UNLOCK, CONFIGURATION, REFUSED, OFFLINE = "Unlock", "Configuration", "Refused badges", "Power failure and offline"
REJECTED = {"status": "Rejected"}


def ago(minutes):
    """Return a moment in the past, to the millisecond as OCPP writes it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000) - timedelta(minutes=minutes)


async def ended(operator, reason):
    """Check that the only transaction has ended for a reason, with the energy that the meter counted."""
    kept = await operator.transaction()
    assert (kept["stop_reason"], kept["energy_wh"], kept["flags"]) == (reason, 2500, [])


async def running(operator, number, id_tag=VALID):
    """Check that the only transaction is this one, begun with a good badge, and goes on."""
    kept = await operator.transaction()
    assert (kept["id"], kept["id_tag"], kept["is_authorised"], kept["stopped_at"]) == (number, id_tag, True, None)


@case("001", "Boot", "cold boot")
async def cold_boot(station, operator):
    booted = await station.boot(firmwareVersion="1.0.0", chargePointSerialNumber="S1")
    assert booted["interval"] > 0
    heard = await station.ask("Heartbeat")
    for answer in (booted, heard):
        assert abs(datetime.fromisoformat(answer["currentTime"]) - datetime.now(UTC)) < timedelta(minutes=1)
    kept = await operator.station()
    assert (kept["is_connected"], kept["state"], kept["vendor"]) == (True, "configured", "Strict")
    assert (kept["model"], kept["serial_number"], kept["firmware_version"]) == ("Case", "S1", "1.0.0")
    assert await operator.state() == "Available"


@case("003", SESSIONS, "plug in first")
async def plug_in_first(station, operator):
    await station.boot()
    await station.report("Preparing")
    assert await operator.state() == "Preparing"
    assert (await station.authorise(VALID))["status"] == "Accepted"
    number, info = await station.start(VALID)
    assert info["status"] == "Accepted"
    await station.report("Charging")
    assert await operator.state() == "Charging"
    await running(operator, number)


@case("004_1", SESSIONS, "identification first")
async def identification_first(station, operator):
    await station.boot()
    assert (await station.authorise(VALID))["status"] == "Accepted"
    await station.report("Preparing")
    number, info = await station.start(VALID)
    assert info["status"] == "Accepted"
    await station.report("Charging")
    await running(operator, number)


@case("004_2", SESSIONS, "identification first, connection time-out")
async def connection_time_out(station, operator):
    await station.boot()
    assert (await station.authorise(VALID))["status"] == "Accepted"
    await station.report("Preparing")
    await station.report("Available")
    assert await operator.state() == "Available"
    assert await operator.transactions() == []


@case("005_1", SESSIONS, "unplugged at the car")
async def unplugged_at_the_car(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await station.report("SuspendedEV")
    assert await operator.state() == "SuspendedEV"
    assert (await station.stop(number, "EVDisconnected", idTag=VALID))["idTagInfo"] == ACCEPTED
    await ended(operator, "EVDisconnected")
    await station.report("Finishing")
    await station.report("Available")
    assert await operator.state() == "Available"


@case("007", CACHE, "start with a cached badge")
async def cached_badge(station, operator):
    await station.boot()
    await station.report("Preparing")
    number, info = await station.start(VALID)
    assert info["status"] == "Accepted"
    await station.report("Charging")
    await running(operator, number)


@case("061", CACHE, "clear the authorisation cache")
async def clear_the_cache(station, operator):
    await station.boot()
    await operator.order("ClearCache", {}, ACCEPTED)


@case("010", REMOTE, "remote start, plug in first")
async def remote_start_after_plugging_in(station, operator):
    await station.boot()
    await station.report("Preparing")
    await operator.order("RemoteStartTransaction", {"connectorId": 1, "idTag": VALID}, ACCEPTED)
    assert (await station.authorise(VALID))["status"] == "Accepted"
    number, info = await station.start(VALID)
    assert info["status"] == "Accepted"
    await station.report("Charging")
    await running(operator, number)


@case("011_1", REMOTE, "remote start first")
async def remote_start_first(station, operator):
    await station.boot()
    await operator.order("RemoteStartTransaction", {"connectorId": 1, "idTag": VALID}, ACCEPTED)
    await running(operator, await station.charge(VALID))


@case("011_2", REMOTE, "remote start, time-out")
async def remote_start_time_out(station, operator):
    await station.boot()
    await operator.order("RemoteStartTransaction", {"connectorId": 1, "idTag": VALID}, ACCEPTED)
    assert (await station.authorise(VALID))["status"] == "Accepted"
    await station.report("Preparing")
    await station.report("Available")
    assert await operator.state() == "Available"
    assert await operator.transactions() == []


@case("012", REMOTE, "remote stop")
async def remote_stop(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await operator.order("RemoteStopTransaction", {"transactionId": number}, ACCEPTED)
    await station.stop(number, "Remote")
    await station.report("Finishing")
    await station.report("Available")
    await ended(operator, "Remote")
    assert await operator.state() == "Available"


@case("026", REMOTE, "remote start rejected")
async def remote_start_rejected(station, operator):
    await station.boot()
    await operator.order("RemoteStartTransaction", {"connectorId": 1, "idTag": VALID}, REJECTED, "rejected")
    assert await operator.transactions() == []


@case("028", REMOTE, "remote stop rejected")
async def remote_stop_rejected(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await operator.order("RemoteStopTransaction", {"transactionId": number + 10_000}, REJECTED, "rejected")
    await running(operator, number)


async def reset(station, operator, kind):
    """Reset the station, which closes its socket, comes back and boots."""
    await station.boot(firmwareVersion="1.0.0")
    connected_at = (await operator.station())["connected_at"]
    await operator.order("Reset", {"type": kind}, ACCEPTED)
    await station.leave()
    await station.boot(firmwareVersion="1.0.0")
    kept = await operator.station()
    assert kept["is_connected"]
    assert kept["connected_at"] > connected_at
    assert await operator.state() == "Available"


@case("013", RESET, "hard reset")
async def hard_reset(station, operator):
    await reset(station, operator, "Hard")


@case("014", RESET, "soft reset")
async def soft_reset(station, operator):
    await reset(station, operator, "Soft")


@case("017_1", UNLOCK, "without a session, socket outlet")
async def unlock_a_socket_outlet(station, operator):
    await station.boot()
    await operator.order("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"})


@case("017_2", UNLOCK, "without a session, fixed cable")
async def unlock_a_fixed_cable(station, operator):
    await station.boot()
    await operator.order("UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}, "rejected")


@case("018_1", UNLOCK, "with a session, socket outlet")
async def unlock_with_a_session(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await operator.order("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"})
    await station.report("Finishing")
    await station.stop(number, "UnlockCommand")
    await station.report("Available")
    await ended(operator, "UnlockCommand")
    assert await operator.state() == "Available"


@case("030", UNLOCK, "unlock failure")
async def unlock_failure(station, operator):
    await station.boot()
    await operator.order("UnlockConnector", {"connectorId": 1}, {"status": "UnlockFailed"}, "rejected")


@case("031", UNLOCK, "unknown connector")
async def unlock_an_unknown_connector(station, operator):
    await station.boot()
    await operator.order("UnlockConnector", {"connectorId": 99}, {"status": "NotSupported"}, "rejected")
    assert (await operator.connector())["number"] == 1, "asking for a connector makes none"


def told(station, *keys):
    """Return what the station tells when asked for some keys."""
    return {"configurationKey": [{"key": key, "readonly": False, "value": station.configuration[key]} for key in keys]}


@case("019_1", CONFIGURATION, "retrieve all keys")
async def retrieve_all_keys(station, operator):
    station.configuration["CaseNumber"] = "019_1"
    await station.boot()
    await operator.order("GetConfiguration", {}, told(station, *station.configuration))


@case("019_2", CONFIGURATION, "retrieve one key")
async def retrieve_one_key(station, operator):
    await station.boot()
    key = "SupportedFeatureProfiles"
    await operator.order("GetConfiguration", {"key": [key]}, told(station, key) | {"unknownKey": []})


@case("021", CONFIGURATION, "change a value")
async def change_a_value(station, operator):
    await station.boot()
    await operator.order("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"}, ACCEPTED)


@case("040_1", CONFIGURATION, "unsupported key")
async def unsupported_key(station, operator):
    await station.boot()
    await operator.order(
        "ChangeConfiguration", {"key": "NoSuchKey", "value": "1"}, {"status": "NotSupported"}, "rejected"
    )


@case("040_2", CONFIGURATION, "invalid value")
async def invalid_value(station, operator):
    await station.boot()
    await operator.order(
        "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "-1"}, REJECTED, "rejected"
    )


async def refused(station, operator, id_tag, status):
    """Present a badge that may not charge: the station is told why, and nothing begins."""
    await station.boot()
    await station.report("Preparing")
    assert (await station.authorise(id_tag))["status"] == status
    await station.report("Available")
    assert await operator.transactions() == []


@case("023_1", REFUSED, "unknown badge")
async def unknown_badge(station, operator):
    await refused(station, operator, UNKNOWN, "Invalid")


@case("023_2", REFUSED, "expired badge")
async def expired_badge(station, operator):
    await refused(station, operator, EXPIRED, "Expired")


@case("023_3", REFUSED, "blocked badge")
async def blocked_badge(station, operator):
    await refused(station, operator, BLOCKED, "Blocked")


@case("024", REFUSED, "lock failure")
async def lock_failure(station, operator):
    await station.boot()
    assert (await station.authorise(VALID))["status"] == "Accepted"
    await station.report("Preparing")
    await station.report("Faulted", error="ConnectorLockFailure")
    kept = await operator.connector()
    assert (kept["status"], kept["error_code"]) == ("Faulted", "ConnectorLockFailure")
    assert await operator.transactions() == []


@case("032_1", OFFLINE, "power failure, the station stops the transaction")
async def power_failure(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await station.lose_power()
    await station.connect()
    answer = await station.ask("BootNotification", chargePointVendor="Strict", chargePointModel="Case")
    assert answer["status"] == "Accepted"
    await running(operator, number)
    await station.report("Finishing")
    assert (await station.stop(number, "PowerLoss", idTag=VALID))["idTagInfo"] == ACCEPTED
    await station.report("Available")
    await ended(operator, "PowerLoss")
    assert await operator.state() == "Available"


@case("037_1", OFFLINE, "offline start with a valid badge")
async def offline_start(station, operator):
    await station.boot()
    await station.leave()
    at = ago(30)
    await station.connect()
    number, info = await station.start(VALID, at=at)
    assert info["status"] == "Accepted"
    await station.report("Charging")
    await running(operator, number)
    assert datetime.fromisoformat((await operator.transaction())["started_at"]) == at


@case("037_3", OFFLINE, "offline start with an invalid badge")
async def offline_start_with_an_invalid_badge(station, operator):
    await station.boot()
    await station.leave()
    at = ago(30)
    await station.connect()
    number, info = await station.start(UNKNOWN, at=at)
    assert info["status"] == "Invalid"
    await station.report("Charging")
    await station.stop(number, "DeAuthorized")
    await station.report("Finishing")
    await ended(operator, "DeAuthorized")
    kept = await operator.transaction()
    assert (kept["id"], kept["is_authorised"], datetime.fromisoformat(kept["started_at"])) == (number, False, at)


@case("039", OFFLINE, "offline transaction")
async def offline_transaction(station, operator):
    await station.boot()
    await station.leave()
    began, stopped = ago(90), ago(30)
    await station.connect()
    number, info = await station.start(VALID, at=began)
    assert info["status"] == "Accepted"
    assert (await station.stop(number, "Local", at=stopped, idTag=VALID))["idTagInfo"] == ACCEPTED
    await ended(operator, "Local")
    kept = await operator.transaction()
    times = [datetime.fromisoformat(kept[name]) for name in ("started_at", "stopped_at")]
    assert (kept["is_authorised"], times) == (True, [began, stopped])


@case("064", "Data transfer", "to the central system")
async def data_transfer(station, operator):
    await station.boot()
    answer = await station.ask("DataTransfer", vendorId="org.example.unknown", messageId="Hello", data="1")
    assert answer["status"] in ("Rejected", "UnknownMessageId", "UnknownVendorId")
    assert (await operator.station())["is_connected"]
