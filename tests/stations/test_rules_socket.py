"""The rules of the socket (OCPP-J 1.6 §3–§5): one test a rule, where `test_consumer.py` has none."""

import asyncio
import json

import pytest

from stations.models import CommandState, Connector, Station, Transaction
from stations.ocpp16 import consumer, sockets
from tests.stations.limits import connector, limit, live
from tests.stations.test_consumer import Line, in_database, station_of
from tests.stations.wire import Wire, eventually, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@pytest.fixture(autouse=True)
def _no_onboarding(monkeypatch):
    monkeypatch.setattr(consumer, "QUIET_S", 3600)


def ask_for(station_id, action, payload=None, command_id=1):
    """Let a station be asked, as a person would."""
    message = {"type": "stations.command", "station_id": station_id, "command_id": command_id}
    sockets.deliver({**message, "action": action, "payload": payload or {}})


async def asked(line, count=1):
    """Return what the station is asked next."""
    return [await line.hear() for _ in range(count)]


@pytest.mark.parametrize("prefix", ["/ocpp", "/ocpp/1.6", "/ocpp/steve/websocket/CentralSystemService", "/ocpp//"])
async def test_any_prefix_below_ocpp_leads_to_the_station(prefix):
    async with Line(f"{prefix}/CP1") as line:
        assert "currentTime" in await line.ask("Heartbeat")
    assert (await station_of("CP1")).identity == "CP1"


@pytest.mark.parametrize("subprotocol", ["OCPP1.6", "Ocpp1.6"])
async def test_a_sub_protocol_in_another_case_is_taken_and_answered_as_it_was_offered(subprotocol):
    async with Line("/ocpp/CP1", subprotocols=[subprotocol]) as line:
        assert line.subprotocol == subprotocol


async def test_a_missing_sub_protocol_is_logged(caplog):
    caplog.set_level("INFO")
    async with Line("/ocpp/CP1", subprotocols=None):
        pass
    assert any("no sub-protocol" in record.getMessage() for record in caplog.records)


async def test_a_refusal_is_logged_with_its_reason(caplog, settings):
    settings.ACCEPT_STATIONS = "off"
    assert await Line("/ocpp/CP9").refusal() == 404
    assert any("CP9 is unknown" in record.getMessage() for record in caplog.records)


async def test_a_socket_that_comes_back_is_the_same_station_and_its_transaction_goes_on():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
    async with Line("/ocpp/CP1") as line:
        stop = {"transactionId": number, "meterStop": 900, "timestamp": "2026-01-05T12:00:00Z"}
        assert await line.ask("StopTransaction", **stop) == {}
    assert await in_database(Station.objects.count) == 1
    assert (await in_database(Transaction.objects.get)).energy_wh == 800


async def test_a_reconnect_needs_no_boot():
    async with Line("/ocpp/CP1"):
        pass
    async with Line("/ocpp/CP1") as line:
        await line.ask("StatusNotification", connectorId=1, status="Available", errorCode="NoError")
    assert (await in_database(Connector.objects.get)).status == "Available"


async def test_an_unknown_station_gets_no_limit_until_it_is_in_service():
    async with Line("/ocpp/CP1") as line:
        answer = await line.ask("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        assert answer["status"] == "Pending"
        assert await line.socket.receive_nothing()


# --- one call at a time


async def test_a_second_call_waits_for_the_answer_to_the_first():
    async with Line("/ocpp/CP1") as line:
        key = (await station_of("CP1")).pk
        sockets._sockets[key].start_call("ClearCache", {})
        sockets._sockets[key].start_call("GetLocalListVersion", {})
        (first,) = await asked(line)
        assert await line.socket.receive_nothing()
        await line.socket.send_to(json.dumps([3, first[1], {"status": "Accepted"}]))
        (second,) = await asked(line)
        assert (first[2], second[2]) == ("ClearCache", "GetLocalListVersion")


async def test_a_limit_is_never_behind_more_than_one_other_call():
    async with Wire() as wire:
        number = await wire.begin()
        await limit(wire, 12, number)
        wire.calls.clear()
        socket = sockets._sockets[wire.station_id]
        wire.replies = dict.fromkeys(["ClearCache", "GetLocalListVersion", "GetConfiguration"], lambda _: None)
        for action in ("ClearCache", "GetLocalListVersion", "GetConfiguration"):
            socket.start_call(action, {})
        await eventually(lambda: wire.calls)
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        await wire.ask("Heartbeat")
        await wire.reply_late("ClearCache", {"status": "Accepted"})
        await eventually(lambda: len(wire.calls) == 3)
        assert [action for action, _, _ in wire.calls] == ["ClearCache", "SetChargingProfile", "GetLocalListVersion"]


async def test_a_call_that_waits_in_vain_lets_the_next_one_go(monkeypatch):
    monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.05)
    async with Wire() as wire:
        socket = sockets._sockets[wire.station_id]
        wire.replies["ClearCache"] = lambda _: None
        socket.start_call("ClearCache", {})
        socket.start_call("GetLocalListVersion", {})
        await eventually(lambda: [action for action, _, _ in wire.calls] == ["ClearCache", "GetLocalListVersion"])


