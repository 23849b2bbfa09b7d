"""Writes that a person makes on stations: settings for several at once, and taking them out of service."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from badges.models import Badge
from stations.models import Station, StationState
from stations.services import approve_stations, ask_to_decide


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
        raise ValidationError([f"{station}: {message}" for message in error.messages]) from None
    if settings:
        station.save(update_fields=list(settings))
    if badges is not None:
        station.badges.set(badges)


@transaction.atomic
def take_out_of_service(*, station_ids: Sequence[int]) -> int:
    """Let stations be managed no longer; returns how many were. The room they took in the edition is free again."""
    in_service = Station.objects.filter(pk__in=station_ids, state=StationState.CONFIGURED)
    count = in_service.update(state=StationState.NOT_USABLE)
    ask_to_decide()
    return count
