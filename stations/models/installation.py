"""Circuits, operators, stations and their connectors."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from badges.models import Badge

UNMEASURED_A = 1.0
MINIMUM_A = 6  # IEC 61851-1: a car cannot be offered less
MAXIMUM_A = 80  # the largest maximum current of a station


class Circuit(models.Model):
    """A part of the installation with a limit of its own, perhaps inside another."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    limit_l1_a = models.FloatField(_("limit L1 (A)"), validators=[MinValueValidator(0)])
    limit_l2_a = models.FloatField(_("limit L2 (A)"), validators=[MinValueValidator(0)])
    limit_l3_a = models.FloatField(_("limit L3 (A)"), validators=[MinValueValidator(0)])
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("lies in")
    )

    class Meta:
        verbose_name = _("circuit")
        verbose_name_plural = _("circuits")
        constraints = [
            models.CheckConstraint(
                condition=Q(limit_l1_a__gte=0, limit_l2_a__gte=0, limit_l3_a__gte=0), name="circuit_limits_not_negative"
            ),
            models.CheckConstraint(condition=Q(parent=None) | ~Q(parent=F("id")), name="circuit_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a circuit that would lie inside itself."""
        outer = self.parent
        while outer is not None:
            if self.pk is not None and outer.pk == self.pk:
                raise ValidationError({"parent": _("A circuit cannot lie inside itself.")})
            outer = outer.parent

    @property
    def limit_a(self) -> tuple[float, float, float]:
        """Amperes on L1, L2, L3."""
        return (self.limit_l1_a, self.limit_l2_a, self.limit_l3_a)


class PhaseRotation(models.TextChoices):
    """Which installation line each phase of a station is wired to."""

    L1L2L3 = "L1L2L3"
    L2L3L1 = "L2L3L1"
    L3L1L2 = "L3L1L2"
    L1L3L2 = "L1L3L2"
    L2L1L3 = "L2L1L3"
    L3L2L1 = "L3L2L1"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"

    @property
    def wiring(self) -> tuple[int, ...]:
        """Installation line (0–2) of the station's phase 1, 2, 3; one entry for a single-phase station."""
        return tuple(int(digit) - 1 for digit in self.value if digit.isdigit())


class StationState(models.TextChoices):
    """Where a station is on its way into service (SPEC S16)."""

    PENDING = "pending", _("Pending")
    CONFIGURED = "configured", _("Configured")
    NOT_USABLE = "not_usable", _("Not usable")


class SecurityProfile(models.IntegerChoices):
    """How a connection is secured (OCPP 1.6 security whitepaper); a higher one includes what those below ask for."""

    NONE = 0, _("0: no security")
    BASIC = 1, _("1: password")
    TLS = 2, _("2: TLS and password")
    CERTIFICATE = 3, _("3: TLS and client certificate")


class CpoServer(models.Model):
    """An operator's back-end that stations can be connected to (SPEC S19)."""

    class OfflinePolicy(models.TextChoices):
        """Who may charge while the operator cannot be reached."""

        CACHED = "cached", _("Badges known from before")
        DENY = "deny", _("Nobody")
        ALLOW = "allow", _("Everybody")

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField("URL", max_length=500)
    offline_policy = models.CharField(
        _("who may charge while it cannot be reached"),
        max_length=10,
        choices=OfflinePolicy,
        default=OfflinePolicy.CACHED,
    )
    password_sealed = models.TextField(blank=True, editable=False)
    ca_pem = models.TextField(
        _("certificate authority (PEM)"), blank=True, help_text=_("Empty: those that this machine trusts.")
    )
    barred = models.JSONField(_("operations it may not ask for"), default=list, blank=True)

    class Meta:
        verbose_name = _("operator server")
        verbose_name_plural = _("operator servers")
        constraints = [
            models.CheckConstraint(
                condition=Q(offline_policy__in=["cached", "deny", "allow"]), name="cpo_offline_policy_known"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Station(models.Model):
    """A charging station, known by the identity it connects with."""

    identity = models.CharField(_("OCPP identity"), max_length=255, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=StationState, default=StationState.PENDING)
    phase_rotation = models.CharField(
        _("phase rotation"), max_length=6, choices=PhaseRotation, default=PhaseRotation.L1L2L3
    )
    min_current_a = models.FloatField(
        _("minimum current per phase (A)"), default=MINIMUM_A, validators=[MinValueValidator(MINIMUM_A)]
    )
    max_current_a = models.FloatField(
        _("maximum current per phase (A)"),
        default=32,
        validators=[MinValueValidator(MINIMUM_A), MaxValueValidator(MAXIMUM_A)],
    )
    fail_safe_a = models.FloatField(
        _("fail-safe current (A)"),
        null=True,
        blank=True,
        validators=[
            MinValueValidator(0),
            MaxValueValidator(MAXIMUM_A, _("80 A at most: no station may be given more.")),
        ],
        help_text=_(
            "0, or 6 A and more; empty: computed from the installation. At 0 A its cars stop when it hears nothing."
        ),
    )
    circuit = models.ForeignKey(
        Circuit, models.PROTECT, null=True, blank=True, related_name="stations", verbose_name=_("circuit")
    )
    priority = models.SmallIntegerField(_("priority"), default=0)
    takes_all_badges = models.BooleanField(_("takes all badges"), default=True)
    badges = models.ManyToManyField(Badge, blank=True, related_name="stations", verbose_name=_("allowed badges"))

    host_name = models.CharField(_("host name"), max_length=255, blank=True)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    mac_address = models.CharField(_("station id (MAC address)"), max_length=17, blank=True)
    vendor = models.CharField(_("vendor"), max_length=100, blank=True)
    model = models.CharField(_("model"), max_length=100, blank=True)
    serial_number = models.CharField(_("serial number"), max_length=100, blank=True)
    firmware_version = models.CharField(_("firmware"), max_length=100, blank=True)

    security_profile = models.PositiveSmallIntegerField(
        _("security profile"),
        choices=SecurityProfile,
        default=SecurityProfile.NONE,
        help_text=_("The least a connection must satisfy. It can be raised, never lowered."),
    )
    wanted_security_profile = models.PositiveSmallIntegerField(
        choices=SecurityProfile, null=True, blank=True, editable=False
    )
    connection_profile = models.PositiveSmallIntegerField(
        _("last connected with"), choices=SecurityProfile, null=True, blank=True, editable=False
    )
    password_hash = models.CharField(max_length=64, blank=True, editable=False)
    next_password_hash = models.CharField(max_length=64, blank=True, editable=False)
    socket_id = models.CharField(max_length=120, blank=True, editable=False)
    connected_at = models.DateTimeField(_("connected at"), null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(_("last heard at"), null=True, blank=True, editable=False)
    called_address = models.CharField(max_length=45, blank=True, editable=False)  # of this machine, which it is set to
    standing_fail_safe_a = models.FloatField(null=True, blank=True, editable=False)

    cpo_server = models.ForeignKey(CpoServer, models.PROTECT, null=True, blank=True, related_name="stations")
    cpo_identity = models.CharField(max_length=255, blank=True)
    is_cpo_enabled = models.BooleanField(default=False)

    has_operators = False  # set when it connects: an operator has, or had, to be told of it

    class Meta:
        verbose_name = _("charging station")
        verbose_name_plural = _("charging stations")
        constraints = [
            models.CheckConstraint(condition=~Q(identity=""), name="station_identity_given"),
            models.CheckConstraint(condition=Q(state__in=StationState.values), name="station_state_known"),
            models.CheckConstraint(
                condition=Q(security_profile__in=SecurityProfile.values), name="station_security_profile_known"
            ),
            models.CheckConstraint(condition=Q(phase_rotation__in=PhaseRotation.values), name="station_rotation_known"),
            models.CheckConstraint(condition=Q(min_current_a__gte=MINIMUM_A), name="station_minimum_at_least_6_a"),
            models.CheckConstraint(
                condition=Q(max_current_a__gte=F("min_current_a")), name="station_maximum_at_least_minimum"
            ),
            models.CheckConstraint(
                condition=Q(fail_safe_a=None) | Q(fail_safe_a=0) | Q(fail_safe_a__gte=MINIMUM_A),
                name="station_fail_safe_zero_or_enough",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.identity

    def clean(self) -> None:
        """Refuse currents that contradict each other, at their fields."""
        errors = {}
        are_given = self.min_current_a is not None and self.max_current_a is not None
        if are_given and self.max_current_a < self.min_current_a:
            errors["max_current_a"] = _("The maximum must not be below the minimum.")
        if self.fail_safe_a is not None and 0 < self.fail_safe_a < MINIMUM_A:
            errors["fail_safe_a"] = _("0, or 6 A and more: a car cannot be offered less.")
        if errors:
            raise ValidationError(errors)

    @property
    def is_connected(self) -> bool:
        """Say whether a socket of this station is open, as far as the database knows."""
        return bool(self.socket_id)

    @property
    def wiring(self) -> tuple[int, ...]:
        """Installation line (0–2) of each phase of the station."""
        return PhaseRotation(self.phase_rotation).wiring


class ConnectorStatus(models.TextChoices):
    """ChargePointStatus (OCPP 1.6 §7.7); empty: not heard yet."""

    UNKNOWN = "", _("Unknown")
    AVAILABLE = "Available", _("Available")
    PREPARING = "Preparing", _("Preparing")
    CHARGING = "Charging", _("Charging")
    SUSPENDED_EVSE = "SuspendedEVSE", _("Paused by the load manager")
    SUSPENDED_EV = "SuspendedEV", _("Paused by the car")
    FINISHING = "Finishing", _("Finishing")
    RESERVED = "Reserved", _("Reserved")
    UNAVAILABLE = "Unavailable", _("Unavailable")
    FAULTED = "Faulted", _("Faulted")


class Connector(models.Model):
    """One outlet of a station, with what was last heard of it and what it was last told."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="connectors")
    number = models.PositiveSmallIntegerField(_("connector"))
    status = models.CharField(
        _("state"), max_length=20, choices=ConnectorStatus, default=ConnectorStatus.UNKNOWN, blank=True
    )
    error_code = models.CharField(_("error"), max_length=100, blank=True)
    status_at = models.DateTimeField(null=True, blank=True)
    current_l1_a = models.FloatField(null=True, blank=True)
    current_l2_a = models.FloatField(null=True, blank=True)
    current_l3_a = models.FloatField(null=True, blank=True)
    power_w = models.FloatField(null=True, blank=True)
    energy_wh = models.BigIntegerField(null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)
    accepted_limit_a = models.FloatField(_("limit in force (A)"), null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    lasting_limit_a = models.FloatField(null=True, blank=True, editable=False)
    lasting_replaces_standing = models.BooleanField(default=False, editable=False)
    refusal = models.CharField(_("last refusal of a limit"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("connector")
        verbose_name_plural = _("connectors")
        ordering = ["station_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["station", "number"], name="connector_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="connector_number_from_1"),
            models.CheckConstraint(
                condition=Q(accepted_limit_a=None) | Q(accepted_limit_a__gte=0), name="connector_limit_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station} · {self.number}"

    @property
    def current_a(self) -> tuple[float, float, float] | None:
        """Measured amperes on the station's phases 1–3; None where the station does not measure.

        A phase of which nothing is said counts as 1 A: too little to be taken from the building, too much for unused. A
        single-phase station has one current, whatever it calls its phase: some name that of the building.
        """
        known = [phase for phase in (self.current_l1_a, self.current_l2_a, self.current_l3_a) if phase is not None]
        if not known:
            return None
        if len(self.station.wiring) == 1:
            return (max(known), 0.0, 0.0)
        phases = (self.current_l1_a, self.current_l2_a, self.current_l3_a)
        missing = min(UNMEASURED_A, max(known))
        l1, l2, l3 = (missing if phase is None else phase for phase in phases)
        return (l1, l2, l3)
