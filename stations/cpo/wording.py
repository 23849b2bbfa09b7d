"""What a station said → what an operator is told; pure. What goes out validates against the schemas (OCPP 1.6 §6).

What the station sent goes on as it came where it is sound. Where it is not, what was understood of it takes its place.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stations.ocpp16.normalise import MeterValues, Sample, Start, Status, Stop, text
from stations.ocpp16.schemas import fits

MOST_PHASES = ("L1", "L2", "L3")
CONTEXTS = frozenset(
    {
        "Interruption.Begin",
        "Interruption.End",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
        "Other",
    }
)
REASONS = frozenset(
    {
        "DeAuthorized",
        "EmergencyStop",
        "EVDisconnected",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
    }
)
UNKNOWN_TAG = "UNKNOWN"
PROGRESS = {
    "DiagnosticsStatusNotification": {"status"},
    "FirmwareStatusNotification": {"status"},
    "LogStatusNotification": {"status", "requestId"},
    "SignedFirmwareStatusNotification": {"status", "requestId"},
}

Payload = dict[str, Any]


def wire_time(at: datetime) -> str:
    """Write a time in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start_message(raw: Mapping[str, Any], start: Start) -> Payload:
    """Return a StartTransaction.req; its time and meter are what was stored where the station's make no sense."""
    payload: Payload = {
        "connectorId": start.connector,
        "idTag": start.id_tag[:20] or UNKNOWN_TAG,
        "meterStart": start.meter_wh,
        "timestamp": _time_as_sent(raw, start.at, "clock" in start.flags),
    }
    reservation = raw.get("reservationId")
    if isinstance(reservation, int) and not isinstance(reservation, bool):
        payload["reservationId"] = reservation
    return payload


def stop_message(raw: Mapping[str, Any], stop: Stop, meter_wh: int, stopped_at: datetime) -> Payload:
    """Return a StopTransaction.req but for the number of the transaction; `meter_wh` and `stopped_at` as stored."""
    payload: Payload = {
        "transactionId": 0,
        "meterStop": meter_wh,
        "timestamp": _time_as_sent(raw, stopped_at, stopped_at != stop.at or "clock" in stop.flags),
    }
    if stop.id_tag:
        payload["idTag"] = stop.id_tag[:20]
    if "reason" in raw:
        payload["reason"] = stop.reason if stop.reason in REASONS else "Other"
    data = raw.get("transactionData")
    if data:
        whole = {**payload, "transactionData": data}
        payload = whole if fits("StopTransaction", whole) else {**payload, **_data(stop.samples)}
    return payload


def loss_message(meter_wh: int, stopped_at: datetime) -> Payload:
    """Return a StopTransaction.req, but for its number, of a transaction whose end was not heard."""
    return {"transactionId": 0, "meterStop": meter_wh, "timestamp": wire_time(stopped_at), "reason": "Other"}


def _data(samples: tuple[Sample, ...]) -> Payload:
    values = _values(samples)
    return {"transactionData": values} if values else {}


def _time_as_sent(raw: Mapping[str, Any], stored: datetime, is_corrected: bool) -> str:
    """Return the time as the station wrote it, where that is a time with its zone; else the one that was stored."""
    sent = raw.get("timestamp")
    if not is_corrected and isinstance(sent, str):
        try:
            if datetime.fromisoformat(sent).tzinfo is not None:
                return sent
        except ValueError:
            pass
    return wire_time(stored)


def meter_message(raw: Mapping[str, Any], values: MeterValues, *, is_of_transaction: bool) -> Payload | None:
    """Return a MeterValues.req but for the number of the transaction; None where nothing was measured."""
    number: Payload = {"transactionId": 0} if is_of_transaction else {}
    payload: Payload = {"connectorId": values.connector, "meterValue": raw.get("meterValue"), **number}
    if fits("MeterValues", payload) and all(_has_zone(entry) for entry in payload["meterValue"]):
        return payload if any(entry["sampledValue"] for entry in payload["meterValue"]) else None
    rebuilt = _values(values.samples)
    return {"connectorId": values.connector, "meterValue": rebuilt, **number} if rebuilt else None


def _has_zone(entry: Mapping[str, Any]) -> bool:
    try:
        return datetime.fromisoformat(entry["timestamp"]).tzinfo is not None
    except ValueError:
        return False


def _values(samples: tuple[Sample, ...]) -> list[Payload]:
    return [
        {"timestamp": wire_time(sample.at), "sampledValue": sampled}
        for sample in samples
        if (sampled := _sampled(sample))
    ]


def _sampled(sample: Sample) -> list[Payload]:
    """Write what was measured at one moment."""
    context = {"context": sample.context} if sample.context in CONTEXTS else {}
    found: list[Payload] = []

    def note(value: float | None, measurand: str, unit: str, phase: str = "") -> None:
        if value is not None:
            on_phase = {"phase": phase} if phase else {}
            found.append({"value": f"{value:.15g}", "measurand": measurand, "unit": unit, **on_phase, **context})

    note(sample.energy_wh, "Energy.Active.Import.Register", "Wh")
    note(sample.power_w, "Power.Active.Import", "W")
    for phase, current_a in zip(MOST_PHASES, sample.currents_a, strict=True):
        note(current_a, "Current.Import", "A", phase)
    for phase, voltage_v in zip(MOST_PHASES, sample.voltages_v, strict=True):
        note(voltage_v, "Voltage", "V", f"{phase}-N")
    note(sample.offered_a, "Current.Offered", "A")
    note(sample.soc_percent, "SoC", "Percent")
    return found


def status_message(raw: Mapping[str, Any], status: Status) -> Payload | None:
    """Return a StatusNotification.req; None for a state that OCPP does not know."""
    known = {key: raw[key] for key in ("info", "vendorId", "vendorErrorCode") if key in raw}
    payload: Payload = {
        "connectorId": status.connector,
        "errorCode": raw.get("errorCode"),
        "status": status.status,
        "timestamp": wire_time(status.at),
        **known,
    }
    if not fits("StatusNotification", payload):
        payload = {**payload, "errorCode": "OtherError" if status.error_code else "NoError"}
        payload = {key: value for key, value in payload.items() if key not in known}
    return payload if fits("StatusNotification", payload) else None


def progress_message(action: str, raw: Mapping[str, Any]) -> Payload | None:
    """Return how far an update or an upload is as the operator may be told; None where it cannot be."""
    payload = {key: raw[key] for key in PROGRESS[action] if key in raw}
    return payload if fits(action, payload) else None


def boot_message(vendor: str, model: str, serial_number: str, firmware_version: str) -> Payload:
    """Return a BootNotification.req (§6.3) of what is known of the station."""
    payload = {"chargePointVendor": vendor[:20] or "Unknown", "chargePointModel": model[:20] or "Unknown"}
    if serial_number:
        payload["chargePointSerialNumber"] = serial_number[:25]
    if firmware_version:
        payload["firmwareVersion"] = firmware_version[:50]
    return payload


def transfer_message(raw: Mapping[str, Any]) -> Payload | None:
    """Return a DataTransfer.req; None where it has no vendor."""
    payload = {"vendorId": text(raw.get("vendorId"), 255)}
    for key, length in (("messageId", 50), ("data", 65_536)):
        if key in raw:
            payload[key] = text(raw[key], length)
    return payload if payload["vendorId"] else None
