"""Writes of the first start, and whether it is still to be made."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.utils import timezone

from accounts.access import has_role
from accounts.models import AccessSettings, Role, User
from energy.models import Installation


def is_first_start(user: User | AnonymousUser) -> bool:
    """Say whether a user is to be led through the first start: an administrator, as long as it is not done."""
    return has_role(user, Role.ADMINISTRATOR) and AccessSettings.get_solo().setup_done_at is None


def is_as_delivered(installation: Installation) -> bool:
    """Say whether nobody has said yet where the installation is."""
    delivered = Installation()
    is_same = (installation.country, installation.time_zone) == (delivered.country, delivered.time_zone)
    return is_same and AccessSettings.get_solo().setup_done_at is None


@transaction.atomic
def save_place(*, country: str, time_zone: str) -> None:
    """Keep where the installation is and its time zone; pages and tasks take it up with the next one."""
    _save(Installation.get_solo(), country=country, time_zone=time_zone)


@transaction.atomic
def save_access(*, dashboard_access: str) -> None:
    """Keep who may see the dashboard; with that everything is asked."""
    _save(AccessSettings.get_solo(), dashboard_access=dashboard_access)
    finish_first_start()


@transaction.atomic
def finish_first_start() -> None:
    """Count the first start as made; what was not confirmed stays as delivered. A second time changes nothing."""
    access = AccessSettings.get_solo()
    if access.setup_done_at is None:
        _save(access, setup_done_at=timezone.now())


def _save(row: models.Model, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=values)
