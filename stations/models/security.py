"""Certificates of the load manager and its stations, and what stations report of their security."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station


class CertificateAuthority(models.Model):
    """The load manager's own certificate authority: one row, its private key sealed."""

    certificate_pem = models.TextField()
    key_sealed = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="certificate_authority_once")]

    def __str__(self) -> str:
        return "certificate authority"


class CertificateState(models.TextChoices):
    """What became of a certificate."""

    ISSUED = "issued", _("Sent, not answered")
    ACCEPTED = "accepted", _("Taken by the station")
    REJECTED = "rejected", _("Not taken by the station")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Certificate(models.Model):
    """A client certificate that was signed for a station."""

    station = models.ForeignKey(
        Station, models.CASCADE, related_name="certificates", verbose_name=_("charging station")
    )
    common_name = models.CharField(_("name in it"), max_length=255)
    serial_number = models.CharField(_("serial number"), max_length=40, unique=True)
    fingerprint = models.CharField(_("fingerprint (SHA-256)"), max_length=64, unique=True)
    request_hash = models.CharField(max_length=64, editable=False)
    pem = models.TextField("PEM")
    not_before = models.DateTimeField(_("valid from"))
    not_after = models.DateTimeField(_("valid until"))
    state = models.CharField(_("state"), max_length=9, choices=CertificateState, default=CertificateState.ISSUED)
    answer = models.CharField(_("answer"), max_length=300, blank=True)
    issued_at = models.DateTimeField(_("issued at"), auto_now_add=True)

    class Meta:
        verbose_name = _("certificate")
        verbose_name_plural = _("certificates")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CertificateState.values), name="certificate_state_known")
        ]

    def __str__(self) -> str:
        return f"{self.common_name} · {self.serial_number}"


class SecurityEvent(models.Model):
    """A SecurityEventNotification of a station; `at` is its own time, where that is believable.

    Wrong passwords that came under its name are noted as one, too.
    """

    station = models.ForeignKey(
        Station, models.CASCADE, related_name="security_events", verbose_name=_("charging station")
    )
    type = models.CharField(_("type"), max_length=100)
    at = models.DateTimeField(_("time"))
    tech_info = models.CharField(_("details"), max_length=1000, blank=True)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["station", "-at"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.station}: {self.type}"
