"""What may be drawn, what is drawn, and what was decided."""

import logging
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel

from energy.allocation import SurplusRule, Timing
from energy.limit_models import AfterExpiry as AfterExpiry
from energy.limit_models import ExternalLimit as ExternalLimit
from energy.limit_models import TimeTableRow as TimeTableRow
from energy.supply_rules import (
    CT_PRIMARY_A,
    DERATING_MAXIMUM_PERCENT,
    DIRECT_MAXIMUM_A,
    SETTINGS_OF,
    UNBALANCE_A,
    Breach,
    breaches,
)
from stations.models import MINIMUM_A, Connector, PhaseRotation, Station

logger = logging.getLogger(__name__)


class Mode(models.TextChoices):
    """How the available current is found (SPEC S9)."""

    DYNAMIC = "dynamic", _("Dynamic")
    STATIC = "static", _("Static")


class SurplusUse(models.TextChoices):
    """Whether cars charge from what the sun leaves alone, and what they have besides."""

    OFF = "off", _("Off: cars have whatever the building leaves")
    MINIMUM = SurplusRule.MINIMUM.value, _("Minimum from the grid, more only from the sun")
    ONLY = SurplusRule.ONLY.value, _("Only from the sun")


class Measurement(models.TextChoices):
    """How the meter sees the current (SPEC S10)."""

    DIRECT = "direct", _("Direct (63 A at most)")
    CT_1A = "ct_1a", _("Current transformer, 1 A secondary")
    CT_5A = "ct_5a", _("Current transformer, 5 A secondary")


_WORDS = {
    Breach.COUNTRY: _("A country of two capital letters is needed, such as FR."),
    Breach.TIME_ZONE: _("A time zone such as Europe/Paris is needed."),
    Breach.FUSE_TOO_LARGE: _("The fuse of an installation is 6000 A at most."),
    Breach.DIRECT_FUSE: _("Direct measurement goes up to 63 A: choose current transformers."),
    Breach.CT_PRIMARY_MISSING: _("The primary current of the transformers is needed: 75 to 6000 A."),
    Breach.STATIC_MISSING: _("Static mode needs the current that all stations together may draw."),
    Breach.STATIC_ABOVE_FUSE: _("The static current must not be above the fuse."),
    Breach.FAIL_SAFE_TOO_SMALL: _("0, or 6 A and more: a car cannot be offered less."),
    Breach.FAIL_SAFE_TOO_LARGE: _("80 A at most: no station may be given more."),
}


unbalance_at_least = MinValueValidator(
    UNBALANCE_A[0], _("6 A and more: with less no car on a single phase could charge. Leave it empty for no limit.")
)
unbalance_at_most = MaxValueValidator(UNBALANCE_A[1], _("80 A at most. Leave it empty for no limit."))


