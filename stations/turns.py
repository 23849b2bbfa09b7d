"""Whose turn it is when not all can charge at once: a station may go before the others."""

from django.db import transaction

from stations.models import Station
from stations.services import ask_to_decide

FIRST, IN_TURN = 1, 0


@transaction.atomic
def set_first(*, station_id: int, is_first: bool) -> None:
    """Put a station before the others, or back into the common turn; a decision follows at once."""
    station = Station.objects.select_for_update().get(pk=station_id)
    station.priority = FIRST if is_first else IN_TURN
    station.save(update_fields=["priority"])
    ask_to_decide()
