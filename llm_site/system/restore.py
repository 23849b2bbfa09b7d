"""Put a backup in the place of what the database holds: all of it, in one transaction, or nothing.

The secret key lies in a file, outside that transaction. It is therefore laid beside the old one before the commit, with
the moment of the restore, and takes its place only where the database says that this restore was made: whatever ends
the process, the key fits the database. What a restore knows is no longer true is forgotten: sessions, sockets, commands
under way, and what stations were told.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.core.management.sql import emit_post_migrate_signal
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Session
from energy.models import ControllerState, Installation
from llm_site.system.archive import Backup, BackupRefused, Report, Table, kept_models
from llm_site.system.identity import uid
from stations.models import Command, CommandState, Connector, LocalList, Station, Transaction

ROWS_AT_ONCE = 1000
LOCK_WITHIN = "20s"
SPARE_NUMBERS = 10_000  # transactions that may have begun since the backup was made
PENDING = "restore_pending.json"

_ADDING = (
    operations.CreateModel,
    operations.AddField,
    operations.AlterField,
    operations.AddConstraint,
    operations.RemoveConstraint,
    operations.AddIndex,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
)
_AS_THEY_ARE = (models.CharField, models.TextField, models.FloatField, models.IntegerField, models.BooleanField)

Prepare = Callable[[Any], Any]


# --- may it be restored here


def check(backup: Backup, passphrase: str) -> dict[str, Any]:
    """Return the secrets of a backup. Raises BackupRefused where it cannot be opened, or not be restored here."""
    secrets = backup.open_secrets(passphrase)
    if os.environ.get("LLM_SECRET_KEY") and secrets["secret_key"] != settings.SECRET_KEY:
        text = _(
            "LLM_SECRET_KEY is set, and is not the key of the backup: take the variable out of the environment of "
            "every process, then restore again. The key is then kept in the data folder."
        )
        raise BackupRefused(text)
    check_rows(backup)
    return secrets


def check_rows(backup: Backup) -> None:
    """Refuse a backup that this version cannot take, or that is damaged."""
    _check_migrations(set(backup.manifest.migrations))
    known = {model._meta.label_lower: model for model in kept_models()}
    for table in backup.manifest.tables:
        model = known.get(table.model)
        if model is None or not set(table.columns) <= {field.attname for field in model._meta.concrete_fields}:
            raise _other_version(table.model)
    backup.check_lines()


def _check_migrations(held: set[str]) -> None:
    """Let in a backup of today's schema, or of an older one to which was only added since."""
    loader = MigrationLoader(connection)
    applied = {".".join(name): name for name in loader.applied_migrations}
    unknown = sorted(held - set(applied))
    if unknown:
        text = _("The backup was made by a newer version of the load manager (%(name)s): update this one first.")
        raise BackupRefused(text % {"name": unknown[0]})
    for name in sorted(set(applied) - held):
        migration = loader.disk_migrations.get(applied[name])
        if migration is None or not all(isinstance(operation, _ADDING) for operation in migration.operations):
            raise _other_version(name)


def _other_version(name: str) -> BackupRefused:
    text = _(
        "The backup was made by an older version whose data has another form (%(name)s): "
        "restore it with that version, then update."
    )
    return BackupRefused(text % {"name": name})


# --- the restore


def restore(backup: Backup, *, secrets: dict[str, Any], report: Report) -> None:
    """Put a backup in place that was checked; afterwards every process must be started anew.

    `secrets`: what `check` returned. Raises BackupRefused, or what `report` raises; then nothing has changed.
    """
    own_uid = uid()
    restored_at = timezone.now()
    try:
        with transaction.atomic():
            _replace_rows(backup, report)
            uid_held = Installation.objects.values_list("uid", flat=True).first() or own_uid
            Installation.objects.update_or_create(
                pk=Installation.singleton_instance_id, defaults={"uid": uid_held, "restored_at": restored_at}
            )
            _write_whole(settings.DATA_DIR / PENDING, json.dumps({**secrets, "restored_at": restored_at.isoformat()}))
    except DatabaseError as error:
        text = _("The database did not take the backup (%(error)s): nothing was changed.")
        raise BackupRefused(text % {"error": error}) from error
    finally:
        finish_restore()


