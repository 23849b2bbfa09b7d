"""Who answers which message between station and operator, and what is done when the operator is silent; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stations.ocpp16.normalise import moment, text

ANSWER_WITHIN_S = 8.0
BACKOFF_S, LONGEST_BACKOFF_S = 5.0, 300.0
MOST_REFUSALS, MOST_LOSSES = 10, 20
# What will not be better the next time (OCPP-J 1.6 §4.2.3, in each spelling) is not asked so often.
LASTING_ERRORS = frozenset(
    {
        "FormatViolation",
        "FormationViolation",
        "NotImplemented",
        "NotSupported",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "TypeConstraintViolation",
    }
)
MOST_LASTING = 3
LONGEST_TAG = 20

ACCEPTED, INVALID = "Accepted", "Invalid"
STATUSES = frozenset({ACCEPTED, "Blocked", "Expired", INVALID, "ConcurrentTx"})


class Way(StrEnum):
    """What becomes of an operation that an operator asks for."""

    FORWARDED = "forwarded"
    ANSWERED = "answered"  # by the load manager, from what it knows
    BARRED = "barred"
    UNKNOWN = "unknown"


FORWARDED = frozenset(
    {
        "CancelReservation",
        "ChangeAvailability",
        "DataTransfer",
        "GetDiagnostics",
        "GetLog",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SignedUpdateFirmware",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
ANSWERED = frozenset(
    {
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetLocalListVersion",
        "SendLocalList",
        "SetChargingProfile",
        "TriggerMessage",
    }
)
BARRABLE = tuple(sorted(FORWARDED | {"ChangeConfiguration"}))
# What an operation answers that is not done; the others have no word for it and get NotSupported.
NOT_DONE = {
    "CancelReservation": "Rejected",
    "ChangeAvailability": "Rejected",
    "ChangeConfiguration": "Rejected",
    "DataTransfer": "Rejected",
    "GetLog": "Rejected",
    "RemoteStartTransaction": "Rejected",
    "RemoteStopTransaction": "Rejected",
    "ReserveNow": "Rejected",
    "Reset": "Rejected",
    "SignedUpdateFirmware": "Rejected",
    "UnlockConnector": "NotSupported",
}

# Of what the load manager needs, the operator sees and sets a copy: the station's own keys stay as they are.
HEARTBEAT, SAMPLES = "HeartbeatInterval", "MeterValueSampleInterval"
SECURITY_KEYS = frozenset({"authorizationkey", "securityprofile", "cponame", "additionalrootcertificatecheck"})
KEPT_AS_COPY = {
    HEARTBEAT: "300",
    SAMPLES: "60",
    "ClockAlignedDataInterval": "0",
    "MeterValuesAlignedData": "",
    "MeterValuesSampledData": "Current.Import,Energy.Active.Import.Register,Power.Active.Import",
    "StopTxnAlignedData": "",
    "StopTxnSampledData": "",
    "WebSocketPingInterval": "30",
    "LocalAuthListEnabled": "true",
    "LocalAuthorizeOffline": "true",
}
NUMBERS = frozenset({HEARTBEAT, SAMPLES, "ClockAlignedDataInterval", "WebSocketPingInterval"})
LIST_LENGTH, LIST_PIECE = 5000, 500
HIGHEST_LEVEL = 99  # of a charging profile (stackLevel)
LARGEST_NUMBER = 2**31 - 1  # that the database keeps
FIXED = {
    "LocalAuthListMaxLength": str(LIST_LENGTH),
    "SendLocalListMaxLength": str(LIST_PIECE),
    "ChargeProfileMaxStackLevel": str(HIGHEST_LEVEL),
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "100",
    "MaxChargingProfilesInstalled": "20",
}
SPELLING = {name.casefold(): name for name in (*KEPT_AS_COPY, *FIXED)}
FEATURES, OWN_FEATURES = "SupportedFeatureProfiles", ("LocalAuthListManagement", "SmartCharging", "RemoteTrigger")
CONNECTION_KEYS = ("url", "endpoint", "password", "authorizationkey", "apn", "backend")
LONGEST_VALUE = 500


def way_of(action: str, barred: list[str]) -> Way:
    """Say what becomes of an operation."""
    if action in barred and action in BARRABLE:
        return Way.BARRED
    if action in FORWARDED:
        return Way.FORWARDED
    return Way.ANSWERED if action in ANSWERED else Way.UNKNOWN


def spelled(name: str) -> str:
    """Return a configuration key as it is spelled here: keys are compared without case (CiString50Type)."""
    return SPELLING.get(name.casefold(), name)


def is_connection_key(name: str) -> bool:
    """Say whether a configuration key leads the station away from the load manager, or is a secret between the two."""
    return name.casefold() in SECURITY_KEYS or any(part in name.casefold() for part in CONNECTION_KEYS)


def with_own_features(value: str) -> str:
    """Add to the SupportedFeatureProfiles of a station (§9.1.24) what the load manager answers in its place."""
    theirs = [part.strip() for part in value.split(",") if part.strip()]
    return ",".join([*theirs, *(feature for feature in OWN_FEATURES if feature not in theirs)])


def change_copy(name: str, value: str) -> str:
    """Answer the change of a key that is kept as a copy: its ConfigurationStatus (§7.22)."""
    if name in FIXED or is_connection_key(name) or len(value) > LONGEST_VALUE:
        return "Rejected"
    if name in NUMBERS and not (value.isascii() and value.isdigit() and len(value) <= 6):
        return "Rejected"
    return ACCEPTED


# --- badges


def read_tag_info(raw: Any) -> dict[str, Any] | None:
    """Read an IdTagInfo (§7.27) as a station may be told it; None where it has no status that exists."""
    status = raw.get("status") if isinstance(raw, dict) else None
    if not isinstance(status, str) or status not in STATUSES:
        return None
    info = {"status": status}
    parent = text(raw.get("parentIdTag"), LONGEST_TAG)
    expires_at = expiry_of(raw)
    if parent:
        info["parentIdTag"] = parent
    if expires_at is not None:
        info["expiryDate"] = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return info


def expiry_of(info: Mapping[str, Any]) -> datetime | None:
    """Return the moment an IdTagInfo is good until; None: for ever."""
    if not info.get("expiryDate"):
        return None
    end = datetime.max.replace(tzinfo=UTC, year=9000)
    at, is_unreadable = moment(info["expiryDate"], end)
    return None if is_unreadable else at


def decide_alone(
    offline_policy: str, *, id_tag: str, listed: Mapping[str, Any] | None, is_cached: bool, now: datetime
) -> dict[str, Any]:
    """Return the IdTagInfo of a badge while the operator is silent.

    `listed` is what the operator's own list says of it, None: nothing; `is_cached`: it was accepted before and that
    still counts.
    """
    if not id_tag or len(id_tag) > LONGEST_TAG or offline_policy == "deny":
        return {"status": INVALID}
    info = read_tag_info(listed) if listed is not None else None
    if info is not None:
        expires_at = expiry_of(info)
        return {"status": "Expired"} if expires_at is not None and expires_at <= now else info
    return {"status": ACCEPTED if is_cached or offline_policy == "allow" else INVALID}


def changed_list(known: dict[str, Any], version: int, payload: Mapping[str, Any]) -> tuple[str, dict[str, Any], int]:
    """Apply a SendLocalList (§5.15): the UpdateStatus, the list and its version after it."""
    new_version, entries = payload["listVersion"], payload.get("localAuthorizationList") or []
    is_full = payload["updateType"] == "Full"
    if not is_full and new_version <= version:
        return "VersionMismatch", known, version
    tags = {} if is_full else dict(known)
    for entry in entries:
        info = entry.get("idTagInfo")
        if info is not None:
            tags[entry["idTag"].upper()] = info
        elif is_full:
            return "Failed", known, version
        else:
            tags.pop(entry["idTag"].upper(), None)
    if len(tags) > LIST_LENGTH or not 0 < new_version <= LARGEST_NUMBER:
        return "Failed", known, version
    return ACCEPTED, tags, new_version


# --- patience


def backoff_s(tries: int, spread: float = 1.0) -> float:
    """Return how long to wait after so many tries in vain, s: doubled each time.

    `spread` (0.5 to 1), drawn by lot, keeps a garage of stations from coming all at once.
    """
    return max(BACKOFF_S, spread * min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** min(tries - 1, 10)))


def is_set_aside(*, refusals: int, losses: int, code: str) -> bool:
    """Say whether a message that is refused, or never answered, has to let the others pass."""
    most = MOST_LASTING if code in LASTING_ERRORS else MOST_REFUSALS
    return refusals >= most or losses >= MOST_LOSSES
