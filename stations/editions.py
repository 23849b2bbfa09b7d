"""What an edition of the product allows (SPEC S1)."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from stations.models import Station, StationState

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


def room_for_stations() -> int | None:
    """Return how many more stations may be configured; None: as many as one likes."""
    maximum = maximum_stations()
    if maximum is None:
        return None
    return max(0, maximum - Station.objects.filter(state=StationState.CONFIGURED).count())
