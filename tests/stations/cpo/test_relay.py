"""A station between a car and an operator: what each is told, whatever the other does."""

import asyncio
import ssl
from datetime import timedelta
from itertools import chain

import pytest
from channels.db import database_sync_to_async

from accounts.secrets import seal
from stations.cpo import links, outbox, relay, standing
from stations.cpo.causes import OperatorAway
from stations.models import CpoIdTag, CpoLink, CpoMessage, CpoServer, CpoTransaction, Station, Transaction
from tests.certificates import key_pem, new_key, server_certificate
from tests.stations.cpo.operator import CLOSE, Operator, Refusal
from tests.stations.wire import Wire, eventually, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("relays")]


class Garage(Wire):
    """A station whose operator is a server of the test."""

    def __init__(self, operator, *, policy="cached", server=None, **simulated):
        super().__init__(**simulated)
        self.operator, self.policy, self.server = operator, policy, server or {}

    def _create(self):
        super()._create()
        values = {"url": self.operator.url, "offline_policy": self.policy, **self.server}
        server, _is_new = CpoServer.objects.get_or_create(name="op", defaults=values)
        Station.objects.update(cpo_server=server, cpo_identity="FR*A 1", is_cpo_enabled=True)


def state():
    link = CpoLink.objects.filter().first()
    return (link.state, link.cause) if link else None


async def is_state(*wanted):
    await until(lambda: state() == wanted)


async def accepted():
    await is_state("accepted", "")


