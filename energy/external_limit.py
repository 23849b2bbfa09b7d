"""The limit from outside: given, renewed, lifted. It holds for all stations together, on each line."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from energy.models import ExternalLimit, Installation
from energy.supply_rules import FUSE_MAXIMUM_A
from stations.services import ask_to_decide

VOLTAGE_V = 230
LONGEST_S = 7 * 24 * 3600
MOST_W = FUSE_MAXIMUM_A * VOLTAGE_V * 3


def amperes_of(power_w: float, installation: Installation) -> float:
    """Return the current per line that a power for all stations together comes to, A."""
    return power_w / (VOLTAGE_V * installation.phases)


@transaction.atomic
def give_limit(*, limit_a: float, valid_for_s: int, given_by: str) -> ExternalLimit:
    """Have a limit hold from now on, in place of the one before; decided on at once."""
    now = timezone.now()
    until = now + timedelta(seconds=valid_for_s)
    _write(limit_a=limit_a, valid_until=until, given_by=given_by[:200], given_at=now)
    ask_to_decide()
    return _row()


@transaction.atomic
def lift_limit() -> ExternalLimit:
    """Have no limit from outside hold any more, not even the one that holds when the last has run out."""
    _write(limit_a=None, valid_until=None, given_by="", given_at=None)
    ask_to_decide()
    return _row()


def keep_validity(*, valid_for_s: int) -> None:
    """Note how long the next limit is to hold that does not say so itself."""
    _write(valid_for_s=valid_for_s)


@transaction.atomic
def set_expiry(*, limit: ExternalLimit) -> None:
    """Keep what holds when a limit has run out; the limit itself may have changed meanwhile."""
    limit.save(update_fields=["after_expiry", "fallback_a"])
    ask_to_decide()


def _write(**values: Any) -> None:
    """Write what comes from outside, without an entry in the audit trail: it may come each second."""
    row = _row()
    ExternalLimit.objects.filter(pk=row.pk).update(**values)


def _row() -> ExternalLimit:
    row: ExternalLimit = ExternalLimit.get_solo()
    return row
