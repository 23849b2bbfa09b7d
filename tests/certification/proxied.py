"""The cases that reach an operator, and what differs with the load manager between."""

from dataclasses import replace

from tests.certification.core import CORE, REJECTED, running, told
from tests.certification.features import FEATURES, LIVE_ID, local_list, profile, reservation_of_a_parent
from tests.certification.installation import SECOND, VALID
from tests.certification.security import SECURITY
from tests.certification.station import ACCEPTED, wire_time

OF_SECURITY = (
    "079",
    "080",
    "081",
)  # the log, and signed firmware
FEATURES_KEY, SAMPLES_KEY = "SupportedFeatureProfiles", "MeterValueSampleInterval"
KEPT_HERE = "the load manager keeps the operator's list, whether the station has one or not"
TOLD_HERE = "the load manager tells it itself, from what it knows"
BOUND_HERE = "kept as an upper bound of what is shared; the station is told the load manager's own limit alone"

DIFFERENT = {}


def different(number, how):
    """Make the decorator that plays a case with an operator another way, and says how that differs."""

    def enter(play):
        DIFFERENT[number] = (play, how)
        return play

    return enter


# --- badges and transactions


@different("061", "the load manager forgets what the operator said of badges; the station is not asked")
async def clear_the_cache(station, operator):
    await station.boot()
    assert await operator.order_here("ClearCache", {}) == ACCEPTED


