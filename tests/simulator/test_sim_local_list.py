"""A simulated station's list of badges: taken by the letter of the standard, and what it decides with nobody to ask."""

import asyncio

import pytest

from simulator import Car, Station
from simulator.answers import answer


def line(badge, status="Accepted", **info):
    return {"idTag": badge, "idTagInfo": {"status": status, **info}}


@pytest.fixture
def station():
    return Station("CP1", "ws://unused")


def send(station, version, kind, *lines):
    payload = {"listVersion": version, "updateType": kind, "localAuthorizationList": list(lines)}
    return answer(station, "SendLocalList", payload)["status"]


def version(station):
    return answer(station, "GetLocalListVersion", {})["listVersion"]


def test_the_list_is_taken_whole_and_as_changes(station):
    assert version(station) == 0
    assert send(station, 3, "Full", line("A"), line("B", "Blocked")) == "Accepted"
    assert send(station, 4, "Differential", line("C"), {"idTag": "a"}) == "Accepted"
    assert version(station) == 4
    assert {badge: entry.status for badge, entry in station.local_list.entries.items()} == {
        "B": "Blocked",
        "C": "Accepted",
    }


def test_a_difference_needs_a_higher_version(station):
    assert send(station, 3, "Full", line("A")) == "Accepted"
    assert send(station, 3, "Differential", line("B")) == "VersionMismatch"
    assert version(station) == 3


def test_what_does_not_fit_changes_nothing(station):
    station.configuration.put("LocalAuthListMaxLength", "2")
    station.configuration.put("SendLocalListMaxLength", "2")
    assert send(station, 1, "Full", line("A"), line("B")) == "Accepted"
    assert send(station, 2, "Differential", line("C")) == "Failed"
    assert send(station, 2, "Full", line("A"), line("B"), line("C")) == "Failed"
    assert send(station, 2, "Full", line("A"), line("a")) == "Failed"
    assert set(station.local_list.entries) == {"A", "B"}


def test_a_list_that_is_switched_off_is_not_supported(station):
    station.configuration.put("LocalAuthListEnabled", "false")
    assert send(station, 1, "Full", line("A")) == "NotSupported"
    assert version(station) == -1


def test_an_entry_ends_with_its_expiry(station):
    send(station, 1, "Full", line("A", expiryDate="2026-01-02T00:00:00Z"))
    assert station.local_list.status("A", 1767311999) == "Accepted"
    assert station.local_list.status("A", 1767312000) == "Expired"


@pytest.mark.parametrize(
    ("keys", "who"),
    [
        ({}, ["KNOWN", "STRANGER"]),
        ({"AllowOfflineTxForUnknownId": "false"}, ["KNOWN"]),
        ({"AllowOfflineTxForUnknownId": "false", "LocalAuthorizeOffline": "false"}, []),
        ({"AllowOfflineTxForUnknownId": "false", "LocalAuthListEnabled": "false"}, []),
    ],
)
async def test_with_nobody_to_ask_the_list_decides(keys, who):
    station = Station("CP1", "ws://127.0.0.1:9/nobody", connectors=3, backoff_s=(60, 60))
    send(station, 1, "Full", line("KNOWN"), line("BLOCKED", "Blocked"))
    for name, value in keys.items():
        station.configuration.put(name, value)
    station.start()
    badges = ["KNOWN", "STRANGER", "BLOCKED"]
    for number, badge in enumerate(badges, 1):
        station.plug(Car(), connector_id=number, id_tag=badge)
    for _ in range(5):
        await asyncio.sleep(0)
    begun = [badge for number, badge in enumerate(badges, 1) if station.connectors[number].transaction]
    await station.stop()
    assert begun == who
