"""Reading with several statements what stands in the database at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

# Both leave writers alone; Django's own transactions on SQLite would not.
_BEGIN = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


@contextmanager
def one_moment() -> Iterator[None]:
    """See the database as it is at the first statement, however long it takes and whoever writes; to read only.

    Within a transaction it changes nothing. It does not nest.
    """
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN[connection.vendor])
    try:
        yield
    finally:
        _roll_back()


def _roll_back() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
    except DatabaseError:
        connection.close()  # what cannot be ended must not go on in the next request
        raise