@different("028", "numbers are the operator's own; one that it never gave is refused without the station")
async def remote_stop_rejected(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    assert await operator.ask_as_it_is("RemoteStopTransaction", {"transactionId": number}) == REJECTED
    assert "RemoteStopTransaction" not in dict(station.asked)
    await running(operator, number)


different("053", "passes: the operator knows of parents")(reservation_of_a_parent)


@different("064", "the operator is asked")
async def data_transfer(station, operator):
    await station.boot()
    wanted = {"vendorId": "org.example.unknown", "messageId": "Hello", "data": "1"}
    answer = await station.ask("DataTransfer", **wanted)
    assert operator.heard("DataTransfer") == [(wanted, answer)]


# --- configuration


def values(said):
    """Return the keys of an answer to GetConfiguration, each of which stands there once."""
    entries = {entry["key"]: entry["value"] for entry in said["configurationKey"]}
    assert len(entries) == len(said["configurationKey"])
    return entries


@different("019_1", "of the keys that the load manager needs, the operator sees its own copy")
async def retrieve_all_keys(station, operator):
    station.configuration["CaseNumber"] = "019_1"
    await station.boot()
    said = await operator.ask("GetConfiguration", {})
    assert values(said).keys() >= station.configuration.keys()
    assert (values(said)["CaseNumber"], values(said)[SAMPLES_KEY]) == ("019_1", "60")
    assert "unknownKey" not in said


@different("019_2", "what the load manager answers in the station's place is among what it can")
async def retrieve_one_key(station, operator):
    await station.boot()
    station.expect("GetConfiguration", {"key": [FEATURES_KEY]}, told(station, FEATURES_KEY) | {"unknownKey": []})
    said = values(await operator.ask("GetConfiguration", {"key": [FEATURES_KEY]}))
    assert said == {FEATURES_KEY: station.configuration[FEATURES_KEY] + ",LocalAuthListManagement"}
    assert station.expected == []


@different("021", "a copy is changed: how often the station measures stays the load manager's own")
async def change_a_value(station, operator):
    await station.boot()
    assert await operator.order_here("ChangeConfiguration", {"key": SAMPLES_KEY, "value": "5"}) == ACCEPTED
    assert values(await operator.order_here("GetConfiguration", {"key": [SAMPLES_KEY]})) == {SAMPLES_KEY: "5"}


@different("040_2", "the load manager refuses it for its copy")
async def invalid_value(station, operator):
    await station.boot()
    assert await operator.order_here("ChangeConfiguration", {"key": SAMPLES_KEY, "value": "-1"}) == REJECTED


# --- local list


async def send(operator, wanted):
    """Send a list, which is kept with its version."""
    assert await operator.order_here("SendLocalList", wanted) == ACCEPTED
    assert await operator.order_here("GetLocalListVersion", {}) == {"listVersion": wanted["listVersion"]}


@different("042_1", KEPT_HERE)
@different("042_2", KEPT_HERE)
async def version_of_an_empty_list(station, operator):
    await station.boot()
    assert await operator.order_here("GetLocalListVersion", {}) == {"listVersion": 0}


@different("043_1", KEPT_HERE)
@different("043_3", KEPT_HERE)
@different("043_4", KEPT_HERE)
async def full_list(station, operator):
    await station.boot()
    await send(operator, local_list(1, VALID, SECOND))


@different("043_5", KEPT_HERE)
async def differential_list(station, operator):
    await station.boot()
    await send(operator, local_list(1, VALID))
    await send(operator, local_list(2, SECOND, update="Differential"))


# --- triggers


@different("054", TOLD_HERE)
async def trigger(station, operator):
    async def triggered(message, **more):
        count = len(operator.heard(message))
        wanted = {"requestedMessage": message, **more}
        assert await operator.order_here("TriggerMessage", wanted) == ACCEPTED
        return await operator.hears(message, count + 1)

    await station.boot()
    sample = {"value": "4200", "measurand": "Energy.Active.Import.Register", "unit": "Wh", "context": "Sample.Clock"}
    value = {"timestamp": wire_time(), "sampledValue": [sample]}
    await station.ask("MeterValues", connectorId=1, meterValue=[value])
    assert (await operator.hears("MeterValues", 1))["meterValue"] == [value]
    (value,) = (await triggered("MeterValues", connectorId=1))["meterValue"]
    assert value["sampledValue"] == [sample | {"context": "Trigger"}]
    await triggered("Heartbeat")
    await triggered("BootNotification")
    await station.report("Unavailable")
    assert await operator.state() == "Unavailable"
    assert (await triggered("StatusNotification", connectorId=1))["status"] == "Unavailable"
    for message in ("DiagnosticsStatusNotification", "FirmwareStatusNotification"):
        assert await triggered(message) == {"status": "Idle"}


@different("055", TOLD_HERE)
async def trigger_rejected(station, operator):
    await station.boot()
    wanted = {"requestedMessage": "MeterValues", "connectorId": 1}
    assert await operator.order_here("TriggerMessage", wanted) == REJECTED


# --- smart charging


async def bounded(station, number, limit_a=6.0):
    """Wait until the station is told the operator's bound as the load manager's own limit, and nothing else."""

    def fits(payload):
        own = payload["csChargingProfiles"]
        amps = own["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
        return (own["chargingProfileId"], own.get("transactionId"), amps) == (LIVE_ID, number, limit_a)

    await station.until_asked("SetChargingProfile", fits)


async def bound(operator, wanted, connector=1):
    """Set a profile, which is kept."""
    said = await operator.order_here("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": wanted})
    assert said == ACCEPTED


async def schedule(operator):
    """Return the periods that hold for connector 1."""
    said = await operator.order_here("GetCompositeSchedule", {"connectorId": 1, "duration": 600})
    assert (said["status"], said["connectorId"]) == ("Accepted", 1)
    return said["chargingSchedule"]["chargingSchedulePeriod"]


@different("056", BOUND_HERE)
async def default_profile(station, operator):
    await station.boot()
    await bound(operator, profile(100, "TxDefaultProfile"))
    await bounded(station, await station.charge(VALID))


@different("057", BOUND_HERE)
async def transaction_profile(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await bound(operator, profile(100, "TxProfile", transactionId=number))
    await bounded(station, number)


@different("059", "the profile stays here: " + BOUND_HERE)
async def remote_start_with_a_profile(station, operator):
    await station.boot()
    plain = {"connectorId": 1, "idTag": VALID}
    station.expect("RemoteStartTransaction", plain, ACCEPTED)
    wanted = plain | {"chargingProfile": profile(100, "TxProfile")}
    assert await operator.ask("RemoteStartTransaction", wanted) == ACCEPTED
    assert station.expected == []
    await bounded(station, await station.charge(VALID))


@different("066", "of what the operator has set and the station can; the station is not asked")
async def composite_schedule(station, operator):
    await station.boot()
    assert await schedule(operator) == [{"startPeriod": 0, "limit": 32.0}]
    await bound(operator, profile(100, "TxDefaultProfile"))
    assert await schedule(operator) == [{"startPeriod": 0, "limit": 6.0}]


@different("067", "what was kept is forgotten; the station's own profiles stay")
async def clear_profiles(station, operator):
    await station.boot()
    number = await station.charge(VALID)
    await bound(operator, profile(100, "ChargePointMaxProfile"), connector=0)
    await bound(operator, profile(101, "TxDefaultProfile"))
    await bound(operator, profile(102, "TxProfile", transactionId=number))
    criteria = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 3}
    for clearing in ({"id": 100}, criteria, {}):
        assert await operator.order_here("ClearChargingProfile", clearing) == ACCEPTED
        assert await operator.order_here("ClearChargingProfile", clearing) == {"status": "Unknown"}
    assert await schedule(operator) == [{"startPeriod": 0, "limit": 32.0}]


def _proxied(case):
    play, _how = DIFFERENT.get(case.number, (case.play, ""))
    return replace(case, play=play, why="")


_REACHING = [*CORE, *FEATURES, *(case for case in SECURITY if case.number in OF_SECURITY)]
PROXIED = [_proxied(case) for case in _REACHING]
