"""Amperes become charging profiles."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16 import schemas
from stations.ocpp16.frames import OcppError
from stations.ocpp16.profiles import Purpose, charging_profile

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def request(**arguments):
    return {"connectorId": 1, "csChargingProfiles": charging_profile(now=NOW, **arguments)}


@given(st.floats(0, 80), st.sampled_from(Purpose), st.sampled_from("AW"))
def test_every_limit_validates_against_the_schema_and_never_exceeds_what_was_decided(limit_a, purpose, unit):
    payload = request(purpose=purpose, limit_a=limit_a, transaction_id=7, unit=unit)
    schemas.check("SetChargingProfile", payload)
    sent = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
    assert sent <= limit_a * (690 if unit == "W" else 1) + 1e-4


def test_a_tenth_stays_a_tenth():
    for tenth in range(0, 800):
        profile = charging_profile(purpose=Purpose.DEFAULT, limit_a=tenth / 10, now=NOW)
        assert profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == tenth / 10


def test_a_slow_station_clock_finds_the_schedule_begun():
    profile = charging_profile(purpose=Purpose.DEFAULT, limit_a=6, now=NOW)
    assert profile["chargingSchedule"]["startSchedule"] == "2026-11-22T11:00:00Z"


def test_power_names_its_phases_because_three_would_be_assumed():
    profile = charging_profile(purpose=Purpose.DEFAULT, limit_a=10, now=NOW, unit="W", phases=1)
    (period,) = profile["chargingSchedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 2300, "numberPhases": 1}


def test_what_breaks_the_schema_is_not_sent():
    with pytest.raises(OcppError, match="SetChargingProfile"):
        schemas.check("SetChargingProfile", {"connectorId": 1})
    with pytest.raises(OcppError, match="no MakeCoffee"):
        schemas.check("MakeCoffee", {})
