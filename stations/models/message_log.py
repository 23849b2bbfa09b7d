"""What went over the wires."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station

FRAMES_KEPT = 1000
"""Of each station. Its frames are numbered, and the number modulo this is a frame's place: the newest replaces the
oldest, so that the log cannot grow."""


class Frame(models.Model):
    """One OCPP frame of a station's socket, its secrets blanked; a very long one is cut."""

    id: Any = models.BigAutoField(primary_key=True)
    station = models.ForeignKey(Station, models.CASCADE, related_name="frames")
    number = models.BigIntegerField()
    place = models.PositiveSmallIntegerField()
    at = models.DateTimeField(_("time"))
    is_incoming = models.BooleanField(_("from the station"))
    action = models.CharField(_("action"), max_length=50, blank=True)
    text = models.TextField(_("message"))

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["station", "place"], name="frame_place_once"),
            models.CheckConstraint(condition=Q(place__lt=FRAMES_KEPT), name="frame_place_in_ring"),
        ]
        indexes = [models.Index(fields=["station", "number"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.station} {self.at:%Y-%m-%d %H:%M:%S} {self.action}"
