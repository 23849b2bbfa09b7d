"""Writes on stations and their connectors: connecting, booting, state, limits. `transactions.py` has the rest."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from accounts import audit
from stations.discovery.joining import join_stations
from stations.editions import hold_room, room_for_stations
from stations.errors import StationRefused
from stations.models import (
    Connector,
    ConnectorStatus,
    CpoLink,
    LocalList,
    Preconfiguration,
    ProgressKind,
    Station,
    StationProgress,
    StationState,
    Transaction,
)
from stations.ocpp16.configuration import MOST_CONNECTORS
from stations.ocpp16.handshake import Offer
from stations.ocpp16.normalise import Boot, Status
from stations.security import hold_to_profile
from stations.signals import decide_again

JOINED_FOR = timedelta(days=1)  # who had an address at the last search may have another later
IDLE_STATUSES = frozenset({ConnectorStatus.AVAILABLE, ConnectorStatus.UNAVAILABLE, ConnectorStatus.RESERVED})


def ask_to_decide() -> None:
    """Wish for a new decision as soon as this database transaction is in."""
    transaction.on_commit(lambda: decide_again.send(sender=None), robust=True)


@transaction.atomic
def admit_station(*, identity: str, offer: Offer, socket_id: str) -> Station:
    """Give a station's place to a new socket; the newest wins. An unknown station is taken in as Pending.

    Raises StationRefused with the HTTP status of the handshake.
    """
    station = find_station(identity) or _take_in(identity)
    profile = station.security_profile
    secured = hold_to_profile(station, offer)
    now = timezone.now()
    station.socket_id, station.connected_at, station.last_seen_at = socket_id, now, now
    station.ip_address = offer.ip_address or station.ip_address
    station.called_address = offer.called_address
    _write(station, "socket_id", "connected_at", "last_seen_at", "ip_address", "called_address", *secured)
    if station.security_profile != profile:
        audit.record(station, {"security_profile": (profile, station.security_profile)})
    station.has_operators = CpoLink.objects.filter(station=station).exists()
    ask_to_decide()
    return station


def _write(station: Station, *names: str) -> None:
    """Write what a station brings along, without the query that the audit trail makes of what is saved."""
    Station.objects.filter(pk=station.pk).update(**{name: getattr(station, name) for name in names})


def find_station(identity: str) -> Station | None:
    """Find a station by its identity; one in another case is the same where only one can be meant."""
    exactly = Station.objects.filter(identity=identity).first()
    if exactly is not None:
        return exactly
    alike = list(Station.objects.filter(identity__iexact=identity)[:2])
    return alike[0] if len(alike) == 1 else None


def _take_in(identity: str) -> Station:
    """Create an unknown station, where the settings and the edition let it in."""
    if settings.ACCEPT_STATIONS == "off":
        raise StationRefused(404, f"{identity} is unknown, and new stations are not accepted (LLM_ACCEPT_STATIONS)")
    if room_for_stations() == 0:
        raise StationRefused(
            404, f"{identity} is unknown, and edition {settings.EDITION} has no room for more stations"
        )
    station = Station.objects.create(identity=identity)
    Connector.objects.create(station=station, number=1)
    return station


def release_socket(*, station_id: int, socket_id: str) -> bool:
    """Note that a socket closed; False if a newer one has taken the station over, which is then left alone."""
    released = Station.objects.filter(pk=station_id, socket_id=socket_id).update(
        socket_id="", last_seen_at=timezone.now()
    )
    if released:
        ask_to_decide()
    return bool(released)


def forget_sockets() -> None:
    """Note at the start of a web process that the sockets of its last life are gone."""
    Station.objects.filter(socket_id__startswith=f"{settings.WEB_ID}/").update(socket_id="")


def note_seen(*, station_ids: list[int]) -> None:
    """Note that stations were heard just now."""
    Station.objects.filter(pk__in=station_ids).update(last_seen_at=timezone.now())


@transaction.atomic
def boot_station(*, station_id: int, boot: Boot) -> str:
    """Keep what a station says of itself; returns its state. What it was told before the boot no longer counts."""
    station = Station.objects.get(pk=station_id)
    state = station.state
    station.vendor, station.model = boot.vendor, boot.model
    station.serial_number, station.firmware_version = boot.serial_number, boot.firmware_version
    if station.state == StationState.PENDING and settings.ACCEPT_STATIONS == "auto":
        station.state = StationState.NOT_USABLE if hold_room() == 0 else StationState.CONFIGURED
    _write(station, "vendor", "model", "serial_number", "firmware_version", "state")
    if station.state != state:
        audit.record(station, {"state": (state, station.state)})
    Preconfiguration.objects.filter(station=station).update(needs_reboot=False)
    LocalList.objects.filter(preconfiguration__station=station).update(is_checked=False)
    forget_limits(station_id=station_id)
    if not (station.mac_address and station.host_name):
        join_stations(seen_since=timezone.now() - JOINED_FOR)
    return station.state


@transaction.atomic
def forget_limits(*, station_id: int) -> None:
    """Count no limit of a station as held: it may have lost them, and is told them anew."""
    Station.objects.filter(pk=station_id).update(standing_fail_safe_a=None)
    Connector.objects.filter(station_id=station_id).update(accepted_limit_a=None, accepted_at=timezone.now())
    ask_to_decide()


def connector_of(station_id: int, number: int) -> Connector:
    """Find a connector, creating it when the station first names it.

    A station has 20 at most: what it says of further ones is kept at its first, and makes none.
    """
    number = max(1, number)
    own = Connector.objects.filter(station_id=station_id)
    found = own.filter(number=number).first()
    if found is not None:
        return found
    if own.count() >= MOST_CONNECTORS:
        return own.order_by("number")[0]
    made, is_new = own.get_or_create(station_id=station_id, number=number)
    if is_new:
        Station.objects.filter(pk=station_id).update(standing_fail_safe_a=None)
    return made


@transaction.atomic
def record_status(*, station_id: int, status: Status) -> int | None:
    """Keep a connector's state; one on connector 0, or on more than a station can have, changes no connector.

    Returns the transaction (primary key) that charges there though its badge was refused, if there is one.
    """
    if status.connector == 0:
        return None
    connector = connector_of(station_id, status.connector)
    if connector.number != status.connector:
        return None
    if connector.status_at is not None and status.at < connector.status_at:
        return None
    known = status.status in ConnectorStatus.values
    connector.status = status.status if known else ConnectorStatus.UNKNOWN
    connector.error_code, connector.status_at = status.error_code, status.at
    connector.save(update_fields=["status", "error_code", "status_at"])
    if connector.status in IDLE_STATUSES:
        note_idle(connector)
    ask_to_decide()
    if connector.status != ConnectorStatus.CHARGING:
        return None
    refused = Transaction.objects.filter(connector=connector, stopped_at=None, is_authorised=False)
    return refused.values_list("pk", flat=True).first()


def record_progress(*, station_id: int, kind: ProgressKind, status: str) -> None:
    """Keep how far a station has come with an update or an upload, in place of what it said before."""
    StationProgress.objects.update_or_create(
        station_id=station_id, kind=kind, defaults={"status": status, "at": timezone.now()}
    )


def note_idle(connector: Connector) -> None:
    """Note that nothing flows through a connector that is known to measure."""
    Connector.objects.filter(pk=connector.pk, measured_at__isnull=False).update(
        current_l1_a=0.0, current_l2_a=0.0, current_l3_a=0.0, power_w=0.0, measured_at=timezone.now()
    )


@transaction.atomic
def record_limit(
    *,
    connector_id: int,
    transaction_id: int,
    limit_a: float,
    lasts: bool = False,
    replaces_standing: bool = False,
    is_overtaken: bool = False,
    is_beyond_limits: bool = False,
    refusal: str = "",
    remark: str = "",
) -> bool:
    """Keep a station's answer to a limit: accepted, or with `refusal` why the limit before still holds.

    `lasts`: it was given in a form that outlives the transaction, `replaces_standing`: in the place of the standing
    current. `is_overtaken`: the acceptance came late and a newer limit was sent since; the larger counts. `remark` is
    shown with an acceptance. `is_beyond_limits`: it takes no form at all; where it is not known to hold any limit, it
    counts at its maximum. Returns whether what it was meant for still runs; else an acceptance says nothing of the
    next transaction and is passed over, but for what lasts.
    """
    connector = Connector.objects.filter(pk=connector_id)
    still_runs = Transaction.objects.filter(pk=transaction_id, stopped_at=None).exists()
    if refusal:
        connector.update(refusal=refusal[:200])
        if is_beyond_limits and still_runs:
            maximum_a = Station.objects.filter(connectors=OuterRef("pk")).values("max_current_a")
            connector.filter(accepted_limit_a=None).update(accepted_limit_a=Subquery(maximum_a))
    elif lasts:
        connector.update(lasting_limit_a=limit_a)
        if replaces_standing:
            connector.update(lasting_replaces_standing=True)
    if still_runs and not refusal:
        held = Greatest(Coalesce("accepted_limit_a", limit_a), limit_a) if is_overtaken else Value(limit_a)
        connector.update(accepted_limit_a=held, accepted_at=timezone.now(), refusal=remark)
    ask_to_decide()
    return still_runs


def held_limit(*, connector_id: int, transaction_id: int) -> tuple[int, float] | None:
    """Return a connector's number and the limit it accepted in a running transaction, A; None where none is known.

    What it held when the transaction began (`start_transaction`) was not accepted for it.
    """
    running = Transaction.objects.filter(pk=transaction_id, stopped_at=None)
    running = running.filter(recorded_at__lt=F("connector__accepted_at"))
    held = Connector.objects.filter(pk=connector_id, transactions__in=running).first()
    return (held.number, held.accepted_limit_a) if held is not None and held.accepted_limit_a is not None else None


@transaction.atomic
def record_disobeyed(*, connector_id: int, transaction_id: int, refusal: str, offered_a: float | None) -> bool:
    """Keep that a station accepted a limit and does not keep it; returns whether its transaction still runs.

    What it measures is counted anyhow; `offered_a` is what one that measures nothing says it offers.
    """
    connector = Connector.objects.filter(pk=connector_id)
    still_runs = Transaction.objects.filter(pk=transaction_id, stopped_at=None).exists()
    if still_runs:
        connector.update(refusal=refusal[:200])
        if offered_a is not None:
            connector.update(accepted_limit_a=offered_a)
        ask_to_decide()
    return still_runs


@transaction.atomic
def note_cleared(*, connector_id: int) -> None:
    """Note that a running transaction's profile was taken back: until the next is accepted, the standing one holds."""
    connector = Connector.objects.select_related("station").get(pk=connector_id)
    standing_a, accepted_a = connector.station.standing_fail_safe_a, connector.accepted_limit_a
    held_a = None if standing_a is None or accepted_a is None else max(standing_a, accepted_a)
    Connector.objects.filter(pk=connector_id).update(accepted_limit_a=held_a)


def record_standing(*, station_id: int, numbers: list[int], fail_safe_a: float) -> None:
    """Keep that these connectors hold the standing fail-safe profile, where the station has no others by now."""
    if not Connector.objects.filter(station_id=station_id).exclude(number__in=numbers).exists():
        Station.objects.filter(pk=station_id).update(standing_fail_safe_a=fail_safe_a)
