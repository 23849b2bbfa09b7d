"""What a hostile station can do, and where it ends: `docs/ocpp.md` lists it."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from stations.metering import record_meter_values
from stations.models import Command, Connector, MeterValue, Station, StrayMessage, Transaction
from stations.ocpp16 import sockets
from stations.ocpp16.configuration import MOST_CONNECTORS
from stations.ocpp16.normalise import MeterValues, Sample, Status, read_start
from stations.services import record_status
from stations.transactions import start_transaction
from tests.http_client import ask, token_of
from tests.stations.test_commands import exchange
from tests.stations.test_consumer import Line, in_database, station_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def station():
    station = Station.objects.create(identity="CP1", state="configured")
    Connector.objects.create(station=station, number=1)
    return station


def start(station, connector):
    raw = {"connectorId": connector, "idTag": "A1", "meterStart": connector, "timestamp": "2026-11-22T08:00:00Z"}
    return start_transaction(station_id=station.pk, start=read_start(raw, timezone.now()), raw=raw)[0]


def test_a_station_has_no_more_connectors_than_a_station_can_have_and_no_transaction_is_lost(station):
    begun = [start(station, number) for number in range(1, 60)]
    assert station.connectors.count() == MOST_CONNECTORS
    assert Transaction.objects.count() == len({transaction.pk for transaction in begun}) == 59


def test_connectors_may_have_any_numbers(station):
    assert [start(station, number).connector.number for number in (101, 102)] == [101, 102]


def test_samples_of_a_connector_too_many_are_kept_at_the_first(station):
    for number in range(2, 40):
        record_meter_values(reports=[(station.pk, MeterValues(number, None, (Sample(T0, energy_wh=number),)))])
    assert station.connectors.count() == MOST_CONNECTORS
    assert MeterValue.objects.filter(connector__number=1).count() == 39 - MOST_CONNECTORS


def test_a_state_of_a_connector_too_many_is_nobody_s(station):
    for number in range(1, 40):
        status = "Charging" if number <= MOST_CONNECTORS else "Available"
        record_status(station_id=station.pk, status=Status(number, status, "", T0))
    assert set(station.connectors.values_list("status", flat=True)) == {"Charging"}


async def test_a_report_of_many_samples_is_kept_whole():
    async with Line("/ocpp/CP1") as line:
        values = [
            {"timestamp": f"2026-01-05T10:{n // 60:02}:{n % 60:02}Z", "sampledValue": [{"value": n}]}
            for n in range(1200)
        ]
        assert await line.ask("MeterValues", connectorId=1, meterValue=values) == {}
    assert await in_database(MeterValue.objects.count) == 1200


async def test_the_long_data_of_a_transaction_is_kept_whole():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        data = [
            {"timestamp": f"2026-01-05T10:{n // 60:02}:{n % 60:02}Z", "sampledValue": [{"value": 100 + n}]}
            for n in range(1200)
        ]
        stop = {"transactionId": number, "meterStop": 2000, "timestamp": "2026-01-05T11:00:00Z"}
        assert await line.ask("StopTransaction", **stop, transactionData=data) == {}
    assert await in_database(lambda: MeterValue.objects.filter(transaction=number).count()) == 1200
    transaction = await in_database(Transaction.objects.get)
    assert (transaction.energy_wh, transaction.raw_stop["meterStop"]) == (1900, 2000)


@pytest.mark.parametrize("number", [2**31, 2**40, 2**62, 10**25, -(2**40), "9" * 30])
async def test_a_transaction_number_beyond_every_range_is_answered(number):
    async with Line("/ocpp/CP1") as line:
        values = [{"timestamp": "2026-01-05T10:00:00Z", "sampledValue": [{"value": 7}]}]
        assert await line.ask("MeterValues", connectorId=1, transactionId=number, meterValue=values) == {}
        assert await line.ask("StopTransaction", transactionId=number, meterStop=1, timestamp="x") == {}
    assert await in_database(MeterValue.objects.count) == 1
    assert await in_database(StrayMessage.objects.count) == 1


async def test_a_nul_in_an_answer_to_a_command_is_left_out():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        request = ask("POST", "/api/stations/CP1/commands", {"action": "ClearCache", "payload": {}}, token=token)
        _, answer = await exchange(line, request, [3, {"status": "Accepted", "info\0": ["a\0b"]}])
    assert (answer.status, answer.json()["answer"]) == (200, {"status": "Accepted", "info": ["ab"]})


async def test_a_nul_in_a_refusal_is_left_out():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        request = ask("POST", "/api/stations/CP1/commands", {"action": "ClearCache", "payload": {}}, token=token)
        _, answer = await exchange(line, request, [4, "Not\0Supported", "no\0", {}])
    assert (answer.status, answer.json()["error_code"], answer.json()["error_text"]) == (502, "NotSupported", "no")


@pytest.mark.parametrize("status", [{}, [], 5, None, True])
async def test_a_status_that_is_none_is_a_rejection(status):
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        request = ask("POST", "/api/stations/CP1/commands", {"action": "ClearCache", "payload": {}}, token=token)
        _, answer = await exchange(line, request, [3, {"status": status}])
    assert (answer.status, answer.json()["status"]) == (200, "rejected")


async def test_an_answer_nested_beyond_every_use_is_an_answer():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        request = ask("POST", "/api/stations/CP1/commands", {"action": "ClearCache", "payload": {}}, token=token)
        deep = json.loads("[" * 400 + "]" * 400)
        _, answer = await exchange(line, request, [3, {"status": "Accepted", "extra": deep}])
    assert (answer.status, answer.json()["status"]) == (200, "accepted")


async def test_a_command_with_a_nul_is_refused():
    await database_sync_to_async(Station.objects.create)(identity="CP1")
    payload = {"key": "A", "value": "a\0b"}
    wanted = {"action": "ChangeConfiguration", "payload": payload}
    answer = await ask("POST", "/api/stations/CP1/commands", wanted, token=await token_of("administrator"))
    assert answer.status == 422
    assert "NUL" in answer.json()["message"]
    assert await in_database(Command.objects.count) == 0


async def test_a_refusal_of_a_limit_with_a_nul_is_kept():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        station, connector = await station_of("CP1"), await in_database(Connector.objects.get)
        sockets.deliver({"type": "stations.limits", "limits": [[station.pk, connector.pk, 1, number, 8]]})
        frame = await line.hear()
        await line.socket.send_to(json.dumps([3, frame[1], {"status": "Re\0jected"}]))
        while not (connector := await in_database(Connector.objects.get)).refusal:
            await asyncio.sleep(0.01)
    assert connector.refusal == "Rejected"


async def test_a_socket_that_sends_rubbish_fills_no_log(caplog):
    async with Line("/ocpp/CP1") as line:
        for number in range(300):
            await line.socket.send_to(f"rubbish {number}")
            await line.socket.send_to(f'[2,"n{number}","Nothing\\n{number}",{{}}]')
        assert "currentTime" in await line.ask("Heartbeat")
    assert len([message for message in caplog.messages if "rubbish" in message or "Nothing" in message]) <= 20
    assert any("more lines were left out" in message for message in caplog.messages)
    assert not any("\n" in message for message in caplog.messages)


async def test_a_late_word_of_an_older_socket_closes_no_newer_one(settings):
    async with Line("/ocpp/CP1") as line:
        station = await station_of("CP1")
        taken = {"type": "stations.taken", "station_id": station.pk}
        sockets.deliver({**taken, "socket_id": f"{settings.WEB_ID}/older"})
        assert await line.socket.receive_nothing()
        sockets.deliver({**taken, "socket_id": "another-process/newer"})
        assert (await line.socket.receive_output(timeout=5))["type"] == "websocket.close"


@pytest.mark.parametrize("levels", [200, 300, 900])
async def test_a_start_nested_deeper_than_its_schema_can_be_looked_at_is_kept(levels):
    async with Line("/ocpp/CP1") as line:
        answer = await line.begin(extra=json.loads("[" * levels + "]" * levels))
        assert answer["transactionId"] == (await in_database(Transaction.objects.get)).pk


@pytest.mark.parametrize("levels", [200, 300, 900])
async def test_a_command_nested_deeper_than_its_schema_can_be_looked_at_is_refused(levels):
    await database_sync_to_async(Station.objects.create)(identity="CP1")
    wanted = {"action": "ClearCache", "payload": {"extra": json.loads("[" * levels + "]" * levels)}}
    answer = await ask("POST", "/api/stations/CP1/commands", wanted, token=await token_of("administrator"))
    assert answer.status == 422
    assert await in_database(Command.objects.count) == 0


async def test_the_long_data_of_a_transaction_is_kept_once_however_often_its_stop_is_sent():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        data = [
            {"timestamp": f"2026-01-05T10:{n // 60:02}:{n % 60:02}Z", "sampledValue": [{"value": 100 + n}]}
            for n in range(1200)
        ]
        stop = {"transactionId": number, "meterStop": 2000, "timestamp": "2026-01-05T11:00:00Z"}
        for _ in range(2):
            assert await line.ask("StopTransaction", **stop, transactionData=data) == {}
    assert await in_database(lambda: MeterValue.objects.filter(transaction=number).count()) == 1200


@pytest.mark.parametrize("in_bytes", [False, True])
async def test_the_log_of_an_unreadable_frame_holds_no_secret(caplog, in_bytes):
    broken = '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","value":"0a1b2c3d"}'
    async with Line("/ocpp/CP1") as line:
        await (line.socket.send_to(bytes_data=broken.encode()) if in_bytes else line.socket.send_to(broken))
        assert "currentTime" in await line.ask("Heartbeat")
    assert "unreadable frame" in caplog.text
    assert "0a1b2c3d" not in caplog.text
