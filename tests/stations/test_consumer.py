"""A station's socket: what it says is answered, and nothing it says ends it."""

import asyncio
import base64
import json
import threading

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from accounts.secrets import keyed_hash
from badges.models import Badge, BadgeSettings
from llm_site.asgi import application
from stations.models import Connector, MeterValue, Station, StrayMessage, Transaction
from stations.ocpp16 import charge_point, database, sockets
from stations.ocpp16.consumer import StationConsumer
from tests.stations.wire import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

SUBPROTOCOL = ["ocpp1.6"]


class Line:
    """One end of a socket, as a station sees it."""

    def __init__(self, path, *, subprotocols=SUBPROTOCOL, headers=()):
        self.socket = WebsocketCommunicator(application, path, list(headers), subprotocols)
        self.socket.scope["raw_path"] = path.encode()
        self.socket.scope["extensions"] = {"websocket.http.response": {}}
        self.number = 0

    async def __aenter__(self):
        is_connected, self.subprotocol = await self.socket.connect(timeout=5)
        assert is_connected
        return self

    async def __aexit__(self, *error):
        await self.socket.disconnect()

    async def refusal(self):
        await self.socket.send_input({"type": "websocket.connect"})
        refused = await self.socket.receive_output(timeout=5)
        self.refusal_headers = refused["headers"]
        return refused["status"]

    async def hear(self):
        return json.loads(await self.socket.receive_from(timeout=5))

    async def ask(self, action, **payload):
        """Call and return the answer's payload; calls of the LLM in between are accepted."""
        self.number += 1
        await self.socket.send_to(json.dumps([2, str(self.number), action, payload]))
        while True:
            frame = await self.hear()
            if frame[0] == 2:
                await self.socket.send_to(json.dumps([3, frame[1], {"status": "Accepted"}]))
            elif frame[1] == str(self.number):
                return frame[2] if frame[0] == 3 else frame[2:4]

    async def begin(self, **extra):
        start = {"connectorId": 1, "idTag": "A1", "meterStart": 100, "timestamp": "2026-01-05T10:00:00Z", **extra}
        return await self.ask("StartTransaction", **start)


def basic(user, password):
    return [(b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode()))]


@database_sync_to_async
def in_database(function):
    return function()


async def station_of(identity):
    return await in_database(lambda: Station.objects.get(identity=identity))


async def test_an_unknown_station_is_pending_until_it_is_approved():
    async with Line("/ocpp/CP1") as line:
        answer = await line.ask("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        assert answer["status"] == "Pending"
        await in_database(lambda: Station.objects.update(state="configured"))
        answer = await line.ask("BootNotification", chargePointVendor="Acme", chargePointModel="One")
    assert (answer["status"], answer["interval"]) == ("Accepted", 60)
    station = await station_of("CP1")
    assert (station.vendor, station.model) == ("Acme", "One")


async def test_with_automatic_acceptance_an_unknown_station_serves_at_once(settings):
    settings.ACCEPT_STATIONS = "auto"
    async with Line("/ocpp/CP1") as line:
        answer = await line.ask("BootNotification", chargePointVendor="Acme", chargePointModel="One")
    assert answer["status"] == "Accepted"


async def test_unknown_stations_are_not_found_where_none_are_taken(settings):
    settings.ACCEPT_STATIONS = "off"
    assert await Line("/ocpp/CP1").refusal() == 404


async def test_the_edition_has_an_end(settings):
    settings.EDITION = "XEM510"
    await in_database(lambda: [Station.objects.create(identity=f"X{n}", state="configured") for n in range(10)])
    assert await Line("/ocpp/CP1").refusal() == 404
    async with Line("/ocpp/X3"):
        pass


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/ocpp/CP1/", "CP1"),
        ("/ocpp/ws/1.6/CP1", "CP1"),
        ("/ocpp/garage%2FCP1", "garage/CP1"),
        ("/ocpp/Place%201", "Place 1"),
        ("/ocpp/B%C3%B6rse", "Börse"),
    ],
)
async def test_the_last_segment_is_the_identity_however_it_is_written(path, identity):
    async with Line(path):
        pass
    assert (await station_of(identity)).identity == identity


async def test_an_address_without_identity_is_not_found():
    assert await Line("/ocpp/%20").refusal() == 404


