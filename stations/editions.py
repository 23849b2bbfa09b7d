"""What an edition of the product allows (SPEC S1)."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from stations.models import Station, StationState

ROOM_LOCK = 1601  # any number, the same in every process
MAXIMUM_STATIONS: dict[str, int | None] = {"XEM510": 10, "XEM520": 20, "unlimited": None}


def maximum_stations() -> int | None:
    """Return how many stations the edition may have configured; None: as many as one likes.

    Raises ImproperlyConfigured for an edition that does not exist.
    """
    try:
        return MAXIMUM_STATIONS[settings.EDITION]
    except KeyError:
        known = ", ".join(MAXIMUM_STATIONS)
        raise ImproperlyConfigured(f"LLM_EDITION: expected one of {known}, came {settings.EDITION!r}") from None


def has_operators() -> bool:
    """Say whether the edition connects stations to operators."""
    return bool(settings.EDITION != "XEM510")


def hold_room() -> int | None:
    """Return how many more stations may be configured, and let nobody else count until this transaction has ended.

    SQLite lets one transaction write at a time anyhow.
    """
    if maximum_stations() is not None and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROOM_LOCK])
    return room_for_stations()


def room_for_stations() -> int | None:
    """Return how many more stations may be configured; None: as many as one likes."""
    maximum = maximum_stations()
    if maximum is None:
        return None
    return max(0, maximum - Station.objects.filter(state=StationState.CONFIGURED).count())
