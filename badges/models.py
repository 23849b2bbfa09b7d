"""Who may charge."""

from datetime import date

from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel


class BadgeType(models.TextChoices):
    """What a badge may do (SPEC S27); pending ones were scanned and wait for a type (S23)."""

    PENDING = "pending", _("Pending")
    STANDARD = "standard", _("Standard")
    SUPERVISOR = "supervisor", _("Supervisor")


class Badge(models.Model):
    """An RFID card; its number is the OCPP idTag (CiString20: compared without case)."""

    id_tag = models.CharField(_("badge number"), max_length=20)
    type = models.CharField(_("type"), max_length=10, choices=BadgeType, default=BadgeType.STANDARD)
    is_active = models.BooleanField(_("active"), default=True)
    comment = models.CharField(_("comment"), max_length=200, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    is_good_everywhere = models.BooleanField(_("good for all stations"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

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
    """The access rule: one row."""

    access_rule = models.CharField(_("access rule"), max_length=10, choices=AccessRule, default=AccessRule.FREE)

    class Meta:
        verbose_name = verbose_name_plural = _("access rule")
        constraints = [
            models.CheckConstraint(condition=models.Q(access_rule__in=AccessRule.values), name="access_rule_known")
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name).capitalize()