async def test_the_sub_protocol_is_agreed_and_its_absence_is_forgiven():
    async with Line("/ocpp/CP1", subprotocols=["ocpp2.0.1", "ocpp1.6"]) as line:
        assert line.subprotocol == "ocpp1.6"
    async with Line("/ocpp/CP1", subprotocols=None) as line:
        assert line.subprotocol is None


async def test_a_sub_protocol_we_do_not_speak_is_refused_in_the_handshake():
    assert await Line("/ocpp/CP1", subprotocols=["ocpp2.0.1"]).refusal() == 400


async def test_a_station_with_a_password_must_offer_it():
    await in_database(lambda: Station.objects.create(identity="CP1", password_hash=keyed_hash("s3cret")))
    assert await Line("/ocpp/CP1").refusal() == 401
    assert await Line("/ocpp/CP1", headers=basic("CP1", "wrong")).refusal() == 401
    async with Line("/ocpp/CP1", headers=basic("CP1", "s3cret")):
        pass


async def test_a_frame_that_is_no_json_leaves_the_socket_open():
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to("this is not JSON")
        assert "currentTime" in await line.ask("Heartbeat")


async def test_a_binary_frame_leaves_the_socket_open():
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to(bytes_data=b"\xff\xfe\x00")
        assert "currentTime" in await line.ask("Heartbeat")


async def test_a_broken_call_gets_an_error_with_its_number():
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to('[2,"77","Heartbeat",[1]]')
        assert (await line.hear())[:3] == [4, "77", "FormationViolation"]


async def test_an_unknown_action_is_not_implemented():
    async with Line("/ocpp/CP1") as line:
        code, description = await line.ask("MakeCoffee")
        assert code == "NotImplemented"
        assert "MakeCoffee" in description
        assert "currentTime" in await line.ask("Heartbeat")


async def test_an_answer_to_nothing_is_ignored():
    async with Line("/ocpp/CP1") as line:
        await line.socket.send_to('[3,"never asked",{}]')
        await line.socket.send_to('[4,"never asked","GenericError","",{}]')
        assert "currentTime" in await line.ask("Heartbeat")


async def test_a_session_is_kept_from_boot_to_stop(settings):
    settings.ACCEPT_STATIONS = "auto"
    async with Line("/ocpp/CP1") as line:
        await line.ask("BootNotification", chargePointVendor="Acme", chargePointModel="One")
        assert (await line.ask("Authorize", idTag="A1"))["idTagInfo"]["status"] == "Accepted"
        number = (await line.begin())["transactionId"]
        await line.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
        sampled = [{"value": "150"}, {"value": "9.5", "measurand": "Current.Import", "phase": "L1"}]
        meter_value = [{"timestamp": "2026-01-05T10:01:00Z", "sampledValue": sampled}]
        assert await line.ask("MeterValues", connectorId=1, transactionId=number, meterValue=meter_value) == {}
        stopped = await line.ask(
            "StopTransaction", transactionId=number, idTag="A1", meterStop=400, timestamp="2026-01-05T11:00:00Z"
        )
    assert stopped["idTagInfo"]["status"] == "Accepted"
    transaction = await in_database(Transaction.objects.get)
    assert (transaction.pk, transaction.energy_wh) == (number, 300)
    assert (await in_database(MeterValue.objects.get)).transaction_id == number
    assert (await in_database(Connector.objects.get)).status == "Charging"


async def test_a_stop_for_an_unknown_transaction_is_answered_and_kept():
    async with Line("/ocpp/CP1") as line:
        assert await line.ask("StopTransaction", transactionId=99, meterStop=1, timestamp="2026-01-05T11:00:00Z") == {}
        assert "currentTime" in await line.ask("Heartbeat")
    assert (await in_database(StrayMessage.objects.get)).payload["transactionId"] == 99


async def test_an_answer_with_a_payload_that_is_none_ends_its_call_and_is_not_answered():
    async with Line("/ocpp/CP1") as line:
        station = await station_of("CP1")
        sockets.deliver({"type": "stations.standing", "standing": [[station.pk, [1, 2], 8.4]]})
        frame = await line.hear()
        await line.socket.send_to(json.dumps([3, frame[1], []]))
        following = await line.hear()
        assert (following[0], following[2]) == (2, "SetChargingProfile")
        assert following[1] != frame[1]


