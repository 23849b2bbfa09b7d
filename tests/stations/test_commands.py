"""Commands through the REST API, to a station on its socket, and back."""

import asyncio
import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import IntegrityError, transaction
from django.utils import timezone

from stations.commanding import (
    check_command,
    end_commands_of_last_life,
    note_sent,
    request_command,
    settle_command,
    tidy_commands,
)
from stations.errors import CommandUnfit
from stations.models import Command, CommandState, Connector, Station
from stations.ocpp16.blanking import HIDDEN, without_secrets
from stations.ocpp16.operations import OPERATIONS, is_accepted
from tests.http_client import ask, token_of
from tests.stations.test_consumer import Line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@database_sync_to_async
def only_command():
    return Command.objects.get()


async def command(token, action, payload=None, *, path="/api/stations/CP1/commands", **more):
    return await ask("POST", path, {"action": action, "payload": payload or {}, **more}, token=token)


class Answering:
    """A station that is asked something while a request waits for what it says."""

    def __init__(self, line, request):
        self.line, self.request = line, request

    async def __aenter__(self):
        self.asking = asyncio.create_task(self.request)
        return self

    async def __aexit__(self, *error):
        self.asking.cancel()
        await asyncio.gather(self.asking, return_exceptions=True)

    async def hear(self):
        return await self.line.hear()

    async def say(self, frame):
        await self.line.socket.send_to(json.dumps(frame))

    async def outcome(self):
        return await self.asking


async def exchange(line, request, answer):
    """Let the station hear the command of a request and answer it; returns what it heard and the response."""
    async with Answering(line, request) as talk:
        heard = await talk.hear()
        await talk.say([answer[0], heard[1], *answer[1:]])
        return heard, await talk.outcome()


async def test_the_answer_of_the_station_is_the_answer_of_the_request():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        settings = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]}
        heard, answer = await exchange(line, command(token, "GetConfiguration", {"key": ["A"]}), [3, settings])
    assert heard[2:] == ["GetConfiguration", {"key": ["A"]}]
    assert answer.status == 200
    said, row = answer.json(), await only_command()
    assert (said["id"], said["status"], said["answer"]) == (row.pk, "accepted", settings)
    assert said["requested_by"] == "administrator"
    assert row.created_at <= row.sent_at <= row.answered_at


async def test_a_rejection_is_an_answer_too():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        _, answer = await exchange(line, command(token, "Reset", {"type": "Hard"}), [3, {"status": "Rejected"}])
    assert (answer.status, answer.json()["status"]) == (200, "rejected")
    assert answer.json()["answer"] == {"status": "Rejected"}


async def test_an_error_of_the_station_is_a_bad_gateway_and_told():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        error = [4, "NotSupported", "no lock", {}]
        _, answer = await exchange(line, command(token, "UnlockConnector", {"connectorId": 1}), error)
    said = answer.json()
    assert (answer.status, said["status"], said["message"]) == (502, "refused", "NotSupported: no lock")
    assert (said["error_code"], said["error_text"]) == ("NotSupported", "no lock")


async def test_a_station_that_is_not_connected_is_a_conflict_at_once_and_kept():
    token = await token_of("administrator")
    await database_sync_to_async(Station.objects.create)(identity="CP1")
    answer = await command(token, "ClearCache")
    assert (answer.status, answer.json()["message"]) == (409, "CP1 is not connected")
    assert (await only_command()).state == CommandState.NOT_CONNECTED


async def test_a_station_that_does_not_exist_is_not_found():
    answer = await command(await token_of("administrator"), "ClearCache")
    assert (answer.status, answer.json()) == (404, {"message": "there is no station 'CP1'"})


@pytest.mark.parametrize(
    ("action", "payload", "complaint"),
    [
        ("Reset", {"type": "Gently"}, "Gently"),
        ("Reset", {}, "type"),
        ("MakeCoffee", {}, "MakeCoffee"),
        ("BootNotification", {"chargePointVendor": "A", "chargePointModel": "B"}, "BootNotification"),
        ("ResetResponse", {"status": "Accepted"}, "ResetResponse"),
    ],
)
async def test_what_a_central_system_cannot_send_is_refused_with_the_reason_and_not_kept(action, payload, complaint):
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        answer = await command(token, action, payload)
        assert answer.status == 422
        assert complaint in answer.json()["message"]
        assert await line.socket.receive_nothing()
    assert await database_sync_to_async(Command.objects.count)() == 0


async def test_a_body_that_is_none_is_refused_with_each_complaint():
    answer = await ask("POST", "/api/stations/CP1/commands", {"payload": []}, token=await token_of("administrator"))
    assert answer.status == 422
    assert "action" in answer.json()["message"]
    assert "payload" in answer.json()["message"]


