"""The audit trail in words: an entry as lines of "field: from → to", in the language of who reads it."""

import json
from datetime import UTC
from typing import Any

from auditlog.registry import auditlog
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format, localize
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from solo.models import SingletonModel

from accounts.audit import HIDDEN
from accounts.models import Change
from accounts.words import labelled

NOTHING = "–"


def lines_of(change: Change) -> list[str]:
    """Say what an entry holds, line by line."""
    model = change.content_type.model_class()
    lines = [labelled(label_of(model, name), _what(model, name, kept)) for name, kept in (change.changes or {}).items()]
    note = (change.additional_data or {}).get("note")
    return [*lines, _(note)] if note else lines


def label_of(model: type[models.Model] | None, name: str) -> str:
    """Say what people call a field; its own name where the model knows it no longer."""
    if model is None:
        return name
    named = auditlog.get_model_fields(model)["mapping_fields"].get(name) if auditlog.contains(model) else None
    field = _field_of(model, name)
    return str(capfirst(named or (name if field is None else field.verbose_name)))


def _field_of(model: type[models.Model] | None, name: str) -> Any:
    try:
        return None if model is None else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _what(model: type[models.Model] | None, name: str, kept: Any) -> str:
    if isinstance(kept, dict):  # the links of a many-to-many field
        named = {"names": ", ".join(kept["objects"])}
        return _("added %(names)s") % named if kept["operation"] == "add" else _("removed %(names)s") % named
    before, after = kept
    if HIDDEN in (before, after):
        return _("changed, not shown") if after else _("taken away")
    field = _field_of(model, name)
    return f"{_shown(field, before)} → {_shown(field, after)}"


def _shown(field: Any, value: Any) -> str:
    """Write a value as the pages do."""
    if value in (None, "", "None"):
        return NOTHING
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    choices = dict(getattr(field, "flatchoices", ()))
    if value in choices:
        return str(choices[value])
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(field, models.DateTimeField):  # kept without zone, in UTC
        moment = parse_datetime(str(value))
        return str(value) if moment is None else localize(timezone.localtime(moment.replace(tzinfo=UTC)))
    if isinstance(field, models.DateField):
        day = parse_date(str(value))
        return str(value) if day is None else date_format(day)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(localize(value))


def subject_of(change: Change) -> str:
    """Name what was changed: its kind and its name; of a kind with one row, the kind."""
    model, kind = change.content_type.model_class(), capfirst(change.content_type.name)
    is_only_one = model is not None and issubclass(model, SingletonModel)
    return str(kind) if is_only_one else labelled(kind, change.object_repr)
