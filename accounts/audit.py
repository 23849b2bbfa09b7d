"""The audit trail: who changed what, when, from what to what, and from where. docs/decisions/0007-audit-trail.md.

What `save()`, `delete()` and the links of many-to-many fields change is kept by itself, for every model that its app
names with `track`. `QuerySet.update` and `bulk_create` are not seen: configuration is changed that way only by
`update_recorded`, or by a service that calls `record_together`; what stations say is, so that a meter value or a
heartbeat costs nothing more.
"""

import copy
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from auditlog.diff import model_instance_diff
from auditlog.models import LogEntry
from auditlog.registry import auditlog
from auditlog.signals import pre_log
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.signals import pre_save
from django.utils import timezone
from solo.models import SingletonModel

from accounts.addresses import client_address
from accounts.bulk import insert_many
from accounts.models import User
from accounts.origin import Way, named_origin, present_request, present_way

HIDDEN = "***"
KEPT_FOR = timedelta(days=731)


def track(
    model: type[Model],
    *,
    fields: Collection[str],
    secrets: Collection[str] = (),
    links: Collection[str] = (),
    names: Mapping[str, Any] | None = None,
) -> None:
    """Have every change of a model's configuration kept; an app calls this for its models in `AppConfig.ready`.

    `fields` are kept with their values, of `secrets` only that they changed, of `links` (many-to-many) what was added
    and removed. What stations say of themselves is none of them. `names`: what people call fields that do not say it.
    """
    auditlog.register(
        model,
        include_fields=[*fields, *secrets],
        mask_fields=[*secrets],
        mask_callable=f"{__name__}.hide",
        m2m_fields=set(links),
        mapping_fields=dict(names or {}),
    )


def hide(value: str) -> str:
    """Say of a secret whether there is one: empty, or stars. A password that cannot be used counts as none."""
    return "" if value in ("", "None") or value.startswith("!") else HIDDEN


def record(row: Model, changes: Mapping[str, Any], *, note: str = "") -> None:
    """Keep that fields of a row went from one value to another: name → (from, to).

    `note`: what was done besides, as an English sentence that is translated where it is shown (`gettext_noop`).
    """
    LogEntry.objects.log_create(
        row, action=LogEntry.Action.UPDATE, changes=dict(changes), additional_data={"note": note} if note else None
    )


@transaction.atomic
def update_recorded(rows: QuerySet[Any], **values: Any) -> int:
    """Set the same values on many rows in one statement, and keep what changed of each; returns how many there were."""
    found = list(rows.select_for_update())
    rows.model._default_manager.filter(pk__in=[row.pk for row in found]).update(**values)
    for before in found:
        after = copy.copy(before)
        for name, value in values.items():
            setattr(after, name, value)
        changes = model_instance_diff(before, after, fields_to_check=list(values), use_json_for_changes=True)
        if changes:
            record(after, changes)
    return len(found)


def record_together(
    changes: Iterable[tuple[Model | None, Model]], *, group: str, note: str, user: User | None, address: str | None
) -> None:
    """Keep what was done to many rows of a model at once: (before, after), before None of a new one.

    `user` and `address` are who had it done on a page: the worker knows no request. `group` is what entries of one deed
    share, `note` as in `record`. The model has no secrets.
    """
    changes = list(changes)
    if not changes:
        return
    like = LogEntry(
        content_type=ContentType.objects.get_for_model(changes[0][1]),
        actor=user,
        actor_email="" if user is None else user.email,
        remote_addr=address,
        additional_data={"note": note, "who": "" if user is None else user.username, "way": Way.PAGE.value},
        cid=group,
    )
    create, update = LogEntry.Action.CREATE, LogEntry.Action.UPDATE
    rows = (
        (str(after.pk), after.pk, str(after), create if before is None else update, _between(before, after))
        for before, after in changes
    )
    insert_many(like, ("object_pk", "object_id", "object_repr", "action", "changes"), rows)


def _between(before: Model | None, after: Model) -> dict[str, tuple[Any, Any]]:
    """Do what `model_instance_diff` does for a model without secrets and relations, several times as fast."""
    tracked = auditlog.get_model_fields(type(after))["include_fields"]
    both = ((name, _plain(getattr(before, name, None)), _plain(getattr(after, name))) for name in tracked)
    return {name: (was, now) for name, was, now in both if was != now}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def listen() -> None:
    """Say of every entry who, by which way and from where; leave out that a settings row came to be."""
    pre_save.connect(_sign, sender=LogEntry, dispatch_uid="accounts.audit.sign")
    pre_log.connect(_is_worth_keeping, dispatch_uid="accounts.audit.is_worth_keeping")


def _sign(instance: LogEntry, **_signal: Any) -> None:
    """Sign an entry: the name stays when the user is deleted."""
    request, named = present_request(), named_origin()
    user = getattr(request, "user", None)
    who, instance.remote_addr = (named.who, named.address) if named is not None else ("", None)
    if isinstance(user, User):
        instance.actor_id, instance.actor_email, who = user.pk, user.email, user.username
    if request is not None:
        instance.remote_addr = client_address(request)
    instance.additional_data = {**(instance.additional_data or {}), "who": who, "way": present_way().value}


def _is_worth_keeping(instance: Model, action: int, **_signal: Any) -> bool:
    """Say whether an entry is made: a row of settings comes to be when it is first read, which is no change."""
    return not (action == LogEntry.Action.CREATE and isinstance(instance, SingletonModel))


def forget_old_changes() -> None:
    """Delete what is older than two years."""
    LogEntry.objects.filter(timestamp__lt=timezone.now() - KEPT_FOR).delete()
