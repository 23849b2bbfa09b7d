"""A great many rows written fast: everything else waits while a transaction of SQLite writes.

`bulk_create` and `bulk_update` build an expression for each value, which takes ten times as long as writing it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model


def insert_many(like: Model, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert a row for each of `rows`, which give what `names` say; in all else they are like `like`.

    No signal is sent, and the keys that the database makes are not told.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    quote: Callable[[Any], str] = connection.ops.quote_name
    fields = [field for field in like._meta.concrete_fields if not field.primary_key]
    given = [(field, names.index(field.name)) for field in fields if field.name in names]
    alike = [field for field in fields if field.name not in names]
    shared = [field.get_db_prep_save(field.pre_save(like, True), connection) for field in alike]
    columns = [quote(field.column) for field in [*(field for field, _at in given), *alike]]
    sql = f"INSERT INTO {quote(like._meta.db_table)} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
    values = [[*(field.get_db_prep_save(row[at], connection) for field, at in given), *shared] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def update_many(rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write some fields of rows of one model. No signal is sent."""
    if not rows:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    quote: Callable[[Any], str] = connection.ops.quote_name
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if field.name in names]
    places = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    sql = f"UPDATE {quote(meta.db_table)} SET {places} WHERE {quote(meta.pk.column)} = %s"
    values = [
        [*(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields), row.pk] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)
