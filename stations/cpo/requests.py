"""What an operator asks of a station, and who answers: one function an operation (OCPP 1.6 §5).

Each takes the relay and a payload that fits its schema, and returns the answer's payload.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from stations.cpo import keeping
from stations.cpo.ids import own_number
from stations.cpo.policy import (
    FEATURES,
    FIXED,
    KEPT_AS_COPY,
    NOT_DONE,
    Way,
    change_copy,
    is_connection_key,
    spelled,
    way_of,
    with_own_features,
)
from stations.cpo.standing import known_now
from stations.cpo.wording import transfer_message
from stations.errors import StationAway
from stations.ocpp16 import schemas
from stations.ocpp16.blanking import without_secrets
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.normalise import text

if TYPE_CHECKING:
    from stations.cpo.relay import Relay

Payload = dict[str, Any]
MOST_KEYS_SAID = 500
OF_RUNNING = frozenset({"RemoteStopTransaction", "UnlockConnector"})  # what an operator may ask of what began with it
OF_ACCEPTED = frozenset({"RemoteStartTransaction", "RemoteStopTransaction"})  # for one that accepts alone (§4.2)


async def answer(relay: "Relay", action: str, payload: Payload) -> Payload:
    """Answer what an operator asks; raises OcppError where it is unknown or does not fit its schema."""
    way = way_of(action, list(relay.terms.barred))
    if way is Way.UNKNOWN:
        code = "NotSupported" if schemas.schema_of(action) is not None else "NotImplemented"
        raise OcppError(code, f"{action[:50]!r} is not done for an operator")
    schemas.check(action, payload)
    if way is Way.BARRED:
        return not_done(action, "it is barred")
    if action in OF_ACCEPTED and not relay.is_accepted:
        return not_done(action, "the operator has not accepted the station")
    if action in HANDLERS:
        return await HANDLERS[action](relay, payload)
    return await forward(relay, action, payload)


def not_done(action: str, why: str) -> Payload:
    """Say that an operation is not done; raises OcppError where it has no word for it."""
    if action not in NOT_DONE:
        raise OcppError("NotSupported", f"{action}: {why}")
    return {"status": NOT_DONE[action]}


async def forward(relay: "Relay", action: str, payload: Payload) -> Payload:
    """Ask the station; one that is away does nothing. What it answers goes on where it is sound."""
    if not relay.is_in_force and action not in OF_RUNNING:
        return not_done(action, "the station has another operator now")
    socket = relay.station()
    if socket is None:
        return not_done(action, "the station is not connected")
    try:
        reply: Payload = await socket.call(action, payload)
    except StationAway:
        return not_done(action, "the station is not connected")
    if not schemas.fits(f"{action}Response", reply):
        raise OcppError("InternalError", f"the station's answer to {action} is not sound")
    return reply


# --- charging


async def remote_start(relay: "Relay", payload: Payload) -> Payload:
    """RemoteStartTransaction (§5.11): its charging profile stays here as the operator's limit."""
    profile = payload.get("chargingProfile")
    if profile is not None:
        kept = await in_database(
            keeping.keep_profile_for_tag,
            link_id=relay.terms.link_id,
            connector=payload.get("connectorId", 0),
            profile=profile,
            id_tag=payload["idTag"],
        )
        if not kept:
            return {"status": "Rejected"}
    started: Payload = {}
    try:
        started = await forward(
            relay, "RemoteStartTransaction", {key: payload[key] for key in ("connectorId", "idTag") if key in payload}
        )
    finally:
        if profile is not None and started.get("status") != "Accepted":
            await in_database(keeping.drop_profiles_of_tag, link_id=relay.terms.link_id, id_tag=payload["idTag"])
    return started


async def remote_stop(relay: "Relay", payload: Payload) -> Payload:
    """RemoteStopTransaction (§5.12): the operator's number becomes ours; one that nobody knows is refused."""
    number = await in_database(own_number, relay.terms.link_id, payload["transactionId"])
    if number is None:
        return {"status": "Rejected"}
    return await forward(relay, "RemoteStopTransaction", {"transactionId": number})


async def data_transfer(relay: "Relay", payload: Payload) -> Payload:
    """DataTransfer (§5.6)."""
    return await forward(relay, "DataTransfer", transfer_message(payload) or payload)


async def set_profile(relay: "Relay", payload: Payload) -> Payload:
    """SetChargingProfile (§5.16): kept as an upper bound, never sent on."""
    kept = await in_database(
        keeping.keep_profile,
        link_id=relay.terms.link_id,
        connector=payload["connectorId"],
        profile=payload["csChargingProfiles"],
    )
    return {"status": "Accepted" if kept else "Rejected"}