class Installation(SingletonModel):
    """The building's supply and how it is shared: one row."""

    name = models.CharField(_("name"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, default="FR")
    time_zone = models.CharField(_("time zone"), max_length=60, default="Europe/Paris")
    mode = models.CharField(_("mode"), max_length=10, choices=Mode, default=Mode.DYNAMIC)
    phases = models.PositiveSmallIntegerField(_("phases"), default=3, choices=[(1, _("1 phase")), (3, _("3 phases"))])
    fuse_a = models.FloatField(_("installation fuse (A)"), null=True, blank=True, validators=[MinValueValidator(1)])
    derating_percent = models.FloatField(
        _("derating (%)"),
        default=20,
        validators=[MinValueValidator(0), MaxValueValidator(DERATING_MAXIMUM_PERCENT)],
    )
    static_limit_a = models.FloatField(
        _("current for all stations together, per line (A)"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    fail_safe_a = models.FloatField(
        _("fail-safe current per station (A)"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    unbalance_a = models.FloatField(
        _("unbalance limit (A)"), null=True, blank=True, validators=[unbalance_at_least, unbalance_at_most]
    )
    measurement = models.CharField(_("kind of measurement"), max_length=10, choices=Measurement, default="direct")
    ct_ratio_a = models.FloatField(
        _("transformer primary (A)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(CT_PRIMARY_A[0]), MaxValueValidator(CT_PRIMARY_A[1])],
    )
    surplus = models.CharField(_("solar surplus"), max_length=10, choices=SurplusUse, default=SurplusUse.OFF)
    timing = models.JSONField(_("times"), default=dict, blank=True)
    uid = models.CharField(max_length=12, blank=True, editable=False)
    restored_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("general settings")
        constraints = [
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="installation_mode_known"),
            models.CheckConstraint(condition=Q(phases__in=[1, 3]), name="installation_phases_1_or_3"),
            models.CheckConstraint(condition=Q(fuse_a=None) | Q(fuse_a__gt=0), name="installation_fuse_positive"),
            models.CheckConstraint(
                condition=Q(derating_percent__gte=0, derating_percent__lte=DERATING_MAXIMUM_PERCENT),
                name="installation_derating_0_to_50",
            ),
            models.CheckConstraint(
                condition=Q(static_limit_a=None) | Q(static_limit_a__gte=0), name="installation_static_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(static_limit_a=None) | Q(fuse_a=None) | Q(static_limit_a__lte=F("fuse_a")),
                name="installation_static_within_fuse",
            ),
            models.CheckConstraint(
                condition=Q(fail_safe_a=None) | Q(fail_safe_a=0) | Q(fail_safe_a__gte=MINIMUM_A),
                name="installation_fail_safe_zero_or_enough",
            ),
            models.CheckConstraint(
                condition=Q(unbalance_a=None) | Q(unbalance_a__gte=UNBALANCE_A[0], unbalance_a__lte=UNBALANCE_A[1]),
                name="installation_unbalance_6_to_80",
            ),
            models.CheckConstraint(
                condition=Q(measurement__in=Measurement.values), name="installation_measurement_known"
            ),
            models.CheckConstraint(condition=Q(surplus__in=SurplusUse.values), name="installation_surplus_known"),
            models.CheckConstraint(
                condition=~Q(measurement="direct") | Q(fuse_a=None) | Q(fuse_a__lte=DIRECT_MAXIMUM_A),
                name="installation_direct_up_to_63_a",
            ),
            models.CheckConstraint(
                condition=Q(ct_ratio_a=None) | Q(ct_ratio_a__gte=CT_PRIMARY_A[0], ct_ratio_a__lte=CT_PRIMARY_A[1]),
                name="installation_ct_ratio_75_to_6000",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(_("Installation"))

    def clean(self) -> None:
        """Refuse settings that exclude each other, at their fields (SPEC S10, S11, S13)."""
        errors = {SETTINGS_OF[breach][0]: _WORDS[breach] for breach in breaches(vars(self))}
        if errors:
            raise ValidationError(errors)

    @property
    def times(self) -> Timing:
        """The controller's times: those set here over the defaults; the defaults alone where they cannot be used."""
        try:
            return Timing(**self.timing)
        except (TypeError, ValueError, OverflowError):
            logger.exception("The installation's times cannot be used: the defaults hold")
            return Timing()

    @property
    def surplus_rule(self) -> SurplusRule | None:
        """What cars may have besides the solar surplus; None: all that the lines leave, as with a fixed current."""
        is_used = self.mode == Mode.DYNAMIC and self.surplus != SurplusUse.OFF
        return SurplusRule(self.surplus) if is_used else None

    @property
    def derated_a(self) -> float | None:
        """Fuse less derating, A; None before the fuse is known."""
        return None if self.fuse_a is None else self.fuse_a * (100 - self.derating_percent) / 100

    @property
    def usable_a(self) -> float | None:
        """What the whole installation may draw per line, A; None before it is configured."""
        return self.derated_a if self.mode == Mode.DYNAMIC or self.derated_a is not None else self.static_limit_a

    @property
    def is_configured(self) -> bool:
        """Say whether current can be shared at all."""
        needed = self.fuse_a if self.mode == Mode.DYNAMIC else self.static_limit_a
        return needed is not None


class Meter(SingletonModel):
    """The building's meter: one row; an empty model means there is none."""

    model = models.CharField(_("model"), max_length=50, blank=True)
    url = models.CharField(_("address"), max_length=200, blank=True, help_text="tcp://192.168.1.20:502")
    unit = models.PositiveSmallIntegerField(_("unit"), default=1, validators=[MaxValueValidator(255)])
    manual_map = models.JSONField(_("register map of a manual meter"), null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    lines_fault: Any = models.JSONField(null=True, blank=True, editable=False)  # `energy.lines_fault` describes it

    class Meta:
        verbose_name = verbose_name_plural = _("meter")
        constraints = [models.CheckConstraint(condition=Q(unit__lte=255), name="meter_unit_up_to_255")]

    def __str__(self) -> str:
        return f"{self.model} {self.url}".strip()

    @property
    def is_present(self) -> bool:
        """Say whether a meter is set up."""
        return bool(self.model and self.url)


class SearchState(models.TextChoices):
    """How far a search for meters is."""

    NEVER = "never", _("Not searched yet")
    RUNNING = "running", _("Searching")
    FINISHED = "finished", _("Search finished")
    STOPPED = "stopped", _("Search stopped")


class MeterSearch(SingletonModel):
    """The last search for meters: where, how far it is, what it found. One row.

    `run` numbers the searches: whoever writes for an older one is no longer wanted. `done` counts steps of the plan.
    `found` and `left_out` are lists of what `energy.meter_search` describes.
    """

    run = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=SearchState, default=SearchState.NEVER)
    hosts = models.TextField(blank=True)
    ports: Any = models.JSONField(default=list)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    doing = models.CharField(max_length=200, blank=True)
    found: Any = models.JSONField(default=list)
    left_out: Any = models.JSONField(default=list)
    heard_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("search for meters")
        constraints = [models.CheckConstraint(condition=Q(state__in=SearchState.values), name="meter_search_state")]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.done}/{self.total}"


class Reading(models.Model):
    """What one turn of the loop saw: grid and charging current per line, and what was left for charging."""

    at = models.DateTimeField(primary_key=True)
    grid_l1_a = models.FloatField(null=True)
    grid_l2_a = models.FloatField(null=True)
    grid_l3_a = models.FloatField(null=True)
    charging_l1_a = models.FloatField()
    charging_l2_a = models.FloatField()
    charging_l3_a = models.FloatField()
    limit_l1_a = models.FloatField()
    limit_l2_a = models.FloatField()
    limit_l3_a = models.FloatField()
    state = models.CharField(max_length=20)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


class ReadingMean(models.Model):
    """The mean of the readings of one minute or one quarter of an hour: what the curve of a day, a week, a year shows.

    `readings` counts what went into it. The grid is None where the meter gave no value in that time.
    """

    span_s = models.PositiveSmallIntegerField()
    begins_at = models.DateTimeField()
    readings = models.PositiveIntegerField()
    grid_l1_a = models.FloatField(null=True)
    grid_l2_a = models.FloatField(null=True)
    grid_l3_a = models.FloatField(null=True)
    charging_l1_a = models.FloatField()
    charging_l2_a = models.FloatField()
    charging_l3_a = models.FloatField()
    limit_l1_a = models.FloatField()
    limit_l2_a = models.FloatField()
    limit_l3_a = models.FloatField()

    class Meta:
        verbose_name = _("mean of readings")
        verbose_name_plural = _("means of readings")
        ordering = ["span_s", "begins_at"]
        constraints = [models.UniqueConstraint(fields=["span_s", "begins_at"], name="reading_mean_once")]

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m-%d %H:%M} + {self.span_s} s"


def _days(label: Any, default: int, least: int, most: int, rule: Any) -> "models.PositiveSmallIntegerField[int, int]":
    """Make the field of a number of days, with its bounds and what it means."""
    bounds = [MinValueValidator(least), MaxValueValidator(most)]
    return models.PositiveSmallIntegerField(label, default=default, validators=bounds, help_text=rule)


class Retention(SingletonModel):
    """For how many days what piles up is kept: one row. Transactions are kept for ever."""

    readings_days = _days(_("each second (days)"), 1, 1, 31, _("1 to 31. The last 15 minutes are drawn from it."))
    minutes_days = _days(_("mean of each minute (days)"), 31, 2, 1100, _("2 to 1100. The day is drawn from it."))
    quarters_days = _days(
        _("mean of each quarter of an hour (days)"), 3653, 8, 7300, _("8 to 7300. The week is drawn from it.")
    )
    meter_values_days = _days(
        _("meter values and limits (days)"),
        90,
        7,
        3653,
        _("7 to 3653. What stations measured, and what they were told and why."),
    )
    messages_days = _days(_("message log (days)"), 7, 1, 90, _("1 to 90, and of each station 1,000 messages at most."))

    class Meta:
        verbose_name = verbose_name_plural = _("data retention")

    def __str__(self) -> str:
        return str(_("Data retention"))


class Allocation(models.Model):
    """What a connector was told from one moment on, and why; only changes make a row."""

    connector = models.ForeignKey(Connector, models.CASCADE, related_name="allocations")
    decided_at = models.DateTimeField()
    limit_a = models.FloatField()
    reason = models.CharField(max_length=30)
    reason_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [
            models.CheckConstraint(condition=Q(limit_a=0) | Q(limit_a__gte=MINIMUM_A), name="allocation_zero_or_enough")
        ]
        indexes = [models.Index(fields=["connector", "-decided_at"])]

    def __str__(self) -> str:
        return f"{self.limit_a:g} A"


class ControllerState(SingletonModel):
    """The controller's memory, so that a new control worker goes on where the last one stopped: one row."""

    state: Any = models.JSONField(default=dict)
    saved_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.saved_at:%Y-%m-%d %H:%M:%S}"


class Curve(models.TextChoices):
    """What the building of a scenario draws over the day."""

    RECORDED = "recorded", _("As recorded here, the last four weeks")
    HOMES = "homes", _("Homes")
    OFFICES = "offices", _("Offices")
    SHOPS = "shops", _("Shops")
    FLAT = "flat", _("The same all day")


class PlayState(models.TextChoices):
    """How far the planner is with a scenario."""

    RUNNING = "running", _("Being calculated")
    FINISHED = "finished", _("Calculated")
    STOPPED = "stopped", _("Stopped")


_SHARE = [MaxValueValidator(100)]


class Scenario(models.Model):
    """A garage as it might be, and what a day in it came to (`energy.planning`).

    `run` numbers the calculations: whoever writes for an older one is no longer wanted. `work_done` is what goes on
    from one piece of it to the next, `curve_a` the building per hour and line as it was taken at the start.
    """

    name = models.CharField(_("name"), max_length=100)
    fuse_a = models.FloatField(_("fuse (A)"), validators=[MinValueValidator(10), MaxValueValidator(6000)])
    derating_percent = models.FloatField(
        _("derating (%)"),
        default=20,
        validators=[MinValueValidator(0), MaxValueValidator(DERATING_MAXIMUM_PERCENT)],
    )
    curve = models.CharField(_("building"), max_length=10, choices=Curve, default=Curve.OFFICES)
    building_peak_a = models.FloatField(
        _("the building's highest hour, per line (A)"),
        default=20,
        validators=[MinValueValidator(0), MaxValueValidator(6000)],
        help_text=_("Not used with a recorded building."),
    )
    stations = models.PositiveSmallIntegerField(
        _("charging stations"), default=10, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    cars = models.PositiveSmallIntegerField(
        _("cars a day"), default=12, validators=[MinValueValidator(1), MaxValueValidator(200)]
    )
    three_16 = models.PositiveSmallIntegerField(_("three phases, 16 A (11 kW)"), default=5, validators=_SHARE)
    three_32 = models.PositiveSmallIntegerField(_("three phases, 32 A (22 kW)"), default=1, validators=_SHARE)
    one_32 = models.PositiveSmallIntegerField(_("one phase, 32 A (7.4 kW)"), default=3, validators=_SHARE)
    one_16 = models.PositiveSmallIntegerField(_("one phase, 16 A (plug-in hybrid)"), default=1, validators=_SHARE)
    work = models.PositiveSmallIntegerField(_("come to work"), default=1, validators=_SHARE)
    home = models.PositiveSmallIntegerField(_("come home in the evening"), default=0, validators=_SHARE)
    visit = models.PositiveSmallIntegerField(_("visit for some hours"), default=0, validators=_SHARE)
    seed = models.PositiveIntegerField(
        _("number of the day"),
        default=1,
        validators=[MaxValueValidator(2**31 - 1)],
        help_text=_("The same number makes the same cars come; another one another day."),
    )
    run = models.PositiveIntegerField(default=0, editable=False)
    state = models.CharField(max_length=10, choices=PlayState, default=PlayState.RUNNING, editable=False)
    done_percent = models.PositiveSmallIntegerField(default=0, editable=False)
    curve_a: Any = models.JSONField(default=list, editable=False)
    work_done: Any = models.JSONField(default=dict, editable=False)
    results: Any = models.JSONField(default=list, editable=False)
    heard_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("scenario")
        verbose_name_plural = _("scenarios")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(curve__in=Curve.values), name="scenario_curve_known"),
            models.CheckConstraint(condition=Q(state__in=PlayState.values), name="scenario_state_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a day without any kind of car, or without any reason to come."""
        errors = {}
        if not any((self.three_16, self.three_32, self.one_32, self.one_16)):
            errors["three_16"] = _("Give at least one kind of car a share: without cars there is nothing to plan.")
        if not any((self.work, self.home, self.visit)):
            errors["work"] = _("Give at least one habit a share: without it no car comes.")
        if errors:
            raise ValidationError(errors)


class Recording(models.Model):
    """About a minute of the loop: what each decision saw and said, packed (`energy.recorder`); kept for 14 days.

    A replay begins at a row that has the controller's memory.
    """

    begins_at = models.DateTimeField(_("from"), db_index=True)
    ends_at = models.DateTimeField(_("to"))
    cycles = models.PositiveIntegerField(_("decisions"))
    has_memory = models.BooleanField()
    data = models.BinaryField()

    class Meta:
        verbose_name = _("recorded minute")
        verbose_name_plural = _("recorded minutes")
        ordering = ["-begins_at"]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.begins_at):%Y-%m-%d %H:%M:%S}"


class WiringCheck(models.Model):
    """One check of which line each phase of a station is on; one runs at a time in the whole installation.

    `finding` is one of `energy.wiring.Finding`, empty while it runs. `heard_at`: when the loop last said how far it is;
    None: it has not taken it up. `phases`: those that the car uses, from 0. `answers`: for L1, L2, L3 what the meter
    moved by for each A of the car, and the error of that.
    """

    station = models.ForeignKey(Station, models.CASCADE, related_name="wiring_checks")
    connector = models.ForeignKey(Connector, models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("requested by")
    )
    requester = models.CharField(_("requested by"), max_length=150, blank=True, editable=False)  # also when deleted
    rotation = models.CharField(_("phase rotation"), max_length=6, choices=PhaseRotation)
    phases: Any = models.JSONField(default=list)
    highest_a = models.FloatField()
    begun_at = models.DateTimeField(_("begun at"), auto_now_add=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    finding = models.CharField(_("finding"), max_length=20, blank=True)
    steps = models.PositiveSmallIntegerField(default=0)
    answers: Any = models.JSONField(default=list)
    proposed = models.CharField(max_length=6, blank=True)
    taken_over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("wiring check")
        verbose_name_plural = _("wiring checks")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["finding"], condition=Q(finding=""), name="wiring_check_one_runs"),
            models.CheckConstraint(
                condition=Q(ended_at=None, finding="") | (Q(ended_at__isnull=False) & ~Q(finding="")),
                name="wiring_check_ends_with_a_finding",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.begun_at:%Y-%m-%d}"

    @property
    def is_running(self) -> bool:
        """Say whether the finding is still to come."""
        return not self.finding
