"""What a station says: one thin handler a message (OCPP 1.6 §4), each one service, then the reply.

A handler takes the socket and the payload as it came, and returns the reply's payload.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from stations.authorising import present_badge
from stations.cpo import links, wording
from stations.models import ProgressKind, StationState
from stations.ocpp16 import complaints, normalise
from stations.ocpp16.batching import keep_meter_values
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.ocpp16.long_messages import keep_portions
from stations.ocpp16.onboarding import SETTLE_S
from stations.ocpp16.security import security_event, sign_certificate
from stations.services import boot_station, record_progress, record_status
from stations.transactions import awaits_stop, start_transaction, stop_transaction

if TYPE_CHECKING:
    from stations.ocpp16.consumer import StationConsumer

Payload = dict[str, Any]
HEARTBEAT_S, PENDING_RETRY_S, REJECTED_RETRY_S = 60, 15, 300
REPLY_TO_BOOT = {
    StationState.CONFIGURED: ("Accepted", HEARTBEAT_S),
    StationState.PENDING: ("Pending", PENDING_RETRY_S),
    StationState.NOT_USABLE: ("Rejected", REJECTED_RETRY_S),
}


def wire_time(at: datetime) -> str:
    """Write a time as stations read it: UTC, milliseconds, Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


async def boot_notification(socket: "StationConsumer", payload: Payload) -> Payload:
    """BootNotification (§4.2): who the station is; told whether it may serve."""
    state = await in_database(boot_station, station_id=socket.station.pk, boot=normalise.read_boot(payload))
    status, interval_s = REPLY_TO_BOOT[StationState(state)]
    for relay in links.relays_of(socket.station.pk):
        relay.boot_again()
    socket.start_onboarding(SETTLE_S)
    return {"status": status, "currentTime": wire_time(timezone.now()), "interval": interval_s}


async def heartbeat(socket: "StationConsumer", payload: Payload) -> Payload:  # noqa: ARG001 (one shape for all)
    """Heartbeat (§4.6): the time, and no database."""
    return {"currentTime": wire_time(timezone.now())}


async def authorize(socket: "StationConsumer", payload: Payload) -> Payload:
    """Authorize (§4.1): whether a badge may charge here; a Supervisor's may end what runs.

    Where there is an operator, that decides.
    """
    id_tag = normalise.text(payload.get("idTag"), 255)
    relay = links.relay_of(socket.station.pk)
    if relay is not None:
        return {"idTagInfo": await relay.authorise(id_tag)}
    presented = await in_database(present_badge, station_id=socket.station.pk, id_tag=id_tag)
    for transaction_id in presented.to_stop:
        socket.start_stop(transaction_id)
    return {"idTagInfo": presented.decision.id_tag_info}


async def start(socket: "StationConsumer", payload: Payload) -> Payload:
    """StartTransaction (§4.8)."""
    begun = normalise.read_start(payload, timezone.now())
    transaction, decision = await in_database(
        start_transaction, station_id=socket.station.pk, start=begun, raw=normalise.keepable(payload)
    )
    info, relay = decision.id_tag_info, links.relay_of(socket.station.pk)
    if relay is not None:
        socket.tells_operator = True
        info = await relay.authorise_start(transaction.pk, info)
    return {"transactionId": transaction.pk, "idTagInfo": info}


async def stop(socket: "StationConsumer", payload: Payload) -> Payload:
    """StopTransaction (§4.10); of long transaction data all but the first portion is kept before, unless repeated."""
    station_id = socket.station.pk
    portions = normalise.portions(
        {"transactionId": payload.get("transactionId"), "meterValue": payload.get("transactionData")}
    )
    first, second = next(portions), next(portions, None)
    ended = normalise.read_stop({**payload, "transactionData": first["meterValue"]}, timezone.now())
    ended = replace(ended, sent=payload)
    if (
        second is not None
        and ended.transaction_id
        and await in_database(awaits_stop, station_id=station_id, transaction_id=ended.transaction_id)
    ):
        await keep_portions(station_id, chain([second], portions))
    decision = await in_database(stop_transaction, station_id=station_id, stop=ended, raw=normalise.keepable(payload))
    socket.limits.release()
    links.wake(station_id)
    return {"idTagInfo": decision.id_tag_info} if decision else {}


