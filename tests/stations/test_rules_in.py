"""The rules of what comes in: one test a rule, on a real socket, where no other file has one."""

import pytest

from stations.models import Connector, MeterValue, ProgressKind, Station, StationProgress, StrayMessage, Transaction
from stations.ocpp16 import complaints, consumer, schemas
from tests.http_client import ask, token_of
from tests.stations.test_consumer import Line, in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

LONG = "L" * 5000
AT = "2026-01-05T10:00:00Z"


@pytest.fixture(autouse=True)
def _no_onboarding(monkeypatch):
    monkeypatch.setattr(consumer, "QUIET_S", 3600)
    monkeypatch.setattr(complaints, "_known", {})


def value(amount, **rest):
    return {"value": amount, **rest}


def meter_value(*values, at=AT):
    return [{"timestamp": at, "sampledValue": list(values)}]


# --- what may always be read


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction", "MeterValues"])
@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"connectorId": "one", "idTag": None, "meterStart": "x", "meterStop": [], "timestamp": 7, "transactionId": "?"},
        {"connectorId": -1, "idTag": {"a": 1}, "meterStart": -5, "meterStop": 1e300, "transactionId": 2**70},
        {"connectorId": 10**12, "idTag": LONG, "timestamp": LONG, "reason": LONG, "transactionId": True},
        {"meterValue": 5, "transactionData": "none", "vendor": {"deep": [[[[]]]]}},
        {"meterValue": [None, 3, {}, {"sampledValue": {}}, {"sampledValue": [None, {"value": {}}]}]},
        {"idTag": "\0", "timestamp": "\0", "reason": "\0", "\0": "\0"},
    ],
    ids=["empty", "wrong types", "out of range", "too long", "no lists", "no samples", "NUL"],
)
async def test_a_transaction_message_is_never_answered_with_an_error(action, payload):
    async with Line("/ocpp/CP1") as line:
        answer = await line.ask(action, **payload)
        assert isinstance(answer, dict), answer
        schemas.check(f"{action}Response", answer)


async def test_a_frame_that_is_no_ocpp_is_logged_and_the_socket_stays(caplog):
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to('{"hello": "world"}')
        await line.socket.send_to('[9,"1",{}]')
        assert (await line.hear())[:3] == [4, "1", "FormationViolation"]
        assert "currentTime" in await line.ask("Heartbeat")
    assert sum("unreadable frame" in record.getMessage() for record in caplog.records) == 2


# --- starts and stops


async def test_a_start_sent_again_on_another_socket_gets_the_same_number():
    async with Line("/ocpp/CP1") as line:
        first = await line.begin()
    async with Line("/ocpp/CP1") as line:
        assert await line.begin() == first
    assert await in_database(Transaction.objects.count) == 1


async def test_transactions_made_offline_are_ordered_by_their_own_times():
    """A station that comes back begins with what happens now, and tells the rest afterwards."""
    async with Line("/ocpp/CP1") as line:
        running = (await line.begin(meterStart=3000, timestamp="2026-01-05T18:00:00Z"))["transactionId"]
        for hour, meter in ((8, 1000), (12, 2000)):
            begun = await line.begin(meterStart=meter, timestamp=f"2026-01-05T{hour:02d}:00:00Z")
            stop = {"meterStop": meter + 500, "timestamp": f"2026-01-05T{hour + 1:02d}:00:00Z"}
            await line.ask("StopTransaction", transactionId=begun["transactionId"], **stop)
    ordered = await in_database(lambda: list(Transaction.objects.order_by("started_at")))
    assert [(t.started_at.hour, t.energy_wh) for t in ordered] == [(8, 500), (12, 500), (18, None)]
    assert ordered[-1].pk == running
    assert not await in_database(StrayMessage.objects.exists)


async def test_a_stop_without_a_meter_is_estimated_from_samples_and_flagged():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        await line.ask("MeterValues", connectorId=1, transactionId=number, meterValue=meter_value(value("350")))
        await line.ask("StopTransaction", transactionId=number, timestamp="2026-01-05T11:00:00Z")
    ended = await in_database(Transaction.objects.get)
    assert (ended.energy_wh, ended.flags) == (250, ["meter"])


async def test_an_impossible_time_is_that_of_receipt_and_what_came_is_kept():
    async with Line("/ocpp/CP1") as line:
        await line.begin(timestamp="1970-01-01T00:00:07Z")
    begun = await in_database(Transaction.objects.get)
    assert begun.started_at.year >= 2026
    assert (begun.flags, begun.raw_start["timestamp"]) == (["clock"], "1970-01-01T00:00:07Z")


async def test_a_transaction_number_is_a_positive_int32_and_never_used_again():
    async with Line("/ocpp/CP1") as line:
        first = (await line.begin())["transactionId"]
        await in_database(lambda: Transaction.objects.all().delete())
        second = (await line.begin(meterStart=5))["transactionId"]
    assert 0 < first < second < 2**31


async def test_a_transaction_that_used_a_reservation_keeps_it_and_the_connector_was_reserved():
    async with Line("/ocpp/CP1") as line:
        await line.ask("StatusNotification", connectorId=1, status="Reserved", errorCode="NoError")
        assert (await in_database(Connector.objects.get)).status == "Reserved"
        number = (await line.begin(reservationId=42))["transactionId"]
        await line.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
    assert (await in_database(Transaction.objects.get)).raw_start["reservationId"] == 42
    told = await ask("GET", f"/api/transactions/{number}", token=await token_of("advanced"))
    assert told.json()["reservation_id"] == 42


# --- connector 0


