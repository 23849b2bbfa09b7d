"""How links stand: which there are, what they have to say when they begin, and what the operator has set."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from stations.cpo.outbox import current_link, still_needed
from stations.cpo.policy import HEARTBEAT
from stations.cpo.wording import boot_message, meter_message, progress_message, wire_time
from stations.editions import has_operators
from stations.models import (
    Connector,
    CpoLink,
    CpoServer,
    CpoTransaction,
    LinkState,
    ProgressKind,
    Station,
    StationProgress,
    StationState,
)
from stations.ocpp16.normalise import MeterValues, Sample
from stations.ocpp16.schemas import fits

Payload = dict[str, Any]
AWAITS_BOOT = timedelta(seconds=10)  # a new station boots at once; one that comes back need not
PROGRESS_KINDS = {  # what may be triggered, and the words that end it
    "DiagnosticsStatusNotification": (ProgressKind.DIAGNOSTICS, {"Uploaded", "UploadFailed"}),
    "FirmwareStatusNotification": (ProgressKind.FIRMWARE, {"DownloadFailed", "InstallationFailed", "Installed"}),
}


@transaction.atomic
def links_to_serve(*, web_id: str, station_ids: list[int]) -> list[CpoLink]:
    """Take over the links of the stations whose sockets are here, and return all that this process speaks for."""
    if not has_operators() or not CpoServer.objects.exists():
        return []
    here = Station.objects.filter(pk__in=station_ids, is_cpo_enabled=True, state=StationState.CONFIGURED)
    identity = Coalesce(NullIf(OuterRef("cpo_identity"), Value("")), OuterRef("identity"))
    own = CpoLink.objects.filter(station=OuterRef("pk"), server=OuterRef("cpo_server"), identity=identity)
    for station in here.exclude(cpo_server=None).exclude(Exists(own)):
        current_link(station)
    CpoLink.objects.filter(station__in=station_ids).exclude(web_id=web_id).update(web_id=web_id)
    served = CpoLink.objects.filter(still_needed(), web_id=web_id)
    return list(served.select_related("server", "station").order_by("pk"))


def forget_states() -> None:
    """Note at the start of a web process that the connections of its last life are gone."""
    CpoLink.objects.filter(web_id=settings.WEB_ID).update(
        state=LinkState.CONNECTING, cause="", detail="", changed_at=timezone.now()
    )


def note_state(*, link_id: int, state: LinkState, cause: str = "", detail: str = "") -> None:
    """Keep how a link stands, and since when where that is new; trying again does not hide why it cannot be reached."""
    link = CpoLink.objects.filter(pk=link_id)
    if state is LinkState.CONNECTING and not cause:
        link = link.exclude(state=LinkState.UNREACHABLE)
    link.filter(~Q(state=state)).update(changed_at=timezone.now())
    link.update(state=state, cause=cause, detail=detail.replace("\x00", "")[:200])


def boot_of(*, link_id: int) -> Payload | None:
    """Return the BootNotification of a link; None while its station was never heard, or is about to say what it is."""
    station = Station.objects.filter(cpo_links=link_id).first()
    if station is None or station.connected_at is None:
        return None
    if not station.model and station.is_connected and timezone.now() - station.connected_at < AWAITS_BOOT:
        return None
    return boot_message(station.vendor, station.model, station.serial_number, station.firmware_version)


def statuses_of(*, link_id: int) -> dict[Any, tuple[str, Payload]]:
    """Return a StatusNotification of every connector as it is known now; of a station that is away, Unavailable."""
    said: dict[Any, tuple[str, Payload]] = {}
    for row in Connector.objects.filter(station__cpo_links=link_id).select_related("station").order_by("number"):
        said[row.number] = ("StatusNotification", status_of(row))
    return said


def status_of(row: Connector) -> Payload:
    """Return the StatusNotification of a connector."""
    status = row.status if row.station.is_connected and row.status else "Unavailable"
    error = row.error_code.partition(" ")[0] or "NoError"
    at = row.status_at if row.status_at is not None and row.station.is_connected else timezone.now()
    payload = {"connectorId": row.number, "status": status, "errorCode": error, "timestamp": wire_time(at)}
    return payload if fits("StatusNotification", payload) else {**payload, "errorCode": "OtherError"}


def heartbeat_s(*, link_id: int, otherwise: float) -> float:
    """Return the seconds between heartbeats: what the operator has set, else what it said."""
    kept = CpoLink.objects.filter(pk=link_id).values_list("settings", flat=True).first() or {}
    return max(1.0, float(kept[HEARTBEAT])) if kept.get(HEARTBEAT) else otherwise


def known_now(*, link_id: int, action: str, connector: int | None) -> dict[Any, Payload]:
    """Return what can be told by an action now, each with its subject; empty: nothing. `connector` None: of all."""
    if action == "Heartbeat":
        return {action: {}}
    if action in PROGRESS_KINDS:
        said = latest_progress(link_id=link_id, action=action)
        return {} if said is None else {action: said}
    rows = Connector.objects.filter(station__cpo_links=link_id).select_related("station").order_by("number")
    if connector is not None:
        rows = rows.filter(number=connector)
    if action == "StatusNotification":
        return {row.number: status_of(row) for row in rows}
    values = {("MeterValues", row.number): values_of(row, link_id) for row in rows}
    return {subject: said for subject, said in values.items() if said is not None}


def values_of(row: Connector, link_id: int) -> Payload | None:
    """Return a MeterValues of what a connector last measured; None where it measured nothing."""
    currents_a = (row.current_l1_a, row.current_l2_a, row.current_l3_a)
    sample = Sample(row.measured_at or timezone.now(), "Trigger", row.energy_wh, row.power_w, currents_a)
    payload = meter_message({}, MeterValues(row.number, None, (sample,)), is_of_transaction=False)
    running = CpoTransaction.objects.filter(link=link_id, transaction__connector=row, transaction__stopped_at=None)
    number = running.values_list("cpo_id", flat=True).first()
    return payload if payload is None or number is None else {**payload, "transactionId": number}


def latest_progress(*, link_id: int, action: str) -> Payload | None:
    """Return how far an update or an upload is: Idle where none is under way (§7.20); None: unknown."""
    kind, ended = PROGRESS_KINDS[action]
    rows = StationProgress.objects.filter(station__cpo_links=link_id, kind=kind)
    status = rows.values_list("status", flat=True).first()
    return progress_message(action, {"status": "Idle" if status is None or status in ended else status})
