"""OCPP-J frames."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16 import frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)


def test_a_call_is_read():
    assert frames.parse('[2,"7","Heartbeat",{}]') == frames.Call("7", "Heartbeat", {})


def test_an_answer_is_read():
    assert frames.parse('[3,"7",{"status":"Accepted"}]') == frames.CallResult("7", {"status": "Accepted"})


def test_an_error_is_read_even_when_it_is_short():
    assert frames.parse('[4,"7","GenericError"]') == frames.CallError("7", "GenericError", "")


@pytest.mark.parametrize("text", ['[2,7,"Heartbeat",{}]', '[2,"7","Heartbeat"]', '[2,"7","Heartbeat",null]'])
def test_a_number_as_id_and_a_missing_payload_are_forgiven(text):
    assert frames.parse(text) == frames.Call("7", "Heartbeat", {})


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ("boom", None),
        ("{}", None),
        ("[2]", None),
        ('[2,null,"Heartbeat",{}]', None),
        ('[2,"7",3,{}]', "7"),
        ('[2,"7","Heartbeat",[]]', "7"),
        ('[9,"7","Heartbeat",{}]', "7"),
    ],
)
def test_what_is_no_frame_says_so_and_names_the_id_where_there_is_one(text, message_id):
    with pytest.raises(frames.UnreadableFrame) as error:
        frames.parse(text)
    assert error.value.message_id == message_id
    assert error.value.code == "FormationViolation"


@given(JSON)
def test_nothing_but_an_unreadable_frame_is_ever_raised(document):
    with contextlib.suppress(frames.UnreadableFrame):
        frames.parse(json.dumps(document))


@given(st.text(min_size=1, max_size=36), st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_what_is_written_is_read_back(message_id, payload):
    assert frames.parse(frames.call(message_id, "DataTransfer", payload)) == frames.Call(
        message_id, "DataTransfer", payload
    )
    assert frames.parse(frames.call_result(message_id, payload)) == frames.CallResult(message_id, payload)


def test_a_long_description_is_cut_to_what_the_standard_allows():
    assert len(json.loads(frames.call_error("1", "GenericError", "x" * 300))[3]) == 255


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"a\tb\x01"', "a\tb\x01"),
        ("NaN", None),
        ("-Infinity", None),
        ("1e999", None),
        ("9" * 400, None),
        ("9" * 30, 1e30),
        ('"\\ud800x"', "?x"),
        ("12", 12),
    ],
)
def test_what_only_a_strict_reader_refuses_is_read(written, read):
    found = frames.parse(f'[2,"7","StartTransaction",{{"value": {written}, "tab": "\t"}}]')
    assert found == frames.Call("7", "StartTransaction", {"value": read, "tab": "\t"})


def test_a_binary_frame_with_other_letters_is_read():
    assert frames.parse(b'[2,"7","A",{"idTag":"B\xf6rse"}]') == frames.Call("7", "A", {"idTag": "B\ufffdrse"})


@pytest.mark.parametrize("levels", [900, 1100, 100_000])
@pytest.mark.parametrize("frame", ['[2,"7","A",{{"a":{}}}]', "[{},7]", '[4,"7",{}]', '[3,"7",{}]', "{}", "[2,\t{}]"])
def test_however_deep_a_frame_is_it_is_read_or_unreadable(levels, frame):
    with contextlib.suppress(frames.UnreadableFrame):
        frames.parse(frame.format("[" * levels + "]" * levels))


def test_an_error_is_kept_in_short_and_without_nul():
    assert frames.parse(json.dumps([4, "7", "Generic\0Error", "x" * 5000])) == frames.CallError(
        "7", "GenericError", "x" * 255
    )
    assert frames.parse('[4,"7",{"a":1},[1]]') == frames.CallError("7", "", "")
