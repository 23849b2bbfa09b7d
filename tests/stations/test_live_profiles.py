"""Amperes become charging profiles."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16 import schemas
from stations.ocpp16.frames import OcppError
from stations.ocpp16.profiles import Purpose, Rung, charging_profile, live_profile_id, standing_profile_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def profile(purpose=Purpose.DEFAULT, unit="A", kind="Absolute", **arguments):
    rung = Rung(purpose, unit, kind, 0)
    return charging_profile(rung=rung, **{"profile_id": 1, "now": NOW, "transaction_id": 7, **arguments})


@given(st.floats(0, 80), st.sampled_from(Purpose), st.sampled_from("AW"), st.sampled_from(["Absolute", "Relative"]))
def test_every_limit_validates_against_the_schema_and_never_exceeds_what_was_decided(limit_a, purpose, unit, kind):
    payload = {"connectorId": 1, "csChargingProfiles": profile(purpose, unit, kind, limit_a=limit_a)}
    schemas.check("SetChargingProfile", payload)
    sent = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
    assert sent <= limit_a * (690 if unit == "W" else 1) + 1e-4


def test_a_tenth_stays_a_tenth():
    for tenth in range(0, 800):
        made = profile(limit_a=tenth / 10)
        assert made["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == tenth / 10


def test_a_slow_station_clock_finds_the_schedule_begun():
    assert profile(limit_a=6)["chargingSchedule"]["startSchedule"] == "2026-11-22T11:00:00Z"


def test_a_relative_schedule_begins_with_the_transaction_and_names_no_time():
    assert "startSchedule" not in profile(kind="Relative", limit_a=6)["chargingSchedule"]


def test_power_names_its_phases_because_three_would_be_assumed():
    (period,) = profile(unit="W", limit_a=10, phases=1)["chargingSchedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 2300, "numberPhases": 1}


def test_only_a_transaction_profile_names_its_transaction():
    assert profile(Purpose.TRANSACTION, limit_a=6)["transactionId"] == 7
    assert "transactionId" not in profile(Purpose.DEFAULT, limit_a=6)


def test_no_two_profiles_of_a_station_share_a_number():
    numbers = [number_of(connector) for connector in (1, 2, 3) for number_of in (standing_profile_id, live_profile_id)]
    assert len(set(numbers)) == len(numbers)


def test_what_breaks_the_schema_is_not_sent():
    with pytest.raises(OcppError, match="SetChargingProfile"):
        schemas.check("SetChargingProfile", {"connectorId": 1})
    with pytest.raises(OcppError, match="no MakeCoffee"):
        schemas.check("MakeCoffee", {})