async def test_a_mistyped_key_of_a_body_is_refused_and_no_command_is_kept():
    answer = await command(await token_of("administrator"), "ClearCache", timeout=5)
    assert answer.status == 422
    assert "timeout: is not known here" in answer.json()["message"]
    assert await database_sync_to_async(Command.objects.count)() == 0


async def test_who_waits_too_long_is_told_so_and_a_late_answer_changes_nothing():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        async with Answering(line, command(token, "ClearCache", timeout_s=0.2)) as talk:
            heard = await talk.hear()
            answer = await talk.outcome()
        assert (answer.status, answer.json()["status"]) == (504, "timed_out")
        await line.socket.send_to(json.dumps([3, heard[1], {"status": "Accepted"}]))
        assert "currentTime" in await line.ask("Heartbeat")
        _, later = await exchange(line, command(token, "Reset", {"type": "Soft"}), [3, {"status": "Accepted"}])
        assert later.status == 200
    first = await database_sync_to_async(Command.objects.get)(action="ClearCache")
    assert (first.state, first.answer) == (CommandState.TIMED_OUT, None)


async def test_a_station_that_stays_silent_has_timed_out(monkeypatch):
    monkeypatch.setattr("stations.ocpp16.consumer.CALL_TIMEOUT_S", 0.1)
    token = await token_of("administrator")
    async with Line("/ocpp/CP1"):
        answer = await command(token, "ClearCache")
    assert answer.status == 504
    assert "did not answer ClearCache" in answer.json()["message"]


async def test_a_command_nobody_waits_for_any_longer_is_not_sent():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:
        async with Answering(line, command(token, "GetConfiguration")) as talk:
            heard = await talk.hear()
            assert (await command(token, "Reset", {"type": "Hard"}, timeout_s=0.1)).status == 504
            await talk.say([3, heard[1], {}])
            assert (await talk.outcome()).status == 200
        assert await line.socket.receive_nothing()


async def test_commands_go_out_one_by_one_in_their_order():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line, Answering(line, command(token, "GetConfiguration")) as first:
        heard = await first.hear()
        async with Answering(line, command(token, "ClearCache")) as second:
            assert await line.socket.receive_nothing(timeout=0.2)
            await first.say([3, heard[1], {}])
            assert (await first.outcome()).status == 200
            heard = await second.hear()
            await second.say([3, heard[1], {"status": "Accepted"}])
            assert (heard[2], (await second.outcome()).status) == ("ClearCache", 200)


async def test_a_socket_that_closes_ends_the_commands_it_had():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line, Answering(line, command(token, "ClearCache")) as talk:
        await talk.hear()
        waiting = await database_sync_to_async(request_command)(
            station=await database_sync_to_async(Station.objects.get)(), action="ClearCache", payload={}, user=None
        )
        await line.socket.disconnect()
        await database_sync_to_async(waiting.refresh_from_db)()
        answer = await talk.outcome()
    assert (waiting.state, waiting.sent_at) == (CommandState.NOT_CONNECTED, None)
    assert (answer.status, answer.json()["status"]) == (409, "not_connected")


@pytest.mark.parametrize(
    ("path", "identity"),
    [("garage%2FCP1", "garage/CP1"), ("X%2Fcommands", "X/commands"), ("B%C3%B6rse", "Börse"), ("100%2525", "100%25")],
)
async def test_an_identity_is_one_segment_however_it_is_written(path, identity):
    token = await token_of("administrator")
    async with Line(f"/ocpp/{path}") as line:
        request = command(token, "ClearCache", path=f"/api/stations/{path}/commands")
        _, answer = await exchange(line, request, [3, {"status": "Accepted"}])
        assert answer.status == 200
        found = await ask("GET", f"/api/stations/{path}", token=token)
    assert found.json()["identity"] == identity


async def test_a_secret_is_sent_whole_and_kept_blank():
    token = await token_of("administrator")
    key = {"key": "AuthorizationKey", "value": "s3cret-s3cret-s3cret"}
    async with Line("/ocpp/CP1") as line:
        heard, answer = await exchange(
            line, command(token, "ChangeConfiguration", key), [3, {"status": "Accepted", "echo": [key]}]
        )
    assert heard[3] == key
    assert b"s3cret" not in answer.body
    row = await only_command()
    assert row.payload == {"key": "AuthorizationKey", "value": HIDDEN}
    assert row.answer == {"status": "Accepted", "echo": [{"key": "AuthorizationKey", "value": HIDDEN}]}


