"""The badges that stations know by themselves (OCPP 1.6 §3.5.2)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models.preconfiguration import Preconfiguration


class BadgeList(models.Model):
    """What a local list says, kept once however many stations hold it.

    `entries`: [badge number, AuthorizationStatus, expiry], in the order in which they go out. It is never changed.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    entries = models.JSONField()
    size = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("list of badges")
        verbose_name_plural = _("lists of badges")

    def __str__(self) -> str:
        return self.digest


class LocalList(models.Model):
    """How far one station is with its local list (`ocpp16.local_list.Progress`); forgotten with what it can.

    `left_out`: badges that did not fit. `tried_at`: when it was last asked or answered.
    """

    preconfiguration = models.OneToOneField(Preconfiguration, models.CASCADE, related_name="local_list")
    wanted = models.ForeignKey(BadgeList, models.PROTECT, related_name="+")
    held = models.ForeignKey(BadgeList, models.PROTECT, null=True, related_name="+")
    target = models.ForeignKey(BadgeList, models.PROTECT, null=True, related_name="+")
    taken = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    is_checked = models.BooleanField(default=False)
    is_supported = models.BooleanField(default=True)
    unanswered = models.PositiveSmallIntegerField(default=0)
    refusals = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    tried_at = models.DateTimeField(null=True)
    held_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("local list")
        verbose_name_plural = _("local lists")

    def __str__(self) -> str:
        return str(self.preconfiguration)
