"""Whatever a station sends: nothing crashes, and what can be read of a transaction is kept (`make bench-fuzz`: all)."""

import contextlib
import itertools
import json
from datetime import UTC, datetime

import pytest
from channels.db import database_sync_to_async
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.models import MeterValue, Transaction
from stations.ocpp16 import frames, normalise
from stations.ocpp16.charge_point import HANDLERS
from tests.stations.hostile import KEPT_ACTIONS, ODD, RECORDED, Hostile, promised
from tests.stations.test_consumer import Line

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAVY = ("1 MiB", "many samples", "deep")
READERS = {
    "StartTransaction": normalise.read_start,
    "StopTransaction": normalise.read_stop,
    "MeterValues": normalise.read_meter_values,
}

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(ODD)
odd = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def respelled(recorded):
    """Recorded payloads in which any field may be anything, at any depth."""
    if isinstance(recorded, dict):
        return odd | st.fixed_dictionaries({}, optional={key: respelled(value) for key, value in recorded.items()})
    if isinstance(recorded, list) and recorded:
        return odd | st.lists(respelled(recorded[0]), max_size=3)
    return st.just(recorded) | odd


payloads = st.one_of(
    [
        st.tuples(st.just(action), st.fixed_dictionaries({key: respelled(value) for key, value in recorded.items()}))
        for action, recorded in RECORDED
        if action in KEPT_ACTIONS
    ]
)


def keep(action, payload):
    """Read a payload and write it as the database gets it."""
    READERS[action](payload, NOW)
    for portion in normalise.portions(payload):
        for sample in normalise.read_meter_values(portion, NOW).samples:
            assert sample.energy_wh is None or 0 <= sample.energy_wh < 2**63
            assert all(current is None or 0 <= current <= 1000 for current in sample.currents_a)
    kept = normalise.keepable(payload)
    written = json.dumps(kept, allow_nan=False)
    assert "\\u0000" not in written
    assert len(written) <= normalise.MOST_KEPT


@settings(max_examples=300, deadline=None)
@given(payloads)
def test_a_call_of_a_transaction_is_read_whatever_its_fields_are(call):
    action, payload = call
    found = frames.parse(json.dumps([2, "7", action, payload]))
    assert isinstance(found, frames.Call)
    keep(action, found.payload)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_and_any_bytes_are_read_or_unreadable(content):
    with contextlib.suppress(frames.UnreadableFrame):
        frames.parse(content)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_promised_is_read_and_nothing_crashes(seed):
    for frame in itertools.islice(Hostile(seed), 1000):
        promise = promised(frame.text)
        try:
            found = frames.parse(frame.text)
        except frames.UnreadableFrame:
            assert promise is None, frame
            continue
        if promise is not None:
            assert (found.action, found.message_id) == (promise.action, promise.message_id)
            keep(promise.action, found.payload)


def light(seed, count):
    """Frames that a test of seconds can send."""
    return itertools.islice((frame for frame in Hostile(seed) if frame.kind not in HEAVY), count)


@database_sync_to_async
def kept():
    return set(Transaction.objects.values_list("pk", flat=True)), MeterValue.objects.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_socket_answers_all_that_is_promised_and_stays(seed):
    async with Line("/ocpp/CP1") as line:
        started = set()
        for frame in light(seed, 400):
            if frame.kind == "reused id":
                continue
            part = "bytes" if isinstance(frame.content, bytes) else "text"
            content = frame.content if part == "bytes" else frame.text
            await line.socket.send_input({"type": "websocket.receive", part: content})
            promise = promised(frame.text)
            while promise is not None and (heard := await line.hear())[1] != promise.message_id:
                assert heard[0] != 2 or heard[2] in HANDLERS or heard[2] == "RemoteStopTransaction"
            if promise is not None:
                assert heard[0] == 3, (frame, heard)
                started |= {heard[2]["transactionId"]} if promise.action == "StartTransaction" else set()
        assert "currentTime" in await line.ask("Heartbeat")
    transactions, samples = await kept()
    assert started <= transactions
    assert samples