async def meter_values(socket: "StationConsumer", payload: Payload) -> Payload:
    """MeterValues (§4.7); a transaction that was refused and goes on is stopped."""
    portions = normalise.portions(payload)
    first, second = next(portions), next(portions, None)
    if second is None:
        values = normalise.read_meter_values(first, timezone.now())
        if socket.tells_operator:
            values = replace(values, sent=payload)
        transaction = await keep_meter_values(socket.station.pk, values)
    else:
        every = chain([first, second], portions)
        values, transaction = await keep_portions(socket.station.pk, every, tells_operator=socket.tells_operator)
    if socket.tells_operator:
        links.wake(socket.station.pk)
    if transaction is not None and not transaction.is_authorised and transaction.stopped_at is None:
        socket.start_stop(transaction.pk)
    if transaction is not None and values.samples:
        socket.limits.hear(transaction.connector_id, transaction.pk, values.samples[-1])
    return {}


async def status_notification(socket: "StationConsumer", payload: Payload) -> Payload:
    """StatusNotification (§4.9); a transaction that was refused and charges is stopped: not all stations measure."""
    status = normalise.read_status(payload, timezone.now())
    refused = await in_database(record_status, station_id=socket.station.pk, status=status)
    if refused is not None:
        socket.start_stop(refused)
    socket.limits.release()
    for relay in links.relays_of(socket.station.pk):
        relay.tell(status.connector, "StatusNotification", wording.status_message(payload, status))
    return {}


async def data_transfer(socket: "StationConsumer", payload: Payload) -> Payload:
    """DataTransfer (§4.3): no vendor's extension is understood here; the operator may."""
    socket.log.info("DataTransfer of %r", normalise.text(payload.get("vendorId"), 255))
    relay = links.relay_of(socket.station.pk)
    if relay is not None:
        return await relay.transfer(payload)
    return {"status": "UnknownVendorId"}


async def progress(kind: ProgressKind, action: str, socket: "StationConsumer", payload: Payload) -> Payload:
    """Keep how far an update or an upload has come (§4.4, §4.5; security whitepaper §5.8, §5.13)."""
    status = normalise.text(payload.get("status"), 50)
    socket.log.info("%s: %r", kind, status)
    if status:
        await in_database(record_progress, station_id=socket.station.pk, kind=kind, status=status)
    for relay in links.relays_of(socket.station.pk):
        relay.tell(action, action, wording.progress_message(action, payload))
    return {}


Handler = Callable[["StationConsumer", Payload], Awaitable[Payload]]
HANDLERS: dict[str, Handler] = {
    "Authorize": authorize,
    "BootNotification": boot_notification,
    "DataTransfer": data_transfer,
    "DiagnosticsStatusNotification": partial(progress, ProgressKind.DIAGNOSTICS, "DiagnosticsStatusNotification"),
    "FirmwareStatusNotification": partial(progress, ProgressKind.FIRMWARE, "FirmwareStatusNotification"),
    "Heartbeat": heartbeat,
    "LogStatusNotification": partial(progress, ProgressKind.LOG, "LogStatusNotification"),
    "MeterValues": meter_values,
    "SecurityEventNotification": security_event,
    "SignCertificate": sign_certificate,
    "SignedFirmwareStatusNotification": partial(
        progress, ProgressKind.SIGNED_FIRMWARE, "SignedFirmwareStatusNotification"
    ),
    "StartTransaction": start,
    "StatusNotification": status_notification,
    "StopTransaction": stop,
}


async def answer(socket: "StationConsumer", action: str, payload: Payload) -> Payload:
    """Answer one call; raises OcppError where it is unknown or cannot be understood."""
    handler = HANDLERS.get(action)
    if handler is None:
        raise OcppError("NotImplemented", f"unknown action {action[:50]!r}")
    complaints.note(socket.station.pk, socket.station.identity, action, payload)
    return await handler(socket, payload)