async def clear_profile(relay: "Relay", payload: Payload) -> Payload:
    """ClearChargingProfile (§5.5)."""
    cleared = await in_database(keeping.clear_profiles, link_id=relay.terms.link_id, asked=payload)
    return {"status": "Accepted" if cleared else "Unknown"}


async def composite_schedule(relay: "Relay", payload: Payload) -> Payload:
    """GetCompositeSchedule (§5.7), of what the operator has set and the station can."""
    return await in_database(keeping.composite_schedule, link_id=relay.terms.link_id, asked=payload)


# --- configuration


async def get_configuration(relay: "Relay", payload: Payload) -> Payload:
    """GetConfiguration (§5.8): the station's, with copies of the keys that the load manager needs itself."""
    asked = [spelled(name) for name in payload.get("key") or []]
    copies = await in_database(keeping.copied_settings, link_id=relay.terms.link_id)
    known = {
        name: {"key": name, "readonly": name in FIXED, "value": value}
        for name, value in {**KEPT_AS_COPY, **copies, **FIXED}.items()
        if not asked or name in asked
    }
    theirs = [name for name in asked if name not in known and not is_connection_key(name)]
    unknown = [name for name in asked if is_connection_key(name) and name not in known]
    if theirs or not asked:
        reply = await _configuration_of_station(relay, theirs)
        for entry in reply.get("configurationKey") or []:
            if not is_connection_key(entry["key"]):
                known.setdefault(spelled(entry["key"]), _completed(entry))
        told = {name.casefold() for name in known}
        unknown += [name for name in theirs if name.casefold() not in told]
    answered: Payload = {"configurationKey": list(known.values())[:MOST_KEYS_SAID]}
    return {**answered, **({"unknownKey": unknown} if unknown else {})}


def _completed(entry: Payload) -> Payload:
    """Add what the load manager does in the place of the station to what that says it can do."""
    if entry["key"].casefold() != FEATURES.casefold():
        return entry
    return {**entry, "value": with_own_features(entry.get("value", ""))}


async def _configuration_of_station(relay: "Relay", names: list[str]) -> Payload:
    """Ask the station for keys, for none: all; one that is away, refuses or talks nonsense has none."""
    socket = relay.station()
    if socket is None:
        return {}
    try:
        reply: Payload = await socket.call("GetConfiguration", {"key": names} if names else {})
    except (OcppError, StationAway):
        return {}
    return without_secrets(reply) if schemas.fits("GetConfigurationResponse", reply) else {}


async def change_configuration(relay: "Relay", payload: Payload) -> Payload:
    """ChangeConfiguration (§5.3): of the keys that the load manager needs, a copy is changed."""
    name, value = spelled(payload["key"]), text(payload["value"], 500)
    if name not in KEPT_AS_COPY and name not in FIXED and not is_connection_key(name):
        return await forward(relay, "ChangeConfiguration", payload)
    status = change_copy(name, payload["value"])
    if status == "Accepted":
        await in_database(keeping.change_setting, link_id=relay.terms.link_id, name=name, value=value)
        relay.wake()
    return {"status": status}


# --- answered from what is known here


async def clear_cache(relay: "Relay", payload: Payload) -> Payload:  # noqa: ARG001 (one shape for all)
    """ClearCache (§5.4)."""
    await in_database(keeping.forget_tags_of, link_id=relay.terms.link_id)
    return {"status": "Accepted"}


async def list_version(relay: "Relay", payload: Payload) -> Payload:  # noqa: ARG001
    """GetLocalListVersion (§5.10)."""
    return {"listVersion": await in_database(keeping.list_version, link_id=relay.terms.link_id)}


async def send_list(relay: "Relay", payload: Payload) -> Payload:
    """SendLocalList (§5.15)."""
    status = await in_database(keeping.change_list, link_id=relay.terms.link_id, asked=payload)
    return {"status": status}


async def trigger(relay: "Relay", payload: Payload) -> Payload:
    """TriggerMessage (§5.17), from what is known."""
    wanted = payload["requestedMessage"]
    if wanted == "BootNotification":
        relay.boot_again()
        return {"status": "Accepted"}
    known = await in_database(
        known_now, link_id=relay.terms.link_id, action=wanted, connector=payload.get("connectorId")
    )
    relay.tell_triggered({subject: (wanted, said) for subject, said in known.items()})
    return {"status": "Accepted" if known else "Rejected"}


Handler = Callable[["Relay", Payload], Awaitable[Payload]]
HANDLERS: dict[str, Handler] = {
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "ClearChargingProfile": clear_profile,
    "DataTransfer": data_transfer,
    "GetCompositeSchedule": composite_schedule,
    "GetConfiguration": get_configuration,
    "GetLocalListVersion": list_version,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "SendLocalList": send_list,
    "SetChargingProfile": set_profile,
    "TriggerMessage": trigger,
}
