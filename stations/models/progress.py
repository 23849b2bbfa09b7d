"""How far a station has come with what takes long."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station


class ProgressKind(models.TextChoices):
    """What takes long: a firmware update, or the upload of diagnostics or of a log."""

    FIRMWARE = "firmware", _("Firmware")
    SIGNED_FIRMWARE = "signed_firmware", _("Signed firmware")
    DIAGNOSTICS = "diagnostics", _("Diagnostics")
    LOG = "log", _("Log")


class StationProgress(models.Model):
    """The newest report of one kind, in the station's own word (OCPP 1.6 §7.20, §7.25; security whitepaper §5)."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="progress")
    kind = models.CharField(_("subject"), max_length=15, choices=ProgressKind)
    status = models.CharField(_("state"), max_length=50)
    at = models.DateTimeField(_("reported at"))

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        ordering = ["kind"]
        constraints = [
            models.UniqueConstraint(fields=["station", "kind"], name="progress_once_per_kind"),
            models.CheckConstraint(condition=Q(kind__in=ProgressKind.values), name="progress_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.status}"
