"""Writes that a person makes on stations: taking them into service and out of it, settings for several at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as site
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.words import labelled
from badges.models import Badge
from stations.editions import hold_room
from stations.errors import EditionFull
from stations.models import PhaseRotation, Station, StationState
from stations.ocpp16.configuration import capabilities
from stations.preconfiguration import onboard_now, reported_by
from stations.services import ask_to_decide


@transaction.atomic
def approve_stations(*, station_ids: list[int]) -> int:
    """Take stations into service and set up those that are connected; returns how many were not in service.

    Without room for all raises EditionFull, changing none.
    """
    room = hold_room()
    new = Station.objects.filter(pk__in=station_ids).exclude(state=StationState.CONFIGURED)
    numbers = list(new.values_list("pk", flat=True))
    wanted = len(numbers)
    if room is not None and wanted > room:
        text = _(
            "Edition %(edition)s has room for %(room)d more stations, %(wanted)d were chosen: choose fewer, "
            "take others out of service, or use a larger edition (LLM_EDITION)."
        )
        raise EditionFull(text % {"edition": site.EDITION, "room": room, "wanted": wanted})
    audit.update_recorded(new, state=StationState.CONFIGURED.value)
    if numbers:
        onboard_now(station_ids=numbers)
    ask_to_decide()
    return wanted


@transaction.atomic
def configure_stations(
    *,
    station_ids: Sequence[int],
    settings: Mapping[str, Any],
    badges: Sequence[Badge] | None = None,
    takes_into_service: bool = False,
    is_preview: bool = False,
) -> list[str]:
    """Give several stations the same settings, all or none; returns the names of those that had others.

    `settings`: field of a station → value; `badges` None: those chosen stay. `is_preview`: nothing is kept. Raises
    ValidationError where a setting does not go with what one of the stations has, EditionFull.
    """
    stations = list(Station.objects.select_for_update().filter(pk__in=station_ids).prefetch_related("badges"))
    changed = []
    for station in stations:
        is_new = takes_into_service and station.state != StationState.CONFIGURED
        if is_new or _differs(station, settings, badges):
            changed.append(str(station))
            _configure(station, settings, badges)
    if takes_into_service:
        approve_stations(station_ids=list(station_ids))
    ask_to_decide()
    if is_preview:
        transaction.set_rollback(True)
    return changed


def _differs(station: Station, settings: Mapping[str, Any], badges: Sequence[Badge] | None) -> bool:
    """Say whether a station has other settings yet."""
    if any(getattr(station, name) != value for name, value in settings.items()):
        return True
    return badges is not None and set(station.badges.all()) != set(badges)


def _configure(station: Station, settings: Mapping[str, Any], badges: Sequence[Badge] | None) -> None:
    """Give one station its settings; raises ValidationError that names it."""
    for name, value in settings.items():
        setattr(station, name, value)
    try:
        station.clean()
    except ValidationError as error:
        raise ValidationError([labelled(station, message) for message in error.messages]) from None
    if settings:
        station.save(update_fields=list(settings))
    if badges is not None:
        station.badges.set(badges)


@transaction.atomic
def take_out_of_service(*, station_ids: Sequence[int]) -> int:
    """Let stations be managed no longer, or refuse those that wait; returns how many it changed.

    The room they took in the edition is free again.
    """
    usable = Station.objects.filter(pk__in=station_ids).exclude(state=StationState.NOT_USABLE)
    count = audit.update_recorded(usable, state=StationState.NOT_USABLE.value)
    ask_to_decide()
    return count


def stated_rotation(station: Station) -> str:
    """Return how a station says that its phases are wired, where something else is entered; empty otherwise.

    L1L2L3 is what stations are delivered with: who says that says nothing. Nor does one entered as single-phase.
    """
    kept = getattr(station, "preconfiguration", None)
    stated = capabilities(reported_by(kept)).rotation if kept is not None else ""
    says_nothing = stated == PhaseRotation.L1L2L3 or len(station.wiring) == 1
    return "" if says_nothing or stated == station.phase_rotation else stated


def wired_otherwise() -> list[int]:
    """List the stations (keys) that state another phase rotation than the one that is entered."""
    return [known.pk for known in Station.objects.select_related("preconfiguration") if stated_rotation(known)]


def count_wired_otherwise() -> int:
    """Count them."""
    return len(wired_otherwise())


@transaction.atomic
def take_stated_rotations(*, station_ids: Sequence[int]) -> int:
    """Enter the phase rotation that stations state; returns how many had another."""
    count = 0
    for station in Station.objects.select_related("preconfiguration").filter(pk__in=station_ids):
        stated = stated_rotation(station)
        if stated:
            count += 1
            station.phase_rotation = stated
            station.save(update_fields=["phase_rotation"])
    ask_to_decide()
    return count