def _replace_rows(backup: Backup, report: Report) -> None:
    kept = kept_models()
    _lock([*kept, Session])
    newest = Transaction.objects.aggregate(newest=Max("pk"))["newest"] or 0
    _empty([*kept, Session])
    tables = {table.model: table for table in backup.manifest.tables}
    done = 0
    for model in kept:
        table = tables.get(model._meta.label_lower)
        if table is not None:
            _load(backup, model, table, done, report)
            done += table.rows
    _forget_what_was()
    ContentType.objects.clear_cache()
    emit_post_migrate_signal(verbosity=0, interactive=False, db=connection.alias)
    _number_on(kept, newest)


def _lock(kept: list[type[models.Model]]) -> None:
    """Keep everybody else out; on SQLite the transaction has done so already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WITHIN}'")
            cursor.execute(f"LOCK TABLE {', '.join(_quoted(model) for model in kept)} IN ACCESS EXCLUSIVE MODE")


def _quoted(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _empty(kept: list[type[models.Model]]) -> None:
    """Delete every row; what refers to what is looked at when the transaction ends."""
    with connection.cursor() as cursor:
        for model in reversed(kept):
            cursor.execute(f"DELETE FROM {_quoted(model)}")


def _load(backup: Backup, model: type[models.Model], table: Table, done: int, report: Report) -> None:
    """Insert one model's rows; a column that the backup does not have yet gets its default."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    added = [field for name, field in fields.items() if name not in table.columns]
    names = [str(fields[name].column) for name in table.columns] + [str(field.column) for field in added]
    prepares = [_prepare(fields[name]) for name in table.columns]
    defaults = [field.get_db_prep_save(field.get_default(), connection) for field in added]
    columns = ", ".join(connection.ops.quote_name(name) for name in names)
    places = ", ".join(["%s"] * len(names))
    sql = f"INSERT INTO {_quoted(model)} ({columns}) VALUES ({places})"
    with connection.cursor() as cursor, backup.zip.open(table.member) as member:
        rows = ([prepare(value) for prepare, value in zip(prepares, json.loads(line), strict=True)] for line in member)
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            report(done, backup.manifest.rows, table.model)
            cursor.executemany(sql, [[*row, *defaults] for row in chunk])
            done += len(chunk)


def _prepare(field: "models.Field[Any, Any]") -> Prepare:
    """Return what turns a value of the file into one for the database."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, _AS_THEY_ARE):
        return lambda value: value
    if isinstance(target, models.DateTimeField):
        adapt = connection.ops.adapt_datetimefield_value
        return lambda value: value and adapt(datetime.fromisoformat(value))
    if isinstance(target, models.DateField):
        return lambda value: value and connection.ops.adapt_datefield_value(date.fromisoformat(value))
    return lambda value: field.get_db_prep_save(field.to_python(value), connection)


def _forget_what_was() -> None:
    """Forget what was true of wires and stations when the backup was made: they are asked and told anew."""
    Station.objects.update(socket_id="", connected_at=None, standing_fail_safe_a=None)
    Connector.objects.update(
        accepted_limit_a=None, accepted_at=None, lasting_limit_a=None, lasting_replaces_standing=False
    )
    LocalList.objects.all().delete()
    ControllerState.objects.all().delete()
    Command.objects.filter(state__in=Command.OPEN).update(
        state=CommandState.NOT_CONNECTED, error_text="a backup was restored before it was answered"
    )


def _number_on(kept: list[type[models.Model]], newest: int) -> None:
    """Let new rows get numbers of their own; transactions none that may have been given since the backup was made."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), kept):
            cursor.execute(statement)
        newest = max(newest, Transaction.objects.aggregate(newest=Max("pk"))["newest"] or 0)
        table, last = Transaction._meta.db_table, newest + SPARE_NUMBERS
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, last])
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last])


# --- the key


def finish_restore() -> None:
    """Let the restored key take the old one's place where the database was restored; otherwise throw it away."""
    pending = settings.DATA_DIR / PENDING
    if not pending.exists():
        return
    secrets = json.loads(pending.read_text())
    restored_at = Installation.objects.values_list("restored_at", flat=True).first()
    if restored_at == datetime.fromisoformat(secrets["restored_at"]):
        for path, text in _files(secrets):
            _write_whole(path, text)
    pending.unlink()


def _files(secrets: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    yield settings.DATA_DIR / "secret_key", secrets["secret_key"]
    for name, text in secrets["tls"].items():
        folder = settings.DATA_DIR / "tls"
        folder.mkdir(mode=0o700, exist_ok=True)
        yield folder / Path(name).name, text


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    part = path.with_name(f"{path.name}.part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    with suppress(OSError):  # where a folder cannot be flushed, the file system does so by itself
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
