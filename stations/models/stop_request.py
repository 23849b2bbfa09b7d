"""A Supervisor's wish that somebody else's charging ends."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models import Badge
from stations.models.charging import Transaction
from stations.models.installation import Station


class StopRequest(models.Model):
    """A Supervisor's badge was presented where no connector is free.

    `open_until`: so long it is asked which transaction is meant; None: that is known. `id_tag` is the badge's number:
    the record stays when the badge is deleted.
    """

    station = models.ForeignKey(
        Station, models.CASCADE, related_name="stop_requests", verbose_name=_("charging station")
    )
    badge = models.ForeignKey(Badge, models.SET_NULL, null=True, related_name="stop_requests", verbose_name=_("badge"))
    id_tag = models.CharField(_("badge number"), max_length=20, blank=True)
    asked_at = models.DateTimeField(_("time"))
    open_until = models.DateTimeField(null=True, db_index=True)
    transaction = models.ForeignKey(
        Transaction, models.CASCADE, null=True, related_name="+", verbose_name=_("charging session")
    )

    class Meta:
        verbose_name = _("stop by a Supervisor")
        verbose_name_plural = _("stops by Supervisors")
        ordering = ["-asked_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.station}: {self.badge or self.id_tag}"
