"""What does not fit the schemas is understood, and logged once."""

import logging

import pytest

from stations.ocpp16 import complaints

ODD = {"connectorId": 1, "status": "Parking", "errorCode": "NoError", "vendorExtra": 1}


@pytest.fixture(autouse=True)
def logged(monkeypatch, caplog):
    """Begin with nothing known; returns the lines of the log."""
    monkeypatch.setattr(complaints, "_known", {})
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def note(payload, station_id=1, action="StatusNotification"):
    complaints.note(station_id, f"CP{station_id}", action, payload)


def test_what_fits_is_not_mentioned(logged):
    note({"connectorId": 1, "status": "Available", "errorCode": "NoError"})
    assert logged() == []


def test_an_unknown_enum_and_an_extra_key_are_logged_once_each_however_often_they_come(logged):
    for _ in range(5):
        note(ODD)
    assert len(logged()) == 2
    assert any("Parking" in line for line in logged())
    assert any("vendorExtra" in line for line in logged())


def test_a_string_longer_than_the_schema_is_logged_once_and_not_whole(logged):
    for length in (30, 100_000):
        note({"idTag": "x" * length}, action="Authorize")
    (line,) = logged()
    assert len(line) < 400


def test_another_station_is_logged_for_itself(logged):
    note(ODD, 1)
    note(ODD, 2)
    assert len(logged()) == 4


def test_something_new_is_still_noticed(logged):
    for _ in range(3):
        note(ODD)
    note({**ODD, "info": "y" * 99})
    assert len(logged()) == 3


def test_a_station_that_never_fits_is_not_looked_at_for_ever(monkeypatch):
    for _ in range(complaints.LOOKS + 1):
        note(ODD)
    monkeypatch.setattr(complaints.schemas, "fits", lambda *_: pytest.fail("looked at again"))
    note(ODD)


def test_what_is_remembered_of_a_station_has_an_end():
    for number in range(500):
        note({f"key{number}": number, "meterValue": number}, action="MeterValues")
    (known,) = complaints._known.values()
    assert len(known.kinds) <= complaints.MOST_KINDS


@pytest.mark.parametrize("payload", [{"idTag": [[[]]] * 50}, {"idTag": {"a": None}}, {}, {"": "\0"}])
def test_nothing_it_looks_at_raises(payload):
    note(payload, action="Authorize")


def test_an_action_without_a_schema_fits(logged):
    note({}, action="MakeCoffee")
    assert logged() == []
