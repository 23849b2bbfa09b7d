"""Every operation a central system may ask of a station (OCPP 1.6 §5, and the security whitepaper §5), with an example.

The examples fill in the form of a person who sends one by hand; each validates against its schema.
"""

from typing import Any

from stations.ocpp16.schemas import schema_of

_LATER = "2030-01-01T00:00:00Z"
_PROFILE = {
    "chargingProfileId": 100,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]},
}
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"

CORE: dict[str, dict[str, Any]] = {
    "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
    "ChangeConfiguration": {"key": "MeterValueSampleInterval", "value": "10"},
    "ClearCache": {},
    "DataTransfer": {"vendorId": "com.example", "messageId": "Hello", "data": "1"},
    "GetConfiguration": {},
    "RemoteStartTransaction": {"connectorId": 1, "idTag": "BADGE"},
    "RemoteStopTransaction": {"transactionId": 1},
    "Reset": {"type": "Soft"},
    "UnlockConnector": {"connectorId": 1},
}
LOCAL_AUTH_LIST_MANAGEMENT: dict[str, dict[str, Any]] = {
    "GetLocalListVersion": {},
    "SendLocalList": {
        "listVersion": 1,
        "updateType": "Full",
        "localAuthorizationList": [{"idTag": "BADGE", "idTagInfo": {"status": "Accepted"}}],
    },
}
FIRMWARE_MANAGEMENT: dict[str, dict[str, Any]] = {
    "GetDiagnostics": {"location": "ftp://192.168.1.2/logs/"},
    "UpdateFirmware": {"location": "http://192.168.1.2/firmware.bin", "retrieveDate": _LATER},
}
RESERVATION: dict[str, dict[str, Any]] = {
    "CancelReservation": {"reservationId": 1},
    "ReserveNow": {"connectorId": 1, "expiryDate": _LATER, "idTag": "BADGE", "reservationId": 1},
}
SMART_CHARGING: dict[str, dict[str, Any]] = {
    "ClearChargingProfile": {"id": 100},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 600, "chargingRateUnit": "A"},
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": _PROFILE},
}
REMOTE_TRIGGER: dict[str, dict[str, Any]] = {
    "TriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
}
SECURITY: dict[str, dict[str, Any]] = {
    "CertificateSigned": {"certificateChain": _CERTIFICATE},
    "DeleteCertificate": {
        "certificateHashData": {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "7e1d2b0c4a",
            "issuerKeyHash": "91c4f03e5d",
            "serialNumber": "3039",
        }
    },
    "ExtendedTriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
    "GetInstalledCertificateIds": {"certificateType": "CentralSystemRootCertificate"},
    "GetLog": {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "ftp://192.168.1.2/logs/"}},
    "InstallCertificate": {"certificateType": "CentralSystemRootCertificate", "certificate": _CERTIFICATE},
    "SignedUpdateFirmware": {
        "requestId": 1,
        "firmware": {
            "location": "http://192.168.1.2/firmware.bin",
            "retrieveDateTime": _LATER,
            "signingCertificate": _CERTIFICATE,
            "signature": "MEQCIG…",
        },
    },
}
FEATURE_PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "Core": CORE,
    "LocalAuthListManagement": LOCAL_AUTH_LIST_MANAGEMENT,
    "FirmwareManagement": FIRMWARE_MANAGEMENT,
    "Reservation": RESERVATION,
    "SmartCharging": SMART_CHARGING,
    "RemoteTrigger": REMOTE_TRIGGER,
    "Security": SECURITY,
}
OPERATIONS: dict[str, dict[str, Any]] = {
    action: example for operations in FEATURE_PROFILES.values() for action, example in operations.items()
}
CHANGE_LIMITS = frozenset({"ClearChargingProfile", "SetChargingProfile"})
ACCEPTANCES = frozenset({"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked"})


def is_accepted(action: str, answer: dict[str, Any]) -> bool:
    """Say whether the answer to an operation means yes; where it has no status (UpdateFirmware, …), any answer does."""
    if "status" not in answer:
        return "status" not in (schema_of(f"{action}Response") or {}).get("required", ())
    status = answer["status"]
    return isinstance(status, str) and status in ACCEPTANCES
