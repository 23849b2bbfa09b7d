"""Amperes → charging profile (OCPP 1.6 §3.13, §7.8–7.14); pure."""

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

NOMINAL_V = 230
STANDING_PROFILE_ID, LIVE_PROFILE_ID = 1, 2
STACK_LEVEL = 0
CLOCK_TOLERANCE = timedelta(hours=1)


class Purpose(StrEnum):
    """ChargingProfilePurposeType (§7.11)."""

    STATION = "ChargePointMaxProfile"
    DEFAULT = "TxDefaultProfile"
    TRANSACTION = "TxProfile"


def charging_profile(
    *,
    purpose: Purpose,
    limit_a: float,
    now: datetime,
    transaction_id: int | None = None,
    unit: str = "A",
    phases: int = 3,
) -> dict[str, Any]:
    """Make a csChargingProfiles object that holds `limit_a` per phase until it is replaced.

    The schedule begins an hour ago: a station whose clock is slow would otherwise wait for it, unlimited. In W the
    limit is for all phases together at 230 V (§7.12), and `phases` says how many.
    """
    is_power = unit == "W"
    amount = limit_a * NOMINAL_V * phases if is_power else limit_a
    period: dict[str, Any] = {"startPeriod": 0, "limit": math.floor(amount * 10 + 1e-6) / 10}
    if is_power:
        period["numberPhases"] = phases
    profile: dict[str, Any] = {
        "chargingProfileId": LIVE_PROFILE_ID if purpose is Purpose.TRANSACTION else STANDING_PROFILE_ID,
        "stackLevel": STACK_LEVEL,
        "chargingProfilePurpose": purpose.value,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": (now - CLOCK_TOLERANCE).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [period],
        },
    }
    if transaction_id is not None:
        profile["transactionId"] = transaction_id
    return profile
