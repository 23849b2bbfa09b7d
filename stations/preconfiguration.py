"""Writes on what is known of a station's abilities: its configuration, what was tried on it, its profile ladders."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import audit
from stations.fail_safe import catch_up_on_test
from stations.models import Connector, ConnectorStatus, Preconfiguration, Station, StationState
from stations.ocpp16.configuration import WRITTEN, Capabilities, Change, Reported, Tried, capabilities
from stations.ocpp16.ladder import Climb, Role, restore
from stations.ocpp16.sockets import publish
from stations.services import ask_to_decide, connector_of

MOST_ATTEMPTS = 2
CHARGES = frozenset({ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a station's configuration; `is_read` False: it was not yet told."""

    is_read: bool
    reported: dict[str, Reported]
    tried: list[Tried]
    vendor: str


@dataclass(frozen=True, slots=True)
class Lasting:
    """A live limit that outlives a transaction, whether that is over, and whether it took the standing one's place."""

    number: int
    is_over: bool
    replaces_standing: bool


def reported_by(kept: Preconfiguration) -> dict[str, Reported]:
    """Return the configuration as the station gave it."""
    return {key: Reported(str(value), bool(is_readonly)) for key, (value, is_readonly) in kept.reported.items()}


def tried_on(kept: Preconfiguration) -> list[Tried]:
    """Return what was written, with its outcomes."""
    return [Tried(*map(str, attempt)) for attempt in kept.tried]


def capabilities_of(station: Station, kept: Preconfiguration | None) -> Capabilities:
    """Return what a station can; it has as many connectors as it said, or showed."""
    can = capabilities(reported_by(kept)) if kept is not None else Capabilities()
    return replace(can, connectors=max(can.connectors, station.connectors.count()))


@transaction.atomic
def begin_onboarding(*, station_id: int) -> Known | None:
    """Return what is known of a station in service; None where it is not to be asked.

    Another firmware makes everything unknown. One that was asked twice and told nothing is left alone: it may restart
    because it is asked.
    """
    station = Station.objects.get(pk=station_id)
    if station.state != StationState.CONFIGURED:
        return None
    catch_up_on_test(station_id=station_id)
    kept, _is_new = Preconfiguration.objects.get_or_create(
        station=station, defaults={"firmware_version": station.firmware_version}
    )
    if kept.firmware_version != station.firmware_version:
        kept.delete()
        kept = Preconfiguration.objects.create(station=station, firmware_version=station.firmware_version)
    if kept.read_at is None:
        if kept.attempts >= MOST_ATTEMPTS:
            return None
        kept.attempts += 1
        kept.save(update_fields=["attempts"])
    return Known(kept.read_at is not None, reported_by(kept), tried_on(kept), station.vendor)


@transaction.atomic
def keep_reported(*, station_id: int, reported: Mapping[str, Reported]) -> None:
    """Keep a station's configuration, and make the connectors that it says it has."""
    Preconfiguration.objects.filter(station_id=station_id).update(
        reported={key: list(value) for key, value in reported.items()}, read_at=timezone.now()
    )
    for number in range(1, capabilities(reported).connectors + 1):
        connector_of(station_id, number)
    ask_to_decide()


@transaction.atomic
def keep_tried(*, station_id: int, change: Change, outcome: str = "") -> list[Tried]:
    """Keep what is about to be written, then in its place the outcome; returns all that was tried."""
    kept = Preconfiguration.objects.get(station_id=station_id)
    if outcome:
        kept.tried[-1] = [change.key, change.value, outcome]
    else:
        kept.tried.append([change.key, change.value, ""])
    if outcome in WRITTEN and change.key in kept.reported:
        kept.reported[change.key][0] = change.value
    kept.needs_reboot = kept.needs_reboot or outcome == "RebootRequired"
    kept.save(update_fields=["tried", "reported", "needs_reboot"])
    return tried_on(kept)


@transaction.atomic
def restore_preconfiguration(*, station_ids: list[int]) -> None:
    """Forget what stations can and what was tried on them, and begin anew with those that are connected."""
    Preconfiguration.objects.filter(station_id__in=station_ids).delete()
    for station in Station.objects.filter(pk__in=station_ids):
        audit.record(station, {}, note=gettext_noop("Its pre-configuration begins anew."))
    onboard_now(station_ids=station_ids)


def onboard_now(*, station_ids: list[int]) -> None:
    """Have stations set up that are connected, as soon as this database transaction is in."""
    message = {"type": "stations.onboard", "station_ids": station_ids}
    transaction.on_commit(lambda: publish(message), robust=True)


def load_climbs(*, station_id: int) -> tuple[dict[Role, Climb], int]:
    """Return where a station is on the ladder of each role, and how many phases it has."""
    station = Station.objects.select_related("preconfiguration").get(pk=station_id)
    kept = getattr(station, "preconfiguration", None)
    can = capabilities_of(station, kept)
    ladders = kept.ladders if kept is not None else {}
    return {role: restore(can, role, ladders.get(role, {})) for role in Role}, len(station.wiring)


@transaction.atomic
def keep_climb(*, station_id: int, climb: Climb) -> None:
    """Keep where a station is on the ladder of one role."""
    station = Station.objects.get(pk=station_id)
    kept, _is_new = Preconfiguration.objects.select_for_update().get_or_create(
        station=station, defaults={"firmware_version": station.firmware_version}
    )
    kept.ladders[climb.role] = climb.dump()
    kept.save(update_fields=["ladders"])


def lasting_limits(*, station_id: int) -> list[Lasting]:
    """List the connectors whose live limit outlives a transaction."""
    rows = Connector.objects.filter(station_id=station_id, lasting_limit_a__isnull=False)
    return [
        Lasting(
            number=row.number,
            is_over=row.status not in CHARGES and not row.transactions.filter(stopped_at=None).exists(),
            replaces_standing=row.lasting_replaces_standing,
        )
        for row in rows
    ]


@transaction.atomic
def drop_lasting(*, station_id: int, numbers: list[int]) -> None:
    """Note that lasting limits are gone from the station: cleared, or replaced by the standing current."""
    connectors = Connector.objects.filter(station_id=station_id, number__in=numbers)
    connectors.update(lasting_limit_a=None, lasting_replaces_standing=False)
    ask_to_decide()


@transaction.atomic
def want_standing(*, station_id: int) -> None:
    """Note that a live limit has replaced the standing current and no longer holds: it must be sent again."""
    Station.objects.filter(pk=station_id).update(standing_fail_safe_a=None)
    ask_to_decide()