async def test_after_a_profile_by_hand_the_limits_are_told_anew():
    token = await token_of("administrator")
    async with Line("/ocpp/CP1") as line:

        @database_sync_to_async
        def hold():
            Connector.objects.update(accepted_limit_a=16, accepted_at=timezone.now())
            Station.objects.update(standing_fail_safe_a=8.4)

        await hold()
        _, answer = await exchange(line, command(token, "ClearChargingProfile"), [3, {"status": "Accepted"}])
        assert answer.status == 200
        connector = await database_sync_to_async(Connector.objects.select_related("station").get)()
    assert (connector.accepted_limit_a, connector.station.standing_fail_safe_a) == (None, None)


async def test_what_was_asked_of_a_station_can_be_read_the_newest_first():
    token = await token_of("administrator")
    await database_sync_to_async(Station.objects.create)(identity="CP1")
    for action in ("ClearCache", "GetConfiguration", "GetLocalListVersion"):
        await command(token, action)
    page = (await ask("GET", "/api/stations/CP1/commands", token=token, limit=2)).json()
    assert [entry["action"] for entry in page["items"]] == ["GetLocalListVersion", "GetConfiguration"]
    assert page["count"] == 3


# --- without a socket


@pytest.fixture
def queued():
    station = Station.objects.create(identity="CP1", socket_id="elsewhere/1")
    return request_command(station=station, action="ClearCache", payload={}, user=None)


def state_of(command):
    command.refresh_from_db()
    return command.state


def test_a_first_outcome_stays(queued):
    assert note_sent(command_id=queued.pk)
    assert settle_command(command_id=queued.pk, state=CommandState.TIMED_OUT)
    assert not settle_command(command_id=queued.pk, state=CommandState.ACCEPTED, answer={"status": "Accepted"})
    assert state_of(queued) == CommandState.TIMED_OUT


def test_a_command_is_sent_once(queued):
    assert note_sent(command_id=queued.pk)
    assert not note_sent(command_id=queued.pk)


def test_an_answer_is_kept_without_what_no_database_keeps(queued):
    note_sent(command_id=queued.pk)
    settle_command(command_id=queued.pk, state=CommandState.ACCEPTED, answer={"data": "a\0b"})
    queued.refresh_from_db()
    assert queued.answer == {"data": "ab"}


def test_an_error_is_kept_without_what_no_database_keeps(queued):
    note_sent(command_id=queued.pk)
    settle_command(command_id=queued.pk, state=CommandState.REFUSED, error_code="Generic\0Error", error_text="\0")
    queued.refresh_from_db()
    assert (queued.error_code, queued.error_text) == ("GenericError", "")


def test_an_answer_to_what_was_never_sent_cannot_be_kept(queued):
    with pytest.raises(IntegrityError), transaction.atomic():
        settle_command(command_id=queued.pk, state=CommandState.ACCEPTED, answer={})


def test_a_web_process_that_starts_ends_the_commands_of_its_last_life(queued, settings):
    settings.WEB_ID = "elsewhere"
    end_commands_of_last_life()
    assert state_of(queued) == CommandState.NOT_CONNECTED


@pytest.mark.parametrize(("age", "state"), [(timedelta(minutes=9), "queued"), (timedelta(minutes=11), "timed_out")])
def test_a_command_whose_message_was_lost_ends_after_ten_minutes(queued, age, state):
    Command.objects.update(created_at=timezone.now() - age)
    tidy_commands()
    assert state_of(queued) == state
    assert note_sent(command_id=queued.pk) == (state == "queued")


def test_commands_are_kept_for_a_year(queued):
    for days, is_kept in ((365, True), (367, False)):
        Command.objects.update(created_at=timezone.now() - timedelta(days=days))
        tidy_commands()
        assert Command.objects.filter(pk=queued.pk).exists() == is_kept


def test_without_a_broker_a_command_ends_at_once(settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["unix:///nowhere/redis.sock"]},
        }
    }
    station = Station.objects.create(identity="CP1", socket_id="elsewhere/1")
    assert request_command(station=station, action="ClearCache", payload={}, user=None).state == "not_connected"


def test_a_command_is_only_handed_over_when_its_row_is_there():
    from channels.layers import get_channel_layer

    station = Station.objects.create(identity="CP1", socket_id="elsewhere/1")
    layer = get_channel_layer()
    async_to_sync(layer.group_add)("stations", "listener")
    with transaction.atomic():
        command = request_command(station=station, action="Reset", payload={"type": "Soft"}, user=None)
        assert "listener" not in layer.channels
    message = async_to_sync(layer.receive)("listener")
    assert (message["command_id"], message["payload"]) == (command.pk, {"type": "Soft"})


