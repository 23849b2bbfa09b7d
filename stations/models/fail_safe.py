"""Tests that a station falls back to its fail-safe current by itself."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Connector, Station


class FailSafeTest(models.Model):
    """One test at commissioning: a limit is left to run out, and what the car draws is watched.

    `finding` is one of `stations.ocpp16.falling_back.Finding`, empty while the test runs. Currents are A per phase.
    `left_unlimited`: the limit may have run out and was not given again; it is when the station is back.
    """

    station = models.ForeignKey(Station, models.CASCADE, related_name="fail_safe_tests")
    connector = models.ForeignKey(Connector, models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("requested by")
    )
    requester = models.CharField(_("requested by"), max_length=150, blank=True, editable=False)  # also when deleted
    firmware_version = models.CharField(_("firmware"), max_length=100, blank=True)
    limit_a = models.FloatField()
    standing_a = models.FloatField()
    drawn_before_a = models.FloatField()
    drawn_after_a = models.FloatField(null=True, blank=True)
    begun_at = models.DateTimeField(_("begun at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    finding = models.CharField(_("finding"), max_length=20, blank=True)
    left_unlimited = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("fail-safe test")
        verbose_name_plural = _("fail-safe tests")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["station"], condition=Q(ended_at=None), name="fail_safe_test_one_runs"),
            models.CheckConstraint(
                condition=Q(ended_at=None, finding="") | (Q(ended_at__isnull=False) & ~Q(finding="")),
                name="fail_safe_test_ends_with_a_finding",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.begun_at:%Y-%m-%d}"

    @property
    def is_running(self) -> bool:
        """Say whether the finding is still to come."""
        return self.ended_at is None
