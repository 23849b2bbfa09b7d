"""What limits charging for a time: the time table, and what an energy manager or a grid operator says from outside."""

from datetime import datetime, timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel

from energy.supply_rules import FUSE_MAXIMUM_A
from energy.time_table import Row
from stations.models import Circuit

_CURRENT = [
    MinValueValidator(0, _("0 A or more: 0 lets nothing charge.")),
    MaxValueValidator(FUSE_MAXIMUM_A, _("6000 A at most.")),
]
_CLOCK_JITTER = timedelta(seconds=5)  # by which a clock is put right now and then
NO_TIME = _("A time of day such as 06:30 is needed.")
_CLOCK = [RegexValidator(r"\A([01]\d|2[0-3]):[0-5]\d\Z", NO_TIME)]


class TimeTableRow(models.Model):
    """From when to when on which days of the week (0 is Monday) less may be drawn; see `energy.time_table`.

    `circuit` None: in the whole installation. A row whose end is not after its begin ends on the day after.
    """

    circuit = models.ForeignKey(
        Circuit, models.CASCADE, null=True, blank=True, related_name="time_table", verbose_name=_("circuit")
    )
    days: Any = models.JSONField(_("days"), default=list)
    begins = models.CharField(_("from"), max_length=5, validators=_CLOCK)
    ends = models.CharField(_("to"), max_length=5, validators=_CLOCK)
    limit_a = models.FloatField(_("limit per line (A)"), validators=_CURRENT)

    class Meta:
        verbose_name = _("row of the time table")
        verbose_name_plural = _("limits over time")
        ordering = ["begins", "pk"]
        constraints = [models.CheckConstraint(condition=Q(limit_a__gte=0), name="time_table_limit_not_negative")]

    def __str__(self) -> str:
        return f"{self.begins}–{self.ends}"

    @property
    def row(self) -> Row:
        """Put it into the words of the time table."""
        return Row(tuple(self.days), minutes_of(self.begins), minutes_of(self.ends), self.limit_a)


def minutes_of(clock: str) -> int:
    """Return the minutes since midnight of a time such as 06:30."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


class AfterExpiry(models.TextChoices):
    """What holds once a limit from outside has run out."""

    FALLBACK = "fallback", _("The limit below, until a new one comes")
    NOTHING = "nothing", _("No limit")


class ExternalLimit(SingletonModel):
    """What all stations together may draw per line by a word from outside, and until when: one row.

    `limit_a` None: none was given, or it was lifted. `valid_for_s` is how long one is to hold that does
    not say so itself, as over Modbus.
    """

    limit_a = models.FloatField(null=True, editable=False)
    valid_for_s = models.PositiveIntegerField(default=900, editable=False)
    valid_until = models.DateTimeField(null=True, editable=False)
    given_by = models.CharField(max_length=200, blank=True, editable=False)
    given_at = models.DateTimeField(null=True, editable=False)
    after_expiry = models.CharField(
        _("when it has run out"), max_length=10, choices=AfterExpiry, default=AfterExpiry.FALLBACK
    )
    fallback_a = models.FloatField(_("limit that then holds, per line (A)"), default=6, validators=_CURRENT)

    class Meta:
        verbose_name = verbose_name_plural = _("limit of the energy manager")
        constraints = [
            models.CheckConstraint(condition=Q(limit_a=None) | Q(limit_a__gte=0), name="external_limit_not_negative"),
            models.CheckConstraint(
                condition=Q(limit_a=None) | Q(valid_until__isnull=False), name="external_limit_has_an_end"
            ),
            models.CheckConstraint(condition=Q(fallback_a__gte=0), name="external_limit_fallback_not_negative"),
            models.CheckConstraint(
                condition=Q(after_expiry__in=AfterExpiry.values), name="external_limit_after_expiry_known"
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def is_valid_at(self, now: datetime) -> bool:
        """Say whether a limit was given that has not run out.

        One that was given by a clock ahead of this one has: nobody knows for how long it would go on.
        """
        if self.limit_a is None or self.given_at is None or self.valid_until is None:
            return False
        return self.given_at - _CLOCK_JITTER <= now < self.valid_until

    def has_run_out(self, now: datetime) -> bool:
        """Say whether the last limit ran out, and no new one came."""
        return self.limit_a is not None and not self.is_valid_at(now)

    def in_force_a(self, now: datetime) -> float | None:
        """Return what charging may draw per line, A; None: all that the installation leaves it."""
        return self.kept_after_expiry_a if self.has_run_out(now) else self.limit_a

    @property
    def kept_after_expiry_a(self) -> float | None:
        """What holds once a limit has run out, A per line; None: nothing."""
        return self.fallback_a if self.after_expiry == AfterExpiry.FALLBACK else None
