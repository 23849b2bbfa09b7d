"""The badges that were refused: kept for a person to look at, as many as a person can look at."""

from datetime import timedelta

from django.utils import timezone

from badges.models import Reason, Refusal

MOST_KEPT, KEPT_FOR = 1000, timedelta(days=90)


def keep_refusal(*, id_tag: str, station: str, reason: Reason) -> None:
    """Keep that a badge was refused, in place of the oldest where there are too many."""
    made = Refusal.objects.create(id_tag=id_tag, station=station, reason=reason)
    Refusal.objects.filter(pk__lte=made.pk - MOST_KEPT).delete()


def forget_old_refusals() -> None:
    """Delete the refusals of long ago."""
    Refusal.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