async def test_while_the_station_is_asked_it_is_still_answered():
    async with Line("/ocpp/CP1") as line:
        key = (await station_of("CP1")).pk
        sockets._sockets[key].start_call("ClearCache", {})
        await asked(line)
        await line.socket.send_to(json.dumps([2, "own", "Heartbeat", {}]))
        assert (await line.hear())[:2] == [3, "own"]


async def test_three_unanswered_calls_with_heartbeats_still_coming_close_the_socket(monkeypatch):
    monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.05)
    async with Line("/ocpp/CP1") as line:
        key = (await station_of("CP1")).pk
        for _ in range(consumer.MOST_UNANSWERED):
            sockets._sockets[key].start_call("ClearCache", {})
            assert (await line.hear())[2] == "ClearCache"
            await line.socket.send_to('[2,"hb","Heartbeat",{}]')
            assert (await line.hear())[:2] == [3, "hb"]
        assert (await line.socket.receive_output(timeout=5))["type"] == "websocket.close"


async def test_two_unanswered_calls_and_then_an_answer_leave_the_socket_open(monkeypatch):
    async with Wire() as wire:
        socket = sockets._sockets[wire.station_id]
        wire.replies["ClearCache"] = lambda _: None
        for _ in range(2):
            monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.05)
            for _ in range(consumer.MOST_UNANSWERED - 1):
                socket.start_call("ClearCache", {})
            await eventually(lambda: socket._unanswered == consumer.MOST_UNANSWERED - 1)
            monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 30)
            socket.start_call("GetLocalListVersion", {})
            await eventually(lambda: socket._unanswered == 0)
        await wire.ask("Heartbeat")


# --- message ids


async def test_our_message_ids_never_repeat_on_any_socket():
    heard = []
    for _ in range(2):
        async with Line("/ocpp/CP1") as line:
            key = (await station_of("CP1")).pk
            for _ in range(3):
                sockets._sockets[key].start_call("ClearCache", {})
                (call,) = await asked(line)
                heard.append(call[1])
                await line.socket.send_to(json.dumps([3, call[1], {"status": "Accepted"}]))
    assert len(set(heard)) == 6
    assert all(len(number) <= 36 for number in heard), "OCPP-J 1.6 §4.1.4: 36 characters at most"


async def test_a_message_id_that_the_station_uses_again_gets_its_own_answer():
    async with Line("/ocpp/CP1") as line:
        for _ in range(2):
            await line.socket.send_to('[2,"1","Heartbeat",{}]')
            assert (await line.hear())[:2] == [3, "1"]
        await line.socket.send_to('[2,"1","Authorize",{"idTag":"A1"}]')
        assert (await line.hear())[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_station_may_use_the_message_id_of_our_own_call():
    async with Line("/ocpp/CP1") as line:
        key = (await station_of("CP1")).pk
        sockets._sockets[key].start_call("ClearCache", {})
        (call,) = await asked(line)
        await line.socket.send_to(json.dumps([2, call[1], "Heartbeat", {}]))
        assert "currentTime" in (await line.hear())[2]
        await line.socket.send_to(json.dumps([3, call[1], {"status": "Accepted"}]))
        await line.socket.send_to('[2,"2","Heartbeat",{}]')
        assert (await line.hear())[:2] == [3, "2"]


async def test_a_late_answer_to_a_command_changes_nothing_and_the_socket_stays(monkeypatch):
    monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.05)
    async with Wire() as wire:
        row = await in_database(
            lambda: Station.objects.get().commands.create(action="ClearCache", state=CommandState.QUEUED)
        )
        wire.replies["ClearCache"] = lambda _: None
        ask_for(wire.station_id, "ClearCache", command_id=row.pk)
        await until(lambda: Station.objects.get().commands.get().state == CommandState.TIMED_OUT)
        await wire.reply_late("ClearCache", {"status": "Accepted"})
        await wire.ask("Heartbeat")
        assert (await in_database(lambda: Station.objects.get().commands.get())).state == CommandState.TIMED_OUT


async def test_answers_that_may_come_late_are_not_remembered_without_end(monkeypatch):
    monkeypatch.setattr(consumer, "MOST_UNANSWERED", 1000)
    async with Wire() as wire:
        socket = sockets._sockets[wire.station_id]
        for number in range(50):
            socket._expect_late(f"x-{number}", lambda _: None)
        assert len(socket._late) == consumer.MOST_LATE
        assert "x-49" in socket._late


async def test_a_socket_that_closes_while_a_call_waits_ends_it():
    async with Wire() as wire:
        socket = sockets._sockets[wire.station_id]
        wire.replies["ClearCache"] = lambda _: None
        calling = asyncio.create_task(socket.call("ClearCache", {}))
        await eventually(lambda: wire.calls)
    with pytest.raises(consumer.StationAway):
        await calling
