"""Keep the history small: every turn for an hour, then one a minute for a year."""

from datetime import timedelta

from django.db.models import Min
from django.db.models.functions import TruncMinute
from django.utils import timezone

from energy.models import Reading

EVERY_TURN_FOR = timedelta(hours=1)
EVERY_MINUTE_FOR = timedelta(days=366)


def thin_readings() -> int:
    """Delete what is no longer needed; returns how many rows went."""
    now = timezone.now()
    old = Reading.objects.filter(at__lt=now - EVERY_TURN_FOR, at__gte=now - EVERY_TURN_FOR - timedelta(days=2))
    kept = old.annotate(minute=TruncMinute("at")).values("minute").annotate(first=Min("at")).values("first")
    deleted, _ = old.exclude(at__in=list(kept.values_list("first", flat=True))).delete()
    aged, _ = Reading.objects.filter(at__lt=now - EVERY_MINUTE_FOR).delete()
    return deleted + aged
