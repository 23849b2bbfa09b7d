"""What went over the wires."""

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station

FRAMES_KEPT = 1000  # of each station


class Frame(models.Model):
    """One OCPP frame of a station's socket, its secrets blanked; a very long one is cut.

    The key rises with time, and `number` with the frames of one station: there is no other index, and the time is
    seconds since 1970, for this is written more often than anything else.
    """

    id: Any = models.BigAutoField(primary_key=True)
    station = models.ForeignKey(
        Station, models.CASCADE, related_name="frames", db_index=False, verbose_name=_("charging station")
    )
    number = models.BigIntegerField()
    at_s = models.FloatField(_("time"))
    is_incoming = models.BooleanField(_("from the station"))
    action = models.CharField(_("action"), max_length=50, blank=True)
    text = models.TextField(_("message"))

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["station", "number"], name="frame_number_once")]

    def __str__(self) -> str:
        return f"{self.station} {self.at:%Y-%m-%d %H:%M:%S} {self.action}"

    @property
    def at(self) -> datetime:
        """When it went over the wire."""
        return datetime.fromtimestamp(self.at_s, UTC)
