"""Messages that belong to no transaction: kept for a person to judge, as many as a person can look at."""

from typing import Any

from django.db import transaction

from stations.models import StrayMessage

MOST_KEPT = 500
COUNTED = f"more than {MOST_KEPT}: only counted"


@transaction.atomic
def keep_stray(station_id: int, action: str, raw: dict[str, Any], reason: str) -> None:
    """Keep a message that belongs nowhere, once; of a station that has too many already, count it and keep the last."""
    kept = StrayMessage.objects.filter(station_id=station_id)
    if kept.filter(action=action, reason=reason[:200], payload=raw).exists():
        return
    if kept.count() < MOST_KEPT:
        StrayMessage.objects.create(station_id=station_id, action=action, payload=raw, reason=reason[:200])
        return
    counter = kept.filter(reason=COUNTED).first() or StrayMessage(station_id=station_id, reason=COUNTED, payload={})
    counter.action = action
    counter.payload = {"not_kept": counter.payload.get("not_kept", 0) + 1, "last": raw}
    counter.save()
