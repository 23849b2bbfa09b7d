"""What the operations of OCPP 1.6 and their fields are called, and what comes of the dangerous ones."""

from typing import Any

from django.utils.translation import gettext_lazy as _

TITLES: dict[str, Any] = {
    "CancelReservation": _("Cancel a reservation"),
    "CertificateSigned": _("Hand over a signed certificate"),
    "ChangeAvailability": _("Change availability"),
    "ChangeConfiguration": _("Change configuration"),
    "ClearCache": _("Clear the badge cache"),
    "ClearChargingProfile": _("Clear charging profiles"),
    "DataTransfer": _("Vendor's own message"),
    "DeleteCertificate": _("Delete a certificate"),
    "ExtendedTriggerMessage": _("Ask for a message (security)"),
    "GetCompositeSchedule": _("Get the schedule in force"),
    "GetConfiguration": _("Get configuration"),
    "GetDiagnostics": _("Get diagnostics"),
    "GetInstalledCertificateIds": _("List certificates"),
    "GetLocalListVersion": _("Get the version of the badge list"),
    "GetLog": _("Get a log"),
    "InstallCertificate": _("Install a certificate"),
    "RemoteStartTransaction": _("Remote start"),
    "RemoteStopTransaction": _("Remote stop"),
    "ReserveNow": _("Reserve"),
    "Reset": _("Reset"),
    "SendLocalList": _("Send a badge list"),
    "SetChargingProfile": _("Set a charging profile"),
    "SignedUpdateFirmware": _("Update firmware (signed)"),
    "TriggerMessage": _("Ask for a message"),
    "UnlockConnector": _("Unlock connector"),
    "UpdateFirmware": _("Update firmware"),
}

PROFILE_TITLES: dict[str, Any] = {
    "Core": _("Everyday"),
    "LocalAuthListManagement": _("Badge list in the station"),
    "FirmwareManagement": _("Firmware and diagnostics"),
    "Reservation": _("Reservation"),
    "SmartCharging": _("Charging profiles"),
    "RemoteTrigger": _("Messages on request"),
    "Security": _("Security"),
}

_INSTALLS = _("The station installs the firmware and restarts; cars that charge are interrupted until it is back.")
CONSEQUENCES: dict[str, Any] = {
    "ChangeAvailability": _("A connector out of service takes no new car; one that charges finishes first."),
    "ChangeConfiguration": _("A wrong value can cut the station off from the load manager, for example its address."),
    "ClearCache": _("The station forgets the badges it knows; while it has no connection it may refuse them."),
    "ClearChargingProfile": _(
        "The load manager sets its own limits anew right after; "
        "until then the station may draw more than is left for it."
    ),
    "DeleteCertificate": _("A station without the right certificate may not come back after it disconnects."),
    "RemoteStopTransaction": _("The car stops charging at once, and starts again only with a badge."),
    "Reset": _(
        "Soft ends the charging of every car properly and restarts; hard restarts at once, as if power were cut."
    ),
    "SetChargingProfile": _(
        "The load manager sets its own limits anew right after; a profile of another purpose or level "
        "stays beside them and may let the station draw more than is left for it."
    ),
    "SignedUpdateFirmware": _INSTALLS,
    "UnlockConnector": _("The car stops charging and its cable comes free."),
    "UpdateFirmware": _INSTALLS,
}

LABELS: dict[str, Any] = {
    "certificate": _("Certificate"),
    "certificateChain": _("Certificate chain"),
    "certificateType": _("Kind of certificate"),
    "chargingProfile": _("Charging profile"),
    "chargingProfilePurpose": _("Purpose"),
    "chargingRateUnit": _("Unit"),
    "connectorId": _("Connector"),
    "csChargingProfiles": _("Charging profile"),
    "data": _("Data"),
    "duration": _("Duration (s)"),
    "expiryDate": _("Reserved until"),
    "hashAlgorithm": _("Hash algorithm"),
    "id": _("Profile number"),
    "idTag": _("Badge number"),
    "installDateTime": _("Install at"),
    "issuerKeyHash": _("Hash of the issuer's key"),
    "issuerNameHash": _("Hash of the issuer's name"),
    "key": _("Key"),
    "latestTimestamp": _("To"),
    "listVersion": _("Version of the list"),
    "localAuthorizationList": _("Badges"),
    "location": _("Address (URL)"),
    "logType": _("Log"),
    "messageId": _("Message"),
    "oldestTimestamp": _("From"),
    "parentIdTag": _("Group of the badge"),
    "remoteLocation": _("Address (URL)"),
    "requestId": _("Request number"),
    "requestedMessage": _("Message"),
    "reservationId": _("Reservation number"),
    "retries": _("Further attempts"),
    "retrieveDate": _("Download from"),
    "retrieveDateTime": _("Download from"),
    "retryInterval": _("Pause between attempts (s)"),
    "serialNumber": _("Serial number"),
    "signature": _("Signature"),
    "signingCertificate": _("Certificate of the signature"),
    "stackLevel": _("Stack level"),
    "startTime": _("From"),
    "stopTime": _("To"),
    "transactionId": _("Charging session"),
    "type": _("Type"),
    "updateType": _("Kind of update"),
    "value": _("Value"),
    "vendorId": _("Vendor"),
}

_UPLOAD = _("Where the station uploads the file, for example ftp://192.168.1.2/logs/.")
_DOWNLOAD = _("Where the station finds the file, for example http://192.168.1.2/firmware.bin.")
HELP: dict[str, Any] = {
    "ChangeConfiguration.key": _("The station's last known keys are offered."),
    "GetConfiguration.key": _("One per line; empty: all keys."),
    "GetDiagnostics.location": _UPLOAD,
    "GetLog.log.remoteLocation": _UPLOAD,
    "RemoteStartTransaction.chargingProfile": _("As JSON; empty: the load manager's own limit holds."),
    "RemoteStartTransaction.connectorId": _("Empty: the station chooses."),
    "SendLocalList.localAuthorizationList": _("As JSON; a full update without badges empties the list."),
    "SetChargingProfile.csChargingProfiles": _("As JSON, in the words of OCPP."),
    "SignedUpdateFirmware.firmware.location": _DOWNLOAD,
    "UpdateFirmware.location": _DOWNLOAD,
    "idTag": _("Counts as if the badge were held to the reader; the known badges are offered."),
    "parentIdTag": _("Badges of the same group may use the reservation too."),
    "requestId": _("The next free number is filled in."),
    "reservationId": _("The same number again changes that reservation."),
    "stackLevel": _("Of profiles for the same purpose, the highest level counts."),
    "value": _("Empty: the key is set to nothing."),
}

CHOICES: dict[str, Any] = {
    "Differential": _("Differential: changes only"),
    "Full": _("Full: replaces the list"),
    "Hard": _("Hard: restart at once"),
    "Inoperative": _("Inoperative: out of service"),
    "Operative": _("Operative: in service"),
    "Soft": _("Soft: end charging, then restart"),
}


def help_of(action: str, name: str) -> Any:
    """Return the line of help of a field; empty where its label says it all."""
    return HELP.get(f"{action}.{name}") or HELP.get(name.rsplit(".", 1)[-1], "")