async def test_it_is_accepted_only_after_the_operator_said_so_and_no_longer_when_it_goes():
    async with Operator() as operator:
        answer = asyncio.get_running_loop().create_future()

        async def boot(_payload):
            return await answer

        operator.replies["BootNotification"] = boot
        async with Garage(operator) as garage:
            await operator.hears("BootNotification")
            assert await in_database(state) == ("connecting", "")
            answer.set_result({"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 60})
            await accepted()
            assert operator.seen[0][0] == "FR%2AA%201"
            await operator.close()
            await until(lambda: state()[0] == "unreachable")
            assert "currentTime" in await garage.ask("Heartbeat")
    assert operator.faults == []


@pytest.mark.parametrize(("status", "shown"), [("Pending", "pending"), ("Rejected", "rejected")])
async def test_what_the_operator_has_not_accepted_says_nothing_but_boots_again(status, shown):
    async with Operator() as operator:
        operator.replies["BootNotification"] = not_yet(status, 1)
        async with Garage(operator, policy="allow") as garage:
            await is_state(shown, "")
            await garage.begin()
            del operator.replies["BootNotification"]
            await operator.hears("StartTransaction")
            said = [action for _identity, action, *_rest in operator.seen]
            assert set(said[: said.index("StartTransaction")]) <= {
                "BootNotification",
                "StatusNotification",
                "Heartbeat",
            }
            assert len(operator.all("BootNotification")) > 1


def not_yet(status, interval_s):
    """Answer a BootNotification with something else than Accepted."""
    return lambda _payload: {"status": status, "currentTime": "2026-01-01T00:00:00Z", "interval": interval_s}


async def test_a_pending_operator_hears_what_it_triggers_and_nothing_else_until_it_accepts():
    async with Operator() as operator:
        operator.replies["BootNotification"] = not_yet("Pending", 86_400)
        async with Garage(operator) as garage:
            await is_state("pending", "")
            await garage.ask("StatusNotification", connectorId=1, status="Preparing", errorCode="NoError")
            assert await operator.ask("RemoteStartTransaction", idTag="A1") == {"status": "Rejected"}
            for wanted in ("Heartbeat", "StatusNotification"):
                assert await operator.ask("TriggerMessage", requestedMessage=wanted) == {"status": "Accepted"}
                await operator.hears(wanted)
            said = [action for _identity, action, *_rest in operator.seen]
            assert said == ["BootNotification", "Heartbeat", "StatusNotification"]
            del operator.replies["BootNotification"]
            assert await operator.ask("TriggerMessage", requestedMessage="BootNotification") == {"status": "Accepted"}
            await accepted()
            assert garage.asked("RemoteStartTransaction") == []
    assert operator.faults == []


@pytest.mark.parametrize("status", ["Pending", "Accepted"])
async def test_however_often_a_boot_is_triggered_it_is_told_no_sooner_than_after_the_shortest_interval(
    status, monkeypatch
):
    monkeypatch.setattr(relay, "SHORTEST_INTERVAL_S", 86_400.0)
    async with Operator() as operator:
        operator.replies["BootNotification"] = not_yet(status, 86_400)
        async with Garage(operator):
            await is_state(status.lower(), "")
            heard = len(operator.all("Heartbeat"))
            for _trigger in range(3):
                said = await operator.ask("TriggerMessage", requestedMessage="BootNotification")
                assert said == {"status": "Accepted"}
                await operator.ask("TriggerMessage", requestedMessage="Heartbeat")
                heard += 1
                await operator.hears("Heartbeat", heard)
            assert len(operator.all("BootNotification")) == 1


async def test_an_operator_that_rejects_a_station_hears_nothing_until_that_boots_again():
    async with Operator() as operator:
        operator.replies["BootNotification"] = not_yet("Rejected", 1)
        async with Garage(operator):
            await is_state("rejected", "")
            asking = asyncio.create_task(operator.ask("TriggerMessage", requestedMessage="Heartbeat"))
            await operator.hears("BootNotification", 2)
            assert not asking.done()
            assert operator.all("Heartbeat") == []
            asking.cancel()


async def test_the_queue_of_an_operator_that_is_connected_and_takes_nothing_is_thinned_out(monkeypatch):
    monkeypatch.setattr(outbox, "MOST_WAITING", 10)
    async with Operator() as operator:
        operator.replies["BootNotification"] = not_yet("Pending", 86_400)
        async with Garage(operator):
            await is_state("pending", "")
            link_id = await in_database(lambda: CpoLink.objects.get().pk)
            await in_database(lambda: outbox.enqueue_many([(link_id, "MeterValues", {"connectorId": 1}, None)] * 12))
            await until(lambda: CpoMessage.objects.count() == 7)


async def test_operators_that_do_not_take_leave_hold_up_each_other_no_longer_than_one():
    async with Operator() as first, Operator() as second, Garage(first) as garage:
        await accepted()
        await garage.begin()
        await in_database(
            lambda: Station.objects.update(cpo_server=CpoServer.objects.create(name="second", url=second.url))
        )
        await until(lambda: CpoLink.objects.filter(state="accepted").count() == 2)
        for operator in (first, second):
            operator.sockets[-1].transport.pause_reading()
        tasks = [served.task for served in links._served.values()]
        ending = asyncio.create_task(links.end_relays())
        await eventually(lambda: all(task.cancelling() for task in tasks))
        assert not any(task.done() for task in tasks)
        await ending
        for operator in (first, second):
            operator.sockets[-1].transport.abort()


async def test_a_new_station_is_introduced_when_it_has_said_what_it_is(monkeypatch):
    monkeypatch.setattr(standing, "AWAITS_BOOT", timedelta(minutes=5))
    monkeypatch.setattr(relay, "backoff_s", lambda _tries, _spread: 300.0)
    async with Operator() as operator, Garage(operator) as garage:
        await is_state("connecting", "not_heard")
        await garage.boot()
        assert (await operator.hears("BootNotification"))[0]["chargePointVendor"] == "Simulated"


async def test_one_that_was_rejected_is_introduced_again_when_it_boots():
    async with Operator() as operator:
        answers = [{"status": "Rejected", "currentTime": "2026-01-01T00:00:00Z", "interval": 3600}]
        operator.replies["BootNotification"] = lambda payload: (
            answers.pop() if answers else operator.BootNotification(payload)
        )
        async with Garage(operator) as garage:
            await is_state("rejected", "")
            await garage.boot()
            await accepted()
            assert len(operator.all("BootNotification")) == 2


async def test_a_session_reaches_the_operator_in_order_with_its_own_number():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        assert (await garage.ask("Authorize", idTag="A1"))["idTagInfo"]["status"] == "Accepted"
        number = await garage.begin()
        await garage.measure(number, 9.5, 9.5, 9.5)
        await garage.end(number)
        await operator.hears("StopTransaction")
        said = [(action, payload.get("transactionId")) for _, action, payload, _ in operator.seen]
        theirs = [
            entry for entry in said if entry[0] in ("Authorize", "StartTransaction", "MeterValues", "StopTransaction")
        ]
        assert theirs == [
            ("Authorize", None),
            ("StartTransaction", None),
            ("MeterValues", 1001),
            ("StopTransaction", 1001),
        ]
        assert operator.all("StartTransaction")[0]["timestamp"] == "2026-01-05T11:00:00Z"
        assert operator.all("StopTransaction")[0]["meterStop"] == 500
        await until(lambda: not CpoMessage.objects.exists())
    assert operator.faults == []


async def test_the_operator_decides_on_badges():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        operator.replies["Authorize"] = lambda _payload: {"idTagInfo": {"status": "Blocked"}}
        operator.replies["StartTransaction"] = lambda _payload: {
            "transactionId": 7, "idTagInfo": {"status": "Blocked"},
        }  # fmt: skip
        assert (await garage.ask("Authorize", idTag="A1"))["idTagInfo"] == {"status": "Blocked"}
        start = {"connectorId": 1, "idTag": "A1", "meterStart": 0, "timestamp": "2026-01-05T10:00:00Z"}
        assert (await garage.ask("StartTransaction", **start))["idTagInfo"] == {"status": "Blocked"}
        assert not await in_database(lambda: Transaction.objects.get().is_authorised)


@pytest.mark.parametrize(("policy", "known", "unknown"), [
    ("cached", "Accepted", "Invalid"), ("deny", "Invalid", "Invalid"), ("allow", "Accepted", "Accepted"),
])  # fmt: skip
async def test_while_the_operator_is_away_its_policy_decides(policy, known, unknown):
    async with Operator() as operator, Garage(operator, policy=policy) as garage:
        await accepted()
        await garage.ask("Authorize", idTag="KNOWN")
        await operator.close()
        await until(lambda: state()[0] == "unreachable")
        assert (await garage.ask("Authorize", idTag="known"))["idTagInfo"]["status"] == known
        assert (await garage.ask("Authorize", idTag="OTHER"))["idTagInfo"]["status"] == unknown


async def test_what_happens_while_the_operator_is_away_is_told_when_it_is_back():
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        await accepted()
        await operator.close()
        await until(lambda: state()[0] == "unreachable")
        numbers = []
        for _session in range(3):
            numbers.append(await garage.begin())
            await garage.measure(numbers[-1], 9.5)
            await garage.end(numbers[-1])
        await operator.open()
        await operator.hears("StopTransaction", 3)
        said = [
            (a, p.get("transactionId")) for _, a, p, _ in operator.seen if a in ("StartTransaction", "StopTransaction")
        ]
        sessions = [[("StartTransaction", None), ("StopTransaction", number)] for number in (1001, 1002, 1003)]
        assert said == list(chain(*sessions))
        assert [payload["timestamp"][11:13] for payload in operator.all("StopTransaction")] == ["11", "12", "13"]
    assert operator.faults == []


# --- operators as they are


async def charges(garage):
    """Say whether a session goes through at the station."""
    number = await garage.begin()
    await garage.measure(number, 9.5)
    await garage.end(number)
    return await in_database(lambda: Transaction.objects.get(pk=number).energy_wh == 500)


async def test_an_operator_that_answers_with_errors_is_asked_again_then_set_aside():
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        await accepted()
        operator.replies["StartTransaction"] = refuse("InternalError")
        assert await charges(garage)
        await until(lambda: CpoMessage.objects.filter(set_aside_at=None).count() == 0)
        assert len(operator.all("StartTransaction")) == 10
        assert len({number for _, action, _, number in operator.seen if action == "StartTransaction"}) == 10
        rows = await in_database(lambda: list(CpoMessage.objects.values_list("action", flat=True)))
        assert rows == ["StartTransaction", "MeterValues", "StopTransaction"]
        del operator.replies["StartTransaction"]
        assert await charges(garage)
        assert (await operator.hears("StopTransaction"))[0]["transactionId"] == 1001


async def test_a_station_has_its_answer_though_the_connection_ends_before_the_operator_is_asked(monkeypatch):
    async with Operator() as operator:
        operator.replies["Authorize"] = lambda _payload: None
        async with Garage(operator, policy="allow") as garage:
            await accepted()
            with monkeypatch.context() as impatient:
                impatient.setattr(relay, "ANSWER_WITHIN_S", 0.05)
                await garage.ask("Authorize", idTag="A1")  # still holds up what is asked after it
            tasks = links.relay_of(garage.station_id)._tasks
            asking = asyncio.create_task(garage.ask("Authorize", idTag="B2"))
            await eventually(lambda: [task.get_coro().__name__ for task in tasks].count("_learn_of_badge") == 2)
            operator.sockets[-1].transport.abort()
            assert (await asking)["idTagInfo"]["status"] == "Accepted"
            assert "currentTime" in await garage.ask("Heartbeat")


class Flood:
    """A connection on which another request lies ready whenever one was taken."""

    def __init__(self):
        self.taken, self.refused = 0, []

    async def recv(self):
        self.taken += 1
        if self.taken > 1000:
            raise OperatorAway("nobody else had a turn")
        return f'[2,"{self.taken}","ClearCache",{{}}]'

    async def send(self, text):
        self.refused.append(text)


async def test_who_floods_the_load_manager_with_requests_leaves_the_others_their_turn(monkeypatch):
    monkeypatch.setattr(relay, "MOST_REQUESTS", 2)
    flood, flooded = Flood(), relay.Relay(None, lambda: None)
    flooded._socket = flood
    listening = asyncio.create_task(flooded._listen(flood))
    await eventually(lambda: len(flood.refused) >= 3)
    assert not listening.done()
    assert len(flood.refused) == flood.taken - 2
    assert not flooded._tasks
    listening.cancel()


@pytest.mark.parametrize("storm", ["triggered", "said"])
async def test_what_is_triggered_without_end_leaves_the_rest_its_turn(storm):
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        told = links.relay_of(garage.station_id)

        def again(_payload):
            if storm == "triggered":
                told.tell_triggered({"Heartbeat": ("Heartbeat", {})})
            else:
                told.tell("Heartbeat", "Heartbeat", {})
            return {"currentTime": "2026-01-01T00:00:00Z"}

        operator.replies["Heartbeat"] = again
        again({})
        await operator.hears("Heartbeat", 2)
        await garage.begin()
        await garage.ask("StatusNotification", connectorId=1, status="Charging", errorCode="NoError")
        await operator.hears("StartTransaction")
        await operator.until(lambda: "Charging" in [said["status"] for said in operator.all("StatusNotification")])


async def test_an_operator_that_answers_the_boot_with_an_error_is_left_and_asked_again():
    async with Operator() as operator:
        operator.replies["BootNotification"] = refuse("InternalError")
        async with Garage(operator, policy="allow") as garage:
            await is_state("unreachable", "nonsense")
            assert await charges(garage)
            await operator.hears("BootNotification", 2)
            del operator.replies["BootNotification"]
            await operator.hears("StopTransaction")


@pytest.mark.parametrize("status", [[], {}, 5, None])
async def test_a_status_that_is_no_word_is_no_status(status):
    async with Operator() as operator:
        operator.replies["BootNotification"] = lambda _payload: {"status": status}
        async with Garage(operator, policy="allow") as garage:
            await is_state("unreachable", "nonsense")
            del operator.replies["BootNotification"]
            operator.replies["Authorize"] = lambda _payload: {"idTagInfo": {"status": status}}
            await accepted()
            assert (await garage.ask("Authorize", idTag="A1"))["idTagInfo"]["status"] == "Accepted"


def refuse(code):
    def reply(_payload):
        raise Refusal(code)

    return reply


@pytest.mark.parametrize(
    "garbage", ['[3,"NUMBER",{"transactionId":"x"}]', '[3,"NUMBER",[]]', "coffee", '[3,"NUMBER"]', "[]"]
)
async def test_an_operator_that_answers_with_garbage_harms_no_station(garbage, monkeypatch):
    monkeypatch.setattr(relay, "CALL_TIMEOUT_S", 0.1)
    monkeypatch.setattr(relay, "ANSWER_WITHIN_S", 0.05)
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        await accepted()
        operator.replies["StartTransaction"] = lambda _payload: garbage
        assert await charges(garage)
        await operator.hears("StartTransaction", 2)
        del operator.replies["StartTransaction"]
        assert await charges(garage)
        await operator.hears("StopTransaction")


async def test_an_answer_after_29_s_counts_though_the_station_was_answered_before(monkeypatch):
    monkeypatch.setattr(relay, "ANSWER_WITHIN_S", 0.05)
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        await accepted()
        late = asyncio.get_running_loop().create_future()

        async def reply(_payload):
            return await late

        operator.replies["StartTransaction"] = reply
        number = await garage.begin()
        assert await in_database(lambda: Transaction.objects.get().is_authorised)
        late.set_result({"transactionId": 77, "idTagInfo": {"status": "Invalid"}})
        await until(lambda: CpoTransaction.objects.filter(cpo_id=77).exists())
        assert not await in_database(lambda: Transaction.objects.get().is_authorised)
        await garage.measure(number, 9.5)
        await eventually(lambda: garage.asked("RemoteStopTransaction"))
        assert len(operator.all("StartTransaction")) == 1


@pytest.mark.parametrize(("late", "away"), [("Accepted", "Accepted"), ("Blocked", "Invalid")])
async def test_what_is_said_of_a_badge_too_late_counts_when_it_is_held_to_the_reader_again(late, away, monkeypatch):
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        said = asyncio.get_running_loop().create_future()
        if late == "Blocked":
            await garage.ask("Authorize", idTag="A1")

        async def reply(_payload):
            return await said

        operator.replies["Authorize"] = reply
        with monkeypatch.context() as impatient:
            impatient.setattr(relay, "ANSWER_WITHIN_S", 0.05)
            await garage.ask("Authorize", idTag="A1")
        said.set_result({"idTagInfo": {"status": late}})
        await until(lambda: CpoIdTag.objects.exists() == (late == "Accepted"))
        await operator.close()
        await until(lambda: state()[0] == "unreachable")
        assert (await garage.ask("Authorize", idTag="A1"))["idTagInfo"]["status"] == away


async def test_an_operator_that_never_answers_is_left_and_asked_again_with_the_same_id(monkeypatch):
    monkeypatch.setattr(relay, "CALL_TIMEOUT_S", 0.1)
    monkeypatch.setattr(relay, "ANSWER_WITHIN_S", 0.05)
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        await accepted()
        operator.replies["StartTransaction"] = lambda _payload: None
        assert await charges(garage)
        await operator.hears("StartTransaction", 2)
        assert len({number for _, action, _, number in operator.seen if action == "StartTransaction"}) == 1
        assert await in_database(lambda: CpoMessage.objects.filter(set_aside_at=None).count()) == 3


async def test_answers_that_come_twice_and_answers_to_nothing_are_passed_over():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        twice = '[3,"NUMBER",{"transactionId":5,"idTagInfo":{"status":"Accepted"}}]'
        operator.replies["StartTransaction"] = lambda _payload: twice
        number = await garage.begin()
        await operator.sockets[-1].send(twice.replace("NUMBER", operator.seen[-1][3]))
        await operator.sockets[-1].send('[3,"never asked",{}]')
        await operator.sockets[-1].send('[4,"never asked","GenericError","",{}]')
        await garage.end(number)
        assert (await operator.hears("StopTransaction"))[0]["transactionId"] == 5
        assert len(operator.sockets) == 1


async def test_a_transaction_that_nobody_knows_is_not_stopped():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        number = await garage.begin()
        assert await operator.ask("RemoteStopTransaction", transactionId=4711) == {"status": "Rejected"}
        assert await operator.ask("RemoteStopTransaction", transactionId=number) == {"status": "Rejected"}
        assert garage.asked("RemoteStopTransaction") == []
        assert await in_database(lambda: Transaction.objects.get().stopped_at is None)
        assert await operator.ask("RemoteStopTransaction", transactionId=1001) == {"status": "Accepted"}
        assert [payload for payload, _reply in garage.asked("RemoteStopTransaction")] == [{"transactionId": number}]


async def test_an_operator_that_closes_at_once_is_tried_again():
    async with Operator() as operator, Garage(operator, policy="allow") as garage:
        operator.replies["BootNotification"] = lambda _payload: CLOSE
        await is_state("unreachable", "closed")
        assert await charges(garage)
        await operator.hears("BootNotification", 2)
        del operator.replies["BootNotification"]
        await operator.hears("StopTransaction")


async def test_an_operator_that_accepted_before_the_connection_broke_is_not_waited_for_ever_longer(monkeypatch):
    tries = []
    monkeypatch.setattr(relay, "backoff_s", lambda count, _spread: tries.append(count) or 0.02)
    async with Operator() as operator, Garage(operator):
        operator.replies["Heartbeat"] = lambda _payload: CLOSE
        await operator.hears("Heartbeat", 3)
        operator.replies["BootNotification"] = lambda _payload: CLOSE
        await eventually(lambda: len(set(tries[-3:])) == 3)
        breaks_after_boot = tries[:2]
        await links.end_relays()
    assert len(set(breaks_after_boot)) == 1
    assert tries[-3:] == sorted(tries[-3:])


@pytest.mark.parametrize("cause", ["closed", "refused"])
async def test_a_station_that_boots_is_introduced_though_the_operator_was_to_be_left_for_longer(cause, monkeypatch):
    monkeypatch.setattr(relay, "backoff_s", lambda _tries, _spread: 300.0)
    async with Operator() as operator:
        if cause == "refused":
            await operator.close()
        operator.replies["BootNotification"] = lambda _payload: CLOSE
        async with Garage(operator) as garage:
            await is_state("unreachable", cause)
            if cause == "refused":
                await operator.open()
            del operator.replies["BootNotification"]
            await garage.boot()
            await accepted()


def tls_of(folder):
    """Return the TLS of a server and its certificate."""
    key = new_key()
    certificate = server_certificate(key)
    (folder / "operator.pem").write_text(key_pem(key) + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "operator.pem")
    return context, certificate


async def test_a_wrong_certificate_is_not_trusted_and_the_right_one_is(tmp_path):
    tls, certificate = tls_of(tmp_path)
    async with Operator(tls=tls) as operator, Garage(operator, policy="allow") as garage:
        await is_state("unreachable", "certificate")
        assert await charges(garage)
        assert operator.seen == []
        await in_database(lambda: CpoServer.objects.update(ca_pem=certificate))
        await operator.hears("StopTransaction")


async def test_an_operator_that_redirects_is_not_followed_and_its_password_goes_nowhere():
    async with Operator() as elsewhere:

        def redirect(connection, _request):
            response = connection.respond(302, "")
            response.headers["Location"] = f"{elsewhere.url}/x"
            return response

        async with Operator(process_request=redirect) as operator:
            secret = {"password_sealed": await database_sync_to_async(seal)("s3cret")}
            async with Garage(operator, policy="allow", server=secret) as garage:
                await is_state("unreachable", "redirect")
                assert await charges(garage)
        assert elsewhere.headers == []


async def test_a_password_is_offered_with_the_identity_and_never_logged(caplog):
    caplog.set_level("DEBUG")
    async with Operator() as operator:
        secret = {"password_sealed": await database_sync_to_async(seal)("s3cret-key")}
        async with Garage(operator, server=secret):
            await accepted()
            assert operator.headers[0]["Authorization"] == "Basic RlIqQSAxOnMzY3JldC1rZXk="
            assert "s3cret-key" not in repr(links.terms_of(await in_database(linked)))
    own = [record.getMessage() for record in caplog.records if record.name.startswith("stations")]
    assert not any("s3cret" in message or "RlIqQSAx" in message for message in own)


def linked():
    return CpoLink.objects.select_related("server", "station").get()


@pytest.mark.parametrize(("status", "cause"), [(401, "password"), (404, "identity"), (500, "http")])
async def test_a_refused_handshake_is_named(status, cause):
    operator = Operator(process_request=lambda connection, _request: connection.respond(status, ""))
    async with operator, Garage(operator, policy="allow") as garage:
        await is_state("unreachable", cause)
        assert await charges(garage)
        await links.end_relays()  # so that none knocks while the server closes


async def test_an_operator_that_never_opens_the_connection_is_left(monkeypatch):
    monkeypatch.setattr(relay, "OPEN_TIMEOUT_S", 0.1)
    never = asyncio.get_running_loop().create_future()

    async def stay_silent(_connection, _request):
        await never

    async with Operator(process_request=stay_silent) as operator, Garage(operator, policy="allow") as garage:
        await is_state("unreachable", "timeout")
        assert await charges(garage)
        await links.end_relays()
        never.cancel()


async def test_an_address_where_nobody_listens_is_named():
    operator = Operator()
    await operator.open()
    await operator.close()
    async with Garage(operator):
        await is_state("unreachable", "refused")


async def test_text_that_is_no_ocpp_leaves_the_connection_open():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        for text in ("coffee", "[]", "[9,1,2]", '{"a":1}'):
            await operator.sockets[-1].send(text)
        assert await operator.ask("MakeCoffee") == ("NotImplemented", "'MakeCoffee' is not done for an operator")
        assert await charges(garage)
        assert len(operator.sockets) == 1


# --- switching


async def test_switching_off_takes_hold_at_the_next_transaction():
    async with Operator() as operator, Garage(operator) as garage:
        await accepted()
        number = await garage.begin()
        await in_database(lambda: Station.objects.update(is_cpo_enabled=False))
        await eventually(lambda: links.relay_of(garage.station_id) is None)
        await garage.measure(number, 9.5)
        await garage.end(number)
        assert (await operator.hears("StopTransaction"))[0]["transactionId"] == 1001
        assert len(operator.all("MeterValues")) == 1
        await eventually(lambda: not links.relays_of(garage.station_id))
        await garage.begin()
        assert len(operator.all("StartTransaction")) == 1


async def test_a_running_transaction_ends_at_the_operator_it_began_with():
    async with Operator() as first, Operator() as second, Garage(first, connectors=2) as garage:
        await accepted()
        number = await garage.begin()

        def switch():
            Station.objects.update(cpo_server=CpoServer.objects.create(name="second", url=second.url))

        await in_database(switch)
        await second.hears("BootNotification")
        await until(lambda: CpoLink.objects.filter(state="accepted").count() == 2)
        other = await garage.begin(2)
        await garage.end(number)
        await garage.end(other, 2)
        await first.hears("StopTransaction")
        await second.hears("StopTransaction")
        assert len(first.all("StartTransaction")) == len(second.all("StartTransaction")) == 1
        await in_database(lambda: None)
    assert first.faults == second.faults == []


async def test_the_first_edition_has_no_operators(settings):
    settings.EDITION = "XEM510"
    async with Operator() as operator, Garage(operator) as garage:
        assert await charges(garage)
        assert not await in_database(CpoLink.objects.exists)
        assert operator.seen == []
