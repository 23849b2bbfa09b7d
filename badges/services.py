"""Writes on badges."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.words import labelled
from badges.models import Badge


@transaction.atomic
def configure_badges(
    *, badge_ids: Iterable[int], settings: Mapping[str, Any], station_ids: Iterable[int] | None
) -> int:
    """Give several badges the same settings, all of them or none; returns how many were other before.

    `station_ids` None: the stations they name stay. Raises ValidationError.
    """
    changed = 0
    for badge in Badge.objects.select_for_update().filter(pk__in=list(badge_ids)).order_by("pk"):
        before = {name: getattr(badge, name) for name in settings}
        named = set(badge.stations.values_list("pk", flat=True)) if station_ids is not None else set()
        is_other = before != dict(settings)
        if is_other:
            for name, value in settings.items():
                setattr(badge, name, value)
            _check(badge)
            badge.save(update_fields=list(settings))
        if station_ids is not None and named != set(station_ids):
            badge.stations.set(station_ids)
            is_other = True
        changed += is_other
    return changed


def _check(badge: Badge) -> None:
    """Raise ValidationError with the badge it is about."""
    try:
        badge.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise ValidationError([labelled(badge.id_tag, message) for message in error.messages]) from None
