"""Amperes → charging profile (OCPP 1.6 §3.13, §7.8–7.14); pure."""

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

NOMINAL_V = 230
CLOCK_TOLERANCE = timedelta(hours=1)


class Purpose(StrEnum):
    """ChargingProfilePurposeType (§7.11)."""

    STATION = "ChargePointMaxProfile"
    DEFAULT = "TxDefaultProfile"
    TRANSACTION = "TxProfile"


class Rung(NamedTuple):
    """One form a limit can be given in; `unit` is A or W, `kind` a ChargingProfileKindType (§7.10)."""

    purpose: Purpose
    unit: str
    kind: str
    stack_level: int


def standing_profile_id(number: int) -> int:
    """Number the standing profile of a connector: an id is unique in a station, not on a connector (§7.8)."""
    return 2 * number - 1


def live_profile_id(number: int) -> int:
    """Number the profile that carries a connector's live limit."""
    return 2 * number


def charging_profile(
    *,
    rung: Rung,
    profile_id: int,
    limit_a: float,
    now: datetime,
    transaction_id: int | None = None,
    phases: int = 3,
    duration_s: float | None = None,
) -> dict[str, Any]:
    """Make a csChargingProfiles object that holds `limit_a` per phase until replaced, or for `duration_s` from now.

    An absolute schedule begins an hour ago: a station whose clock is slow would otherwise wait for it, unlimited. Only
    one of these can be given an end. In W the limit is for all phases together at 230 V (§7.12), and `phases` says how
    many.
    """
    is_power = rung.unit == "W"
    amount = limit_a * NOMINAL_V * phases if is_power else limit_a
    period: dict[str, Any] = {"startPeriod": 0, "limit": math.floor(amount * 10 + 1e-6) / 10}
    if is_power:
        period["numberPhases"] = phases
    schedule: dict[str, Any] = {"chargingRateUnit": rung.unit, "chargingSchedulePeriod": [period]}
    if rung.kind == "Absolute":
        schedule["startSchedule"] = (now - CLOCK_TOLERANCE).strftime("%Y-%m-%dT%H:%M:%SZ")
    if duration_s is not None:
        schedule["duration"] = round(CLOCK_TOLERANCE.total_seconds() + duration_s)
    profile: dict[str, Any] = {
        "chargingProfileId": profile_id,
        "stackLevel": rung.stack_level,
        "chargingProfilePurpose": rung.purpose.value,
        "chargingProfileKind": rung.kind,
        "chargingSchedule": schedule,
    }
    if rung.purpose is Purpose.TRANSACTION:
        profile["transactionId"] = transaction_id
    return profile