@pytest.mark.parametrize("action", sorted(set(OPERATIONS)))
def test_every_example_can_be_sent(action):
    check_command(action, OPERATIONS[action])


def test_the_table_holds_every_operation_of_a_central_system():
    assert len(OPERATIONS) == 26


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ClearCache", []),
        ("UnlockConnector", {"connectorId": 10**30}),
        ("DataTransfer", {"vendorId": "com.example", "data": "\ud800"}),
        ("DataTransfer", {"vendorId": "com.example", "data": "a\0b"}),
        ("DataTransfer", {"vendorId": "com.example", "data": "\\\0"}),
    ],
)
def test_what_cannot_be_written_is_unfit(action, payload):
    with pytest.raises(CommandUnfit):
        check_command(action, payload)


def test_a_backslash_before_digits_is_no_nul_character():
    check_command("DataTransfer", {"vendorId": "com.example", "data": "C:\\u0000"})


@pytest.mark.parametrize("status", ["Accepted", "Scheduled", "Unlocked", "RebootRequired", "AcceptedCanceled"])
def test_some_statuses_mean_yes(status):
    assert is_accepted("Reset", {"status": status})


@pytest.mark.parametrize("status", ["Rejected", "NotSupported", "UnlockFailed", "Occupied", ""])
def test_all_others_mean_no(status):
    assert not is_accepted("Reset", {"status": status})
    assert not is_accepted("UpdateFirmware", {"status": status})


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_an_answer_without_a_status_means_yes_only_where_it_has_none(action):
    has_none = {"GetConfiguration", "GetDiagnostics", "GetLocalListVersion", "UpdateFirmware"}
    assert is_accepted(action, {}) == (action in has_none)


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        ({"key": "AuthorizationKey", "value": HIDDEN}, {"key": "AuthorizationKey", "value": "a"}),
        ({"key": "WifiPassword", "value": HIDDEN}, {"key": "WifiPassword", "value": "a"}),
        ({"key": "HeartbeatInterval", "value": "60"}, {"key": "HeartbeatInterval", "value": "60"}),
        ({"location": f"ftp://{HIDDEN}@host/logs/"}, {"location": "ftp://user:p@ss@host/logs/"}),
        ({"location": f"https://host/f.bin?{HIDDEN}"}, {"location": "https://host/f.bin?sig=abc"}),
        ({"location": "ftp://192.168.1.2/logs/"}, {"location": "ftp://192.168.1.2/logs/"}),
        ({"log": {"remoteLocation": f"ftp://{HIDDEN}@h/"}}, {"log": {"remoteLocation": "ftp://u:p@h/"}}),
        ({"location": f"ftp://{HIDDEN}"}, {"location": "ftp://user:p/w@host/"}),
        ({"location": f"ftp://{HIDDEN}"}, {"location": "ftp://user:p?w@host/"}),
        ({"location": f"ftp://{HIDDEN}"}, {"location": "ftp://user:p@s/w@host/?mail=a@b"}),
        ({"location": f"ftp://{HIDDEN}@host"}, {"location": "ftp://user:p#w@host"}),
        ({"vendorId": "x", "password": HIDDEN}, {"vendorId": "x", "password": "a"}),
        ({"wifiPSK": HIDDEN, "pin": 1}, {"wifiPSK": 1234, "pin": 1}),
        ({"tokens": HIDDEN}, {"tokens": ["a", {"b": "c"}]}),
        ({"password": "", "hasPassword": True, "token": None}, {"password": "", "hasPassword": True, "token": None}),
        ({"data": f'{{"password":"{HIDDEN}"}}'}, {"data": '{"password": "a"}'}),
        ({"data": f'[{{"url":"ftp://{HIDDEN}@h/"}}]'}, {"data": ' [{"url": "ftp://u:p@h/"}]'}),
        ({"data": HIDDEN}, {"data": '{"password": "a'}),
        ({"data": '{ "idTag": "A1" }'}, {"data": '{ "idTag": "A1" }'}),
        ({"data": "the token has expired"}, {"data": "the token has expired"}),
        ({"idTag": "A1", "parentIdTag": "B2"}, {"idTag": "A1", "parentIdTag": "B2"}),
        ({"key": ["AuthorizationKey"]}, {"key": ["AuthorizationKey"]}),
        ([{"key": "x-secret", "value": HIDDEN}, 1, None], [{"key": "x-secret", "value": "a"}, 1, None]),
    ],
)
def test_secrets_are_blanked(kept, given):
    assert without_secrets(given) == kept
