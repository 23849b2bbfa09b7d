"""How a station answers what the LLM asks (OCPP 1.6 §5): one function per action, each gives the reply."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .link import CallError, Payload
from .profiles import DEFAULT, MAXIMUM, TRANSACTION, VOLTAGE_V, Profile, ProfileError, read_profile
from .timestamps import format_time

if TYPE_CHECKING:
    from .station import Station

TRIGGERS = ("BootNotification", "Heartbeat", "MeterValues", "StatusNotification")


def answer(station: Station, action: str, payload: Payload) -> Payload:
    """Answer one CALL; raises CallError: NotImplemented, or FormationViolation for an incomplete payload."""
    function = ANSWERS.get(action)
    if function is None:
        raise CallError("NotImplemented", f"{action} is not known here")
    try:
        return function(station, payload)
    except KeyError as error:
        raise CallError("FormationViolation", f"{action} needs {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CallError("FormationViolation", f"{action}: {error}") from error


def _set_charging_profile(station: Station, payload: Payload) -> Payload:
    try:
        profile = read_profile(payload["csChargingProfiles"], now=station.clock())
    except ProfileError as error:
        raise CallError("FormationViolation", str(error)) from error
    connector_id = payload["connectorId"]
    if not station.model.purposes:
        return {"status": "NotSupported"}
    if station.fault == "reject" or not _takes(station, connector_id, profile):
        return {"status": "Rejected"}
    if station.fault != "ignore":
        station.profiles.install(connector_id, profile)
        station.apply_profiles()
    return {"status": "Accepted"}


def _takes(station: Station, connector_id: int, profile: Profile) -> bool:
    """Tell whether a station of this model takes such a profile, and now (§5.16)."""
    model = station.model
    if profile.purpose not in model.purposes or profile.kind not in model.kinds or profile.unit not in model.units:
        return False
    if profile.stack_level > model.top_stack_level or len(profile.periods) > model.largest_schedule:
        return False
    if profile.purpose == MAXIMUM:
        return bool(connector_id == 0)
    if profile.purpose == DEFAULT:
        return connector_id == 0 or connector_id in station.connectors
    connector = station.connectors.get(connector_id)
    if connector is None or connector.transaction is None:
        return False
    return profile.transaction_id in (None, connector.transaction.id)


def _clear_charging_profile(station: Station, payload: Payload) -> Payload:
    if station.fault == "ignore":
        return {"status": "Accepted"}
    cleared = station.profiles.clear(
        profile_id=payload.get("id"),
        connector_id=payload.get("connectorId"),
        purpose=payload.get("chargingProfilePurpose"),
        stack_level=payload.get("stackLevel"),
    )
    station.apply_profiles()
    return {"status": "Accepted" if cleared else "Unknown"}


def _get_composite_schedule(station: Station, payload: Payload) -> Payload:
    connector_id, duration_s, now = payload["connectorId"], payload["duration"], station.clock()
    if connector_id not in (0, *station.connectors) or not station.model.purposes:
        return {"status": "Rejected"}
    connector = station.connectors.get(connector_id)
    since = connector.transaction.started_at if connector and connector.transaction else now
    unit = payload.get("chargingRateUnit", "A")
    per_ampere = 1.0 if unit == "A" else VOLTAGE_V * len(station.lines)
    periods = station.profiles.composite(connector_id, now, duration_s, since, station.maximum_a)
    return {
        "status": "Accepted",
        "connectorId": connector_id,
        "scheduleStart": format_time(now),
        "chargingSchedule": {
            "duration": duration_s,
            "chargingRateUnit": unit,
            "startSchedule": format_time(now),
            "chargingSchedulePeriod": [
                {"startPeriod": round(period.start_s), "limit": round(period.limit_a * per_ampere, 1)}
                for period in periods
            ],
        },
    }


def _remote_start(station: Station, payload: Payload) -> Payload:
    id_tag = payload["idTag"]
    wanted = payload.get("connectorId")
    free = [
        connector
        for number, connector in station.connectors.items()
        if wanted in (None, number)
        and connector.transaction is None
        and connector.is_operative
        and connector.reserved_for in (None, id_tag)
    ]
    if station.fault == "reject" or not free:
        return {"status": "Rejected"}
    connector = next((one for one in free if one.car), free[0])
    profile = None
    if "chargingProfile" in payload:
        try:
            profile = read_profile(payload["chargingProfile"], now=station.clock())
        except ProfileError as error:
            raise CallError("FormationViolation", str(error)) from error
        if profile.purpose != TRANSACTION:
            return {"status": "Rejected"}
    station.after_answer(lambda: station.start_remotely(connector.number, id_tag, profile))
    return {"status": "Accepted"}


def _remote_stop(station: Station, payload: Payload) -> Payload:
    wanted = payload["transactionId"]
    running = {one.transaction.id: number for number, one in station.connectors.items() if one.transaction}
    if station.fault == "reject" or wanted not in running:
        return {"status": "Rejected"}
    station.after_answer(lambda: station.stop_transaction(running[wanted], "Remote"))
    return {"status": "Accepted"}


def _trigger_message(station: Station, payload: Payload) -> Payload:
    requested, connector_id = payload["requestedMessage"], payload.get("connectorId")
    if requested not in TRIGGERS:
        return {"status": "NotImplemented"}
    if connector_id not in (None, 0) and connector_id not in station.connectors:
        return {"status": "Rejected"}
    station.after_answer(lambda: station.send_triggered(requested, connector_id))
    return {"status": "Accepted"}


def _reset(station: Station, payload: Payload) -> Payload:
    reason = f"{payload['type']}Reset"
    station.after_answer(lambda: station.reset(reason))
    return {"status": "Accepted"}


def _unlock_connector(station: Station, payload: Payload) -> Payload:
    number = payload["connectorId"]
    if number not in station.connectors:
        return {"status": "NotSupported"}
    station.after_answer(lambda: station.stop_transaction(number, "UnlockCommand"))
    return {"status": "Unlocked"}


def _change_availability(station: Station, payload: Payload) -> Payload:
    number = payload["connectorId"]
    if number != 0 and number not in station.connectors:
        return {"status": "Rejected"}
    chosen = list(station.connectors.values()) if number == 0 else [station.connectors[number]]
    busy = False
    for connector in chosen:
        connector.is_operative = payload["type"] == "Operative"
        busy = busy or (connector.transaction is not None and not connector.is_operative)
    station.after_answer(station.report_changes)
    return {"status": "Scheduled" if busy else "Accepted"}


def _get_configuration(station: Station, payload: Payload) -> Payload:
    return dict(station.configuration.read(payload.get("key", ())))


def _change_configuration(station: Station, payload: Payload) -> Payload:
    name, value = payload["key"], payload["value"]
    status = station.configuration.change(name, value)
    if name == "AuthorizationKey" and status == "Accepted":
        password = bytes.fromhex(value)
        station.after_answer(lambda: station.change_password(password))
    station.follow_configuration()
    return {"status": status}


def _clear_cache(_station: Station, _payload: Payload) -> Payload:
    return {"status": "Accepted"}


def _send_local_list(station: Station, payload: Payload) -> Payload:
    """Take the list of known badges, whole or as changes (§5.15)."""
    if not station.configuration.flag("LocalAuthListEnabled"):
        return {"status": "NotSupported"}
    status = station.local_list.update(
        payload,
        most=station.configuration.number("LocalAuthListMaxLength"),
        most_at_once=station.configuration.number("SendLocalListMaxLength"),
    )
    return {"status": status}


def _get_local_list_version(station: Station, _payload: Payload) -> Payload:
    is_enabled = station.configuration.flag("LocalAuthListEnabled")
    return {"listVersion": station.local_list.reported_version() if is_enabled else -1}


def _data_transfer(station: Station, payload: Payload) -> Payload:
    return {"status": "Accepted" if payload["vendorId"] == station.model.vendor else "UnknownVendorId"}


def _reserve_now(station: Station, payload: Payload) -> Payload:
    connector = station.connectors.get(payload["connectorId"])
    if connector is None:
        return {"status": "Rejected"}
    if not connector.is_operative:
        return {"status": "Unavailable"}
    if connector.status not in ("Available", "Reserved") or connector.reservation_id not in (
        None,
        payload["reservationId"],
    ):
        return {"status": "Occupied"}
    connector.reservation_id, connector.reserved_for = payload["reservationId"], payload["idTag"]
    station.after_answer(station.report_changes)
    return {"status": "Accepted"}


def _cancel_reservation(station: Station, payload: Payload) -> Payload:
    for connector in station.connectors.values():
        if connector.reservation_id == payload["reservationId"]:
            connector.reservation_id = connector.reserved_for = None
            station.after_answer(station.report_changes)
            return {"status": "Accepted"}
    return {"status": "Rejected"}


ANSWERS: dict[str, Callable[[Station, Payload], Payload]] = {
    "CancelReservation": _cancel_reservation,
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_charging_profile,
    "DataTransfer": _data_transfer,
    "GetCompositeSchedule": _get_composite_schedule,
    "GetConfiguration": _get_configuration,
    "GetLocalListVersion": _get_local_list_version,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": _reserve_now,
    "Reset": _reset,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_charging_profile,
    "TriggerMessage": _trigger_message,
    "UnlockConnector": _unlock_connector,
}