async def test_a_nul_in_a_start_is_left_out_and_the_rest_is_kept():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin(idTag="A\x001", extra="x\x00y"))["transactionId"]
    transaction = await in_database(Transaction.objects.get)
    assert (transaction.pk, transaction.id_tag, transaction.raw_start["extra"]) == (number, "A1", "xy")


async def test_a_line_break_in_an_address_is_not_found():
    assert await Line("/ocpp/a%0Ab").refusal() == 404


async def test_progress_reports_and_data_transfers_are_answered():
    async with Line("/ocpp/CP1") as line:
        assert await line.ask("FirmwareStatusNotification", status="Idle") == {}
        assert await line.ask("DiagnosticsStatusNotification", status="Idle") == {}
        assert await line.ask("DataTransfer", vendorId="acme") == {"status": "UnknownVendorId"}


async def test_the_newest_socket_wins_and_the_older_one_s_end_touches_nothing_of_it():
    old = await Line("/ocpp/CP1").__aenter__()
    async with Line("/ocpp/CP1") as new:
        assert (await old.socket.receive_output(timeout=5))["type"] == "websocket.close"
        await old.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await old.socket.wait(timeout=5)
        assert (await station_of("CP1")).is_connected
        assert "currentTime" in await new.ask("Heartbeat")
    assert not (await station_of("CP1")).is_connected


async def test_a_limit_goes_out_as_a_transaction_profile_and_its_acceptance_is_kept():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        station, connector = await station_of("CP1"), await in_database(Connector.objects.get)
        limit = [station.pk, connector.pk, 1, number, 13.4]
        sockets.deliver({"type": "stations.limits", "limits": [limit]})
        frame = await line.hear()
        profile = frame[3]["csChargingProfiles"]
        assert (frame[2], profile["chargingProfilePurpose"]) == ("SetChargingProfile", "TxProfile")
        assert profile["transactionId"] == number
        assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 13.4}]
        await line.socket.send_to(json.dumps([3, frame[1], {"status": "Accepted"}]))
        assert await accepted_limit() == 13.4


