"""What was learned of a station."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station


class Preconfiguration(models.Model):
    """What a station said it can and what was set in it, so that no boot repeats it (SPEC S15).

    `reported`: key → [value, whether read-only]. `tried`: [key, value, outcome], in order. `ladders`: role → which form
    of charging profile was proven. All of it holds for one firmware; `attempts` counts how often it was asked.
    """

    station = models.OneToOneField(Station, models.CASCADE, related_name="preconfiguration")
    firmware_version = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    reported = models.JSONField(default=dict)
    tried = models.JSONField(default=list)
    needs_reboot = models.BooleanField(_("takes hold at its next restart"), default=False)
    ladders = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("pre-configuration")
        verbose_name_plural = _("pre-configurations")

    def __str__(self) -> str:
        return str(self.station)
