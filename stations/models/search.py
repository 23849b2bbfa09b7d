"""The search for stations on the network."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel


class StationSearchState(models.TextChoices):
    """How far a search for stations is."""

    NEVER = "never", _("Not searched yet")
    RUNNING = "running", _("Searching")
    FINISHED = "finished", _("Search finished")
    STOPPED = "stopped", _("Search stopped")


class StationSearchStep(models.TextChoices):
    """What a search does just now; it begins again with the first until its time is over."""

    CALL = "call", _("Calling every address")
    ASK = "ask", _("Asking those that answer for their names")
    LISTEN = "listen", _("Listening for stations that are still starting")


class StationSearch(SingletonModel):
    """The last search for stations: where, how far it is, what it saw. One row.

    `run` numbers the searches: whoever writes for an older one is no longer wanted. `others` are the networks beside
    the machine's own. `seen` holds what `stations.discovery.hosts.Host` dumps, `asked` the addresses asked in this
    round, `place` how far the round is within its step.
    """

    run = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=StationSearchState, default=StationSearchState.NEVER)
    others = models.TextField(blank=True)
    step = models.CharField(max_length=10, choices=StationSearchStep, default=StationSearchStep.CALL)
    place = models.PositiveIntegerField(default=0)
    seen: Any = models.JSONField(default=list)
    asked: Any = models.JSONField(default=list)
    has_multicast = models.BooleanField(default=True)
    begun_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("search for stations")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=StationSearchState.values), name="station_search_state"),
            models.CheckConstraint(condition=Q(step__in=StationSearchStep.values), name="station_search_step"),
        ]

    def __str__(self) -> str:
        return str(self.get_state_display())