async def test_while_a_station_has_not_answered_only_the_newest_limit_waits():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        station, connector = await station_of("CP1"), await in_database(Connector.objects.get)
        sent = []
        for limit_a in (16, 14, 12, 10):
            limit = [station.pk, connector.pk, 1, number, limit_a]
            sockets.deliver({"type": "stations.limits", "limits": [limit]})
            await asyncio.sleep(0)
        for _ in range(2):
            frame = await line.hear()
            sent.append(frame[3]["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])
            await line.socket.send_to(json.dumps([3, frame[1], {"status": "Accepted"}]))
        assert sent == [16, 10]
        assert await line.socket.receive_nothing()


async def test_a_refused_limit_leaves_the_old_one_counted_and_says_so():
    async with Line("/ocpp/CP1") as line:
        number = (await line.begin())["transactionId"]
        station, connector = await station_of("CP1"), await in_database(Connector.objects.get)
        await in_database(lambda: Connector.objects.update(accepted_limit_a=16))
        sockets.deliver({"type": "stations.limits", "limits": [[station.pk, connector.pk, 1, number, 8]]})
        frame = await line.hear()
        await line.socket.send_to(json.dumps([3, frame[1], {"status": "Rejected"}]))
        while not (connector := await in_database(Connector.objects.get)).refusal:
            await asyncio.sleep(0.01)
    assert (connector.accepted_limit_a, connector.refusal) == (16, "Rejected")


async def test_the_standing_fail_safe_profile_is_kept_once_every_connector_took_it():
    async with Line("/ocpp/CP1") as line:
        station = await station_of("CP1")
        sockets.deliver({"type": "stations.standing", "standing": [[station.pk, [1, 2], 8.4]]})
        for number in (1, 2):
            frame = await line.hear()
            assert frame[3]["connectorId"] == number
            assert frame[3]["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"
            await line.socket.send_to(json.dumps([3, frame[1], {"status": "Accepted"}]))
        while (station := await station_of("CP1")).standing_fail_safe_a is None:
            await asyncio.sleep(0.01)
    assert station.standing_fail_safe_a == 8.4


async def test_a_refused_transaction_that_goes_on_is_stopped_once_a_minute():
    await in_database(lambda: BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"}))
    async with Line("/ocpp/CP1") as line:
        answer = await line.begin()
        assert answer["idTagInfo"]["status"] == "Invalid"
        values = {"connectorId": 1, "meterValue": [], "transactionId": answer["transactionId"]}
        for number in range(3):
            await line.socket.send_to(json.dumps([2, f"mv{number}", "MeterValues", values]))
        heard = [await line.hear() for _ in range(4)]
        assert await line.socket.receive_nothing()
    stops = [frame[3] for frame in heard if frame[0] == 2]
    assert stops == [{"transactionId": answer["transactionId"]}]


async def accepted_limit():
    """Wait until a limit is accepted, and return it."""
    while True:
        connector = await in_database(Connector.objects.get)
        if connector.accepted_limit_a is not None:
            return connector.accepted_limit_a
        await asyncio.sleep(0.01)


async def test_a_refused_transaction_is_stopped_though_its_station_measures_nothing():
    await in_database(lambda: BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"}))
    async with Line("/ocpp/CP1") as line:
        answer = await line.begin()
        status = {"connectorId": 1, "errorCode": "NoError"}
        await line.socket.send_to(json.dumps([2, "p", "StatusNotification", {**status, "status": "Preparing"}]))
        assert await line.hear() == [3, "p", {}]
        await line.socket.send_to(json.dumps([2, "c", "StatusNotification", {**status, "status": "Charging"}]))
        heard = [await line.hear() for _ in range(2)]
    stops = [frame[2:] for frame in heard if frame[0] == 2]
    assert stops == [["RemoteStopTransaction", {"transactionId": answer["transactionId"]}]]


async def test_a_supervisor_that_is_presented_where_no_connector_is_free_ends_what_runs():
    await in_database(lambda: Badge.objects.create(id_tag="5A", type="supervisor"))
    async with Line("/ocpp/CP1") as line:
        begun = await line.begin()
        await line.socket.send_to(json.dumps([2, "a", "Authorize", {"idTag": "5a"}]))
        heard = [await line.hear() for _ in range(2)]
    assert [3, "a", {"idTagInfo": {"status": "Accepted"}}] in heard
    stops = [frame[2:] for frame in heard if frame[0] == 2]
    assert stops == [["RemoteStopTransaction", {"transactionId": begun["transactionId"]}]]


async def test_a_socket_whose_application_is_killed_lets_go_of_its_station():
    line = await Line("/ocpp/CP1").__aenter__()
    assert (await station_of("CP1")).is_connected
    line.socket.future.cancel()
    await asyncio.wait([line.socket.future])
    station = await station_of("CP1")
    assert not station.is_connected
    assert station.pk not in sockets._sockets


async def test_a_socket_whose_application_breaks_lets_go_of_its_station():
    line = await Line("/ocpp/CP1").__aenter__()
    await line.socket.send_input({"type": "websocket.receive", "text": 5})
    await asyncio.wait([line.socket.future])
    assert line.socket.future.exception() is not None
    station = await station_of("CP1")
    assert not station.is_connected
    assert station.pk not in sockets._sockets


async def test_a_socket_killed_while_it_is_let_in_lets_go_of_its_station():
    socket, is_let_in = WebsocketCommunicator(StationConsumer.as_asgi(), "/ocpp/CP1"), threading.Event()
    before = asyncio.create_task(database.in_database(is_let_in.wait, 5))
    await socket.send_input({"type": "websocket.connect"})
    await eventually(lambda: len(database._waiting.get(asyncio.get_running_loop(), ())) == 2)
    socket.future.cancel()
    is_let_in.set()
    await asyncio.wait([socket.future, before])
    assert not (await station_of("CP1")).is_connected


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction", "MeterValues"])
async def test_what_must_not_be_lost_and_was_not_kept_gets_no_reply_so_that_it_is_sent_again(action, monkeypatch):
    async def fail(_socket, _payload):
        raise OperationalError("the disk is full")

    async with Line("/ocpp/CP1") as line:
        monkeypatch.setitem(charge_point.HANDLERS, action, fail)
        await line.socket.send_to(json.dumps([2, "lost", action, {}]))
        await line.socket.send_to(json.dumps([2, "beat", "Heartbeat", {}]))
        assert (await line.hear())[1] == "beat"
