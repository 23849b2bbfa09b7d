"""What waits for an operator: in order, once, with the operator's numbers, whatever breaks in between."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from stations.cpo import outbox, telling
from stations.cpo.policy import MOST_REFUSALS
from stations.metering import record_meter_values
from stations.models import (
    Connector,
    CpoIdTag,
    CpoLink,
    CpoMessage,
    CpoServer,
    CpoTransaction,
    Station,
    Transaction,
)
from stations.ocpp16.normalise import read_meter_values, read_start, read_stop
from stations.transactions import start_transaction, stop_transaction

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
TRANSACTIONAL = ("StartTransaction", "MeterValues", "StopTransaction")


def at(minute):
    return (T0 + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def station_with_operator():
    server = CpoServer.objects.create(name="op", url="ws://op.example", offline_policy="allow")
    station = Station.objects.create(identity="CP1", state="configured", cpo_server=server, is_cpo_enabled=True)
    for number in (1, 2):
        Connector.objects.create(station=station, number=number)
    link = outbox.current_link(station)
    CpoLink.objects.update(web_id="web", settings={"MeterValueSampleInterval": "1"})
    return station, link


def begin(station, minute, connector=1):
    raw = {"connectorId": connector, "idTag": "A1", "meterStart": minute, "timestamp": at(minute)}
    start = read_start(raw, timezone.now())
    return start_transaction(station_id=station.pk, start=start, raw=raw)[0].pk


def measure(station, number, minute, connector=1):
    sampled = [{"timestamp": at(minute), "sampledValue": [{"value": str(minute)}]}]
    raw = {"connectorId": connector, "transactionId": number, "meterValue": sampled}
    values = read_meter_values(raw, timezone.now())
    record_meter_values(reports=[(station.pk, type(values)(values.connector, number, values.samples, raw))])


def end(station, number, minute, **more):
    raw = {"transactionId": number, "meterStop": minute, "timestamp": at(minute), **more}
    stop_transaction(station_id=station.pk, stop=read_stop(raw, timezone.now()), raw=raw)


def now_due(link):
    """Let a pause be over, and return what is to be sent."""
    CpoMessage.objects.update(next_try_at=None)
    return outbox.next_message(link_id=link.pk, web_id="web")[0]


class OutboxLife(RuleBasedStateMachine):
    """Stations speak, messages are sent, answers come, are refused, or are lost; people put back what was set aside.

    `happened` is what an operator should have heard in the end, in order; `heard` what it took in.
    """

    @initialize()
    def begin_life(self):
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        telling._last_told.clear()  # the numbers of transactions come again
        self.station, self.link = station_with_operator()
        self.minute, self.cpo_id, self.lost = 0, 100, None
        self.open, self.happened, self.heard, self.numbers, self.ids = {}, [], [], {}, set()

    def teardown(self):
        if not hasattr(self, "atomic"):
            return
        try:
            while now_due(self.link) is not None:
                self.answer_comes()
            assert self.heard == self.happened
            assert not CpoMessage.objects.filter(set_aside_at=None).exists()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def tick(self):
        self.minute += 1
        return self.minute

    @rule(connector=st.sampled_from([1, 2]))
    def a_transaction_begins(self, connector):
        if connector not in self.open:
            self.open[connector] = begin(self.station, self.tick(), connector)
            self.happened.append(("StartTransaction", self.open[connector], self.minute))

    @rule(connector=st.sampled_from([1, 2]))
    def a_stop_is_never_heard(self, connector):
        if connector in self.open:
            lost, minute = self.open[connector], self.tick()
            self.open[connector] = begin(self.station, minute, connector)
            self.happened.append(("StopTransaction", lost, minute))
            self.happened.append(("StartTransaction", self.open[connector], minute))

    @rule(connector=st.sampled_from([1, 2]))
    def a_station_measures(self, connector):
        if connector in self.open:
            measure(self.station, self.open[connector], self.tick(), connector)
            self.happened.append(("MeterValues", self.open[connector], self.minute))

    @rule(connector=st.sampled_from([1, 2]), repeats=st.integers(1, 2))
    def a_transaction_ends(self, connector, repeats):
        if connector in self.open:
            number = self.open.pop(connector)
            minute = self.tick()
            for _repeat in range(repeats):
                end(self.station, number, minute)
            self.happened.append(("StopTransaction", number, minute))

    @rule()
    def answer_comes(self):
        message = now_due(self.link)
        if message is not None:
            self.hear(message)
            outbox.settle_message(message_id=message.pk, answer=self.answer_to(message))

    @rule()
    def the_answer_is_lost(self):
        message = now_due(self.link)
        if message is not None and message.pk != self.lost:
            self.hear(message)
            self.lost = message.pk
            outbox.note_loss(message_id=message.pk, why="gone")

    @rule()
    def it_is_refused(self):
        message = now_due(self.link)
        is_last_try = message is not None and message.tries + 1 == MOST_REFUSALS
        if message is not None and message.pk != self.lost and not is_last_try:
            outbox.note_refusal(message_id=message.pk, code="InternalError", why="")
            again = now_due(self.link)
            assert again.pk == message.pk
            assert again.message_id != message.message_id

    @rule()
    def another_process_asks(self):
        assert outbox.next_message(link_id=self.link.pk, web_id="other") == (None, None)

    def answer_to(self, message):
        if message.action != "StartTransaction":
            return {}
        return {"transactionId": self.numbers[message.transaction_id], "idTagInfo": {"status": "Accepted"}}

    def hear(self, message):
        """Take a message in as an operator does: one that comes again, with its id, is known."""
        if message.message_id in self.ids:
            assert message.pk == self.lost
            return
        self.ids.add(message.message_id)
        payload = message.payload
        if message.action == "StartTransaction":
            self.cpo_id += 1
            self.numbers[message.transaction_id] = self.cpo_id
        else:
            assert payload["transactionId"] == self.numbers[message.transaction_id]
        written = payload.get("timestamp") or payload["meterValue"][0]["timestamp"]
        minute = int((datetime.fromisoformat(written) - T0).total_seconds() // 60)
        self.heard.append((message.action, message.transaction_id, minute))


def test_an_operator_hears_everything_once_and_in_order_whatever_is_refused_or_lost():
    run_state_machine_as_test(
        OutboxLife,
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_what_needs_the_number_of_a_start_that_was_set_aside_is_set_aside_with_it_and_comes_back_with_it():
    station, link = station_with_operator()
    stuck = begin(station, 1)
    measure(station, stuck, 2)
    other = begin(station, 3, 2)
    for _try in range(3):
        outbox.note_refusal(message_id=now_due(link).pk, code="PropertyConstraintViolation", why="no")
    end(station, stuck, 4)
    assert now_due(link).transaction_id == other
    aside = CpoMessage.objects.exclude(set_aside_at=None)
    assert list(aside.values_list("action", flat=True)) == list(TRANSACTIONAL)
    assert outbox.retry(message_ids=[aside.last().pk]) == 3
    assert now_due(link).transaction_id == stuck


def test_however_much_waits_behind_a_start_that_was_set_aside_the_others_pass(django_assert_max_num_queries):
    station, link = station_with_operator()
    stuck = begin(station, 1)
    for _try in range(3):
        outbox.note_refusal(message_id=now_due(link).pk, code="PropertyConstraintViolation", why="no")
    values = {"connectorId": 1, "transactionId": stuck, "meterValue": []}
    outbox.enqueue_many([(link.pk, "MeterValues", values, stuck)] * 1100)
    other = begin(station, 3, 2)
    with django_assert_max_num_queries(6):
        assert now_due(link).transaction_id == other
    assert CpoMessage.objects.exclude(set_aside_at=None).count() == 1101


def test_while_a_message_waits_for_its_next_try_those_behind_it_wait_too():
    station, link = station_with_operator()
    begin(station, 1)
    begin(station, 2, 2)
    first = now_due(link)
    outbox.note_refusal(message_id=first.pk, code="InternalError", why="busy")
    message, again_at = outbox.next_message(link_id=link.pk, web_id="web")
    assert message is None
    assert again_at == CpoMessage.objects.get(pk=first.pk).next_try_at


@pytest.mark.parametrize("code", ["OccurenceConstraintViolation", "OccurrenceConstraintViolation", "FormatViolation"])
def test_what_will_not_get_better_is_set_aside_early_however_that_is_spelled(code):
    station, link = station_with_operator()
    begin(station, 1)
    for _try in range(3):
        outbox.note_refusal(message_id=now_due(link).pk, code=code, why="no")
    assert CpoMessage.objects.get().set_aside_at is not None


def test_an_answer_without_a_number_is_a_refusal():
    station, link = station_with_operator()
    begin(station, 1)
    for answer in ({}, {"transactionId": True, "idTagInfo": {"status": "Accepted"}}, {"transactionId": 4}):
        assert not outbox.settle_message(message_id=now_due(link).pk, answer=answer)
    assert CpoMessage.objects.get().refusals == 3
    assert CpoTransaction.objects.get().cpo_id is None


def test_what_is_said_of_a_badge_when_it_starts_and_stops_counts_while_the_operator_is_away():
    station, link = station_with_operator()
    number = begin(station, 1)
    start = now_due(link)
    outbox.settle_message(message_id=start.pk, answer={"transactionId": 4, "idTagInfo": {"status": "Accepted"}})
    assert CpoIdTag.objects.get().id_tag == "A1"
    end(station, number, 2, idTag="A1")
    outbox.settle_message(message_id=now_due(link).pk, answer={"idTagInfo": {"status": "Blocked"}})
    assert not CpoIdTag.objects.exists()


def ends_told():
    """The ends that wait for an operator: transaction, meter, minute."""
    rows = CpoMessage.objects.filter(action="StopTransaction").order_by("pk").values_list("transaction", "payload")
    told = [(number, orjson.loads(payload)) for number, payload in rows]
    return [(number, said["meterStop"], said["timestamp"][11:16]) for number, said in told]


def answer_all(link):
    """Let an operator take in what is due; returns the actions with their transactions."""
    heard = []
    while (message := now_due(link)) is not None:
        heard.append((message.action, message.transaction_id))
        said = {"transactionId": message.transaction_id, "idTagInfo": {"status": "Accepted"}}
        outbox.settle_message(message_id=message.pk, answer=said)
    return heard


def test_an_end_that_was_not_heard_is_told_before_the_next_start():
    station, link = station_with_operator()
    lost = begin(station, 5)
    following = begin(station, 9)
    assert ends_told() == [(lost, 9, "10:09")]
    assert answer_all(link) == [("StartTransaction", lost), ("StopTransaction", lost), ("StartTransaction", following)]


def test_an_end_that_comes_late_replaces_what_was_supposed_of_it_while_that_waits():
    station, link = station_with_operator()
    lost = begin(station, 5)
    begin(station, 9)
    end(station, lost, 7)
    assert ends_told() == [(lost, 7, "10:07")]
    assert [action for action, number in answer_all(link) if number == lost] == ["StartTransaction", "StopTransaction"]


def test_an_end_that_comes_after_the_operator_heard_of_it_is_not_told_twice():
    station, link = station_with_operator()
    lost = begin(station, 5)
    begin(station, 9)
    answer_all(link)
    end(station, lost, 7)
    assert ends_told() == []
    assert Transaction.objects.get(pk=lost).meter_stop_wh == 7


def test_an_end_that_comes_while_the_operator_may_have_heard_what_was_supposed_is_told_with_an_id_of_its_own():
    station, link = station_with_operator()
    lost = begin(station, 5)
    begin(station, 9)
    outbox.settle_message(message_id=now_due(link).pk, answer={"transactionId": 4, "idTagInfo": {"status": "Accepted"}})
    supposed = now_due(link)
    outbox.note_loss(message_id=supposed.pk, why="gone")
    assert now_due(link) == supposed
    end(station, lost, 7)
    heard = now_due(link)
    assert (supposed.payload["meterStop"], heard.payload["meterStop"]) == (9, 7)
    assert heard.message_id != supposed.message_id
    outbox.note_loss(message_id=heard.pk, why="gone")
    end(station, lost, 7)
    assert now_due(link) == heard


def test_the_end_of_a_transaction_that_was_kept_while_offline_is_waited_for_and_told_after_its_values():
    station, link = station_with_operator()
    running = begin(station, 30)
    kept = begin(station, 5)
    assert outbox.next_message(link_id=link.pk, web_id="web")[0].transaction_id == running
    measure(station, kept, 6)
    end(station, kept, 7)
    assert ends_told() == [(kept, 7, "10:07")]
    assert answer_all(link) == [("StartTransaction", running), *((action, kept) for action in TRANSACTIONAL)]


def test_the_end_of_a_kept_transaction_that_never_comes_is_told_as_supposed_and_holds_up_nobody():
    station, link = station_with_operator()
    running = begin(station, 30)
    kept = begin(station, 5)
    for number in (running, kept):
        message, _later = outbox.next_message(link_id=link.pk, web_id="web")
        assert (message.action, message.transaction_id) == ("StartTransaction", number)
        said = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        outbox.settle_message(message_id=message.pk, answer=said)
    assert outbox.next_message(link_id=link.pk, web_id="web") == (None, None)
    measure(station, running, 31)
    assert outbox.next_message(link_id=link.pk, web_id="web")[0].action == "MeterValues"
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=1), tick=False):
        message, _later = outbox.next_message(link_id=link.pk, web_id="web")
    assert (message.action, message.payload["transactionId"], message.payload["reason"]) == (
        "StopTransaction",
        kept,
        "Other",
    )


def test_a_refusal_of_what_was_thinned_out_meanwhile_changes_nothing():
    station, link = station_with_operator()
    begin(station, 5)
    message = now_due(link)
    CpoMessage.objects.all().delete()
    outbox.note_refusal(message_id=message.pk, code="InternalError", why="no")
    assert not CpoMessage.objects.exists()


def test_a_full_queue_is_thinned_and_starts_and_stops_stay(monkeypatch):
    monkeypatch.setattr(outbox, "MOST_WAITING", 10)
    station, link = station_with_operator()
    number = begin(station, 0)
    for minute in range(1, 12):
        measure(station, number, minute)
    end(station, number, 12)
    assert outbox.thin_out(link_id=link.pk) == 5
    left = CpoMessage.objects.values_list("action", "payload")
    assert [action for action, _payload in left if action != "MeterValues"] == ["StartTransaction", "StopTransaction"]
    minutes = [orjson.loads(p)["meterValue"][0]["sampledValue"][0]["value"] for a, p in left if a == "MeterValues"]
    assert minutes == ["1", "3", "5", "7", "9", "11"]
    assert outbox.thin_out(link_id=link.pk) == 0


def test_periodic_values_are_told_as_often_as_the_operator_wants():
    station, _link = station_with_operator()
    CpoLink.objects.update(settings={"MeterValueSampleInterval": "120"})
    number = begin(station, 0)
    for minute in range(1, 6):
        measure(station, number, minute)
    assert CpoMessage.objects.filter(action="MeterValues").count() == 3


def test_a_transaction_that_began_without_an_operator_is_none_of_its_business():
    station, _link = station_with_operator()
    Station.objects.update(is_cpo_enabled=False)
    number = begin(Station.objects.get(), 1)
    Station.objects.update(is_cpo_enabled=True)
    measure(station, number, 2)
    end(station, number, 3)
    assert not CpoMessage.objects.exists()
    assert Transaction.objects.get().energy_wh == 2


def test_many_reports_cost_one_look_and_one_insert(django_assert_num_queries):
    station, _link = station_with_operator()
    number = begin(station, 0)
    reports = []
    for minute in range(1, 6):
        sampled = [{"timestamp": at(minute), "sampledValue": [{"value": str(minute)}]}]
        raw = {"connectorId": 1, "transactionId": number, "meterValue": sampled}
        values = read_meter_values(raw, timezone.now())
        reports.append((station.pk, type(values)(1, number, values.samples, raw)))
    with django_assert_num_queries(6):
        record_meter_values(reports=reports)
    plain = [(pk, type(values)(1, number, values.samples)) for pk, values in reports]
    with django_assert_num_queries(4):
        record_meter_values(reports=plain)