async def test_connector_0_is_the_station_and_changes_no_connector():
    async with Line("/ocpp/CP1") as line:
        await line.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
        await line.ask("StatusNotification", connectorId=0, status="Unavailable", errorCode="NoError")
        await line.ask("StatusNotification", status="Faulted", errorCode="NoError")
        power = value("99999", measurand="Power.Active.Import")
        await line.ask("MeterValues", connectorId=0, meterValue=meter_value(power))
    connector = await in_database(Connector.objects.get)
    assert (connector.number, connector.status, connector.power_w) == (1, "Charging", None)
    assert not await in_database(MeterValue.objects.exists)


async def test_samples_of_connector_0_that_name_a_transaction_belong_to_it():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        await line.ask("MeterValues", connectorId=0, transactionId=number, meterValue=meter_value(value("350")))
    assert (await in_database(MeterValue.objects.get)).transaction_id == number


# --- what the schemas do not know


async def test_strings_longer_than_the_schema_are_kept_and_cut():
    async with Line("/ocpp/CP1") as line:
        await line.ask("BootNotification", chargePointVendor=LONG, chargePointModel=LONG, firmwareVersion=LONG)
        await line.begin(idTag=LONG)
        await line.ask("StatusNotification", connectorId=1, status="Charging", errorCode=LONG, info=LONG)
    station = await in_database(Station.objects.get)
    assert (station.vendor, station.firmware_version) == (LONG[:100], LONG[:100])
    assert (await in_database(Transaction.objects.get)).id_tag == LONG[:255]
    assert (await in_database(Connector.objects.get)).error_code == f"{LONG[:50]} {LONG[:49]}"


async def test_an_unknown_state_is_taken_for_unknown():
    async with Line("/ocpp/CP1") as line:
        await line.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
        assert await line.ask("StatusNotification", connectorId=1, status="Parking", errorCode="NoError") == {}
    assert (await in_database(Connector.objects.get)).status == ""


async def test_extra_keys_are_kept_with_what_the_station_sent():
    async with Line("/ocpp/CP1") as line:
        await line.begin(vendorCar={"plug": "Type2"})
    assert (await in_database(Transaction.objects.get)).raw_start["vendorCar"] == {"plug": "Type2"}


async def test_what_the_schemas_do_not_know_is_logged_once_per_station(caplog):
    caplog.set_level("INFO")
    for identity in ("CP1", "CP2"):
        for _ in range(2):
            async with Line(f"/ocpp/{identity}") as line:
                for _ in range(3):
                    await line.ask("StatusNotification", connectorId=1, status="Parking", errorCode="NoError")
    said = [record.getMessage() for record in caplog.records if "Parking" in record.getMessage()]
    assert len(said) == 2


async def test_odd_units_and_measurands_are_stored_or_skipped_and_never_refused():
    async with Line("/ocpp/CP1") as line:
        odd = [
            value("31,5", measurand="Temperature", unit="Celcius"),
            value("50", measurand="Frequency", unit="Hz"),
            value("12,3", measurand="Current.Import", unit="Amp", phase="L1"),
            value("1,5", measurand="Energy.Active.Import.Register", unit="kWh"),
        ]
        assert await line.ask("MeterValues", connectorId=1, meterValue=meter_value(*odd)) == {}
    kept = await in_database(MeterValue.objects.get)
    assert (kept.current_l1_a, kept.energy_wh) == (12.3, 1500)


# --- progress


PROGRESS = {
    "FirmwareStatusNotification": ProgressKind.FIRMWARE,
    "SignedFirmwareStatusNotification": ProgressKind.SIGNED_FIRMWARE,
    "DiagnosticsStatusNotification": ProgressKind.DIAGNOSTICS,
    "LogStatusNotification": ProgressKind.LOG,
}


@pytest.mark.parametrize(("action", "kind"), PROGRESS.items())
async def test_how_far_an_update_or_an_upload_has_come_is_kept_and_the_newest_counts(action, kind):
    async with Line("/ocpp/CP1") as line:
        for status in ("Downloading", "Installed"):
            answer = await line.ask(action, status=status, requestId=1)
            assert answer == {}
            schemas.check(f"{action}Response", answer)
    progress = await in_database(StationProgress.objects.get)
    assert (progress.kind, progress.status) == (kind, "Installed")
    told = await ask("GET", "/api/stations/CP1", token=await token_of("standard"))
    assert [(entry["kind"], entry["status"]) for entry in told.json()["progress"]] == [(kind, "Installed")]


@pytest.mark.parametrize(("status", "kept"), [(LONG, LONG[:50]), ("Brewing\0", "Brewing"), (None, None), ({}, None)])
async def test_progress_in_words_of_its_own_is_kept_and_none_is_answered_all_the_same(status, kept):
    async with Line("/ocpp/CP1") as line:
        assert await line.ask("FirmwareStatusNotification", status=status) == {}
    row = await in_database(StationProgress.objects.first)
    assert (row and row.status) == kept


# --- strict out: our answers


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Authorize", {"idTag": "A1"}),
        ("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"}),
        ("DataTransfer", {"vendorId": "acme"}),
        ("Heartbeat", {}),
        ("MeterValues", {"connectorId": 1, "meterValue": []}),
        ("StartTransaction", {"connectorId": 1, "idTag": "A1", "meterStart": 0, "timestamp": AT}),
        ("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}),
        ("StopTransaction", {"transactionId": 1, "idTag": "A1", "meterStop": 0, "timestamp": AT}),
    ],
)
async def test_every_answer_validates_against_its_schema(action, payload):
    async with Line("/ocpp/CP1") as line:
        schemas.check(f"{action}Response", await line.ask(action, **payload))
