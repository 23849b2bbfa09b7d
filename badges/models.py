"""Who may charge."""

from datetime import date, datetime

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel

from badges.import_models import BadgeImport as BadgeImport
from badges.import_models import ImportedRow as ImportedRow

LONGEST_NUMBER = 20
PLAIN = r"\A[\x20-\x7e]*\Z"
IS_PLAIN = RegexValidator(
    PLAIN, _("A badge number has letters without accents, digits and signs alone, as stations send it.")
)


class BadgeType(models.TextChoices):
    """What a badge may do (SPEC S27); pending ones were scanned and wait for a type (S23)."""

    PENDING = "pending", _("Pending")
    STANDARD = "standard", _("Standard")
    SUPERVISOR = "supervisor", _("Supervisor")


class Badge(models.Model):
    """An RFID card; its number is the OCPP idTag (CiString20: compared without case).

    `priority` None: that of the station where it charges counts.
    """

    id_tag = models.CharField(_("badge number"), max_length=LONGEST_NUMBER, validators=[IS_PLAIN])
    type = models.CharField(_("type"), max_length=10, choices=BadgeType, default=BadgeType.STANDARD)
    is_active = models.BooleanField(_("active"), default=True)
    comment = models.CharField(_("comment"), max_length=200, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    is_good_everywhere = models.BooleanField(_("good for all stations"), default=True)
    priority = models.SmallIntegerField(_("priority"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        constraints = [
            models.UniqueConstraint(Upper("id_tag"), name="badge_id_tag_once"),
            models.CheckConstraint(condition=models.Q(type__in=BadgeType.values), name="badge_type_known"),
            models.CheckConstraint(condition=~models.Q(id_tag=""), name="badge_id_tag_given"),
        ]

    def __str__(self) -> str:
        return f"{self.id_tag} ({self.comment})" if self.comment else self.id_tag

    def has_expired(self, today: date) -> bool:
        """Say whether the expiry date lies before `today` (a date in the installation's time zone)."""
        return self.expires_on is not None and self.expires_on < today


class AccessRule(models.TextChoices):
    """Who may charge at all (SPEC S21)."""

    FREE = "free", _("Free access")
    BADGE = "badge", _("Badge required")


class BadgeSettings(SingletonModel):
    """The access rule, and what goes with it: one row."""

    access_rule = models.CharField(_("access rule"), max_length=10, choices=AccessRule, default=AccessRule.FREE)
    allows_concurrent_use = models.BooleanField(_("one badge may charge several cars at once"), default=True)

    class Meta:
        verbose_name = verbose_name_plural = _("access rule")
        constraints = [
            models.CheckConstraint(condition=models.Q(access_rule__in=AccessRule.values), name="access_rule_known")
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name).capitalize()


class Reason(models.TextChoices):
    """Why a badge is taken or refused."""

    ACCEPTED = "accepted", _("accepted")
    UNKNOWN = "unknown", _("The badge is unknown")
    PENDING = "pending", _("The badge has no type yet")
    EXPIRED = "expired", _("The badge has expired")
    INACTIVE = "inactive", _("The badge is not active")
    NOT_HERE = "not_here", _("The badge is not good for this station")
    IN_USE = "in_use", _("The badge charges another car")
    SCANNED = "scanned", _("Badges were being scanned")


REFUSALS = [(reason.value, reason.label) for reason in Reason if reason != Reason.ACCEPTED]


class Refusal(models.Model):
    """A badge that was refused; `station` is what the station was called. The newest of some time are kept."""

    at = models.DateTimeField(_("time"), auto_now_add=True)
    id_tag = models.CharField(_("badge number"), max_length=255)
    station = models.CharField(_("charging station"), max_length=255)
    reason = models.CharField(_("reason"), max_length=10, choices=REFUSALS)

    class Meta:
        verbose_name = _("refused badge")
        verbose_name_plural = _("refused badges")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(reason__in=[value for value, _label in REFUSALS]), name="refusal_reason_known"
            )
        ]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return self.id_tag


class Scan(models.Model):
    """Somebody collects the numbers of badges at stations (SPEC S23); `station_ids` empty: at all of them."""

    started_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField()
    station_ids = models.JSONField(default=list)

    class Meta:
        verbose_name = _("scan")
        verbose_name_plural = _("scans")
        indexes = [models.Index(fields=["ends_at"])]

    def __str__(self) -> str:
        return f"{self.pk}"

    def covers(self, station_id: int) -> bool:
        """Say whether badges are scanned at a station."""
        return not self.station_ids or station_id in self.station_ids

    def is_running(self, now: datetime) -> bool:
        """Say whether it goes on."""
        return now < self.ends_at


class ScannedBadge(models.Model):
    """A badge that was presented during a scan; `badge` None: its number is none that a badge can have."""

    scan = models.ForeignKey(Scan, models.CASCADE, related_name="scanned")
    badge = models.ForeignKey(Badge, models.CASCADE, null=True, related_name="+")
    id_tag = models.CharField(max_length=255)
    station = models.CharField(max_length=255)
    is_new = models.BooleanField()
    times = models.PositiveIntegerField(default=1)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("scanned badge")
        verbose_name_plural = _("scanned badges")
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint("scan", Upper("id_tag"), name="scanned_badge_once")]

    def __str__(self) -> str:
        return self.id_tag
