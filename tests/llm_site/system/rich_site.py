"""A site with a row of every model, whatever models there are, and a second data folder with its own processes."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import models

from llm_site.system.archive import kept_models
from llm_site.system.backup import sealed_secrets, write_backup

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 3, 29, 12, 30, 15, 123456, tzinfo=UTC)
PASSPHRASE = "correct horse battery"

# What the constraints of a model ask for beyond the types of its fields.
GIVEN = {
    "accounts.user": {"role": "administrator", "is_superuser": True},
    "energy.installation": {"measurement": "ct_5a", "ct_ratio_a": 250.0, "static_limit_a": 12.5, "uid": "0123456789ab"},
    "energy.timetablerow": {"days": [0, 6], "begins": "22:00", "ends": "06:00", "circuit": None},
    "exports.exportsettings": {"off_peak_times": "22:00-06:00", "mail_to": ""},
    "stations.certificateauthority": {"id": 1},
    "stations.circuit": {"parent": None},
    "stations.command": {"state": "sent", "answered_at": None},
    "stations.transaction": {"meter_start_wh": 5, "stopped_at": NOON + timedelta(hours=1)},
}


def fill_site():
    """Make a row of every model that has none."""
    for model in kept_models():
        if not model._base_manager.exists():
            _make(model)


def _make(model):
    found = model._base_manager.first()
    if found is not None:
        return found
    given = GIVEN.get(model._meta.label_lower, {})
    values = {}
    for field in model._meta.concrete_fields:
        if field.name in given:
            values[field.name] = given[field.name]
        elif isinstance(field, models.ForeignKey):
            values[field.name] = _make(field.related_model)
        elif not (field.primary_key and isinstance(field, models.AutoField)):
            values[field.name] = _value(field)
    made = model(**values)
    made.save()
    return made


def _value(field):
    """Give a value that is hard to keep: accents, fractions, microseconds, large numbers."""
    if field.choices:
        return field.choices[0][0]
    for kind, value in (
        (models.EmailField, "zoé@example.org"),
        (models.JSONField, {"a": [1, 2.5, None, "é☃"], "b": {"big": 2**60}}),
        (models.CharField, f"é {field.name}"[: getattr(field, "max_length", None) or 99]),
        (models.TextField, 'two\nlines, "quoted" \\ ☃'),
        (models.GenericIPAddressField, "2001:db8::1"),
        (models.BooleanField, True),
        (models.DecimalField, Decimal("0.12345")),
        (models.FloatField, 16.123456789012345),
        (models.PositiveSmallIntegerField, 3),
        (models.SmallIntegerField, -3),
        (models.PositiveIntegerField, 40_000),
        (models.BigIntegerField, 2**40),
        (models.IntegerField, 70_000),
        (models.DateTimeField, NOON),
        (models.DateField, date(2028, 2, 29)),
    ):
        if isinstance(field, kind):
            return value
    raise AssertionError(f"no value is known for {field}: add one here, and see that a backup keeps it")


def back_up(path):
    """Write a backup of the tests' database."""
    return write_backup(path, secrets=sealed_secrets(PASSPHRASE), report=lambda *_: None)


def manage(folder, *arguments, given="", **variables):
    """Run a command of manage.py with another data folder, on SQLite."""
    return run(folder, "manage.py", *arguments, given=given, **variables)


def run(folder, *command, given="", **variables):
    """Run Python with another data folder, on SQLite."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, "LLM_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "llm_site.settings", **variables},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
