"""What was asked of stations."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.installation import Station


class CommandState(models.TextChoices):
    """How far a command has come; every state but the first two is its outcome."""

    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    REFUSED = "refused", _("Refused with an error")  # CALLERROR (OCPP-J 1.6 §4.2.3)
    TIMED_OUT = "timed_out", _("No answer in time")
    NOT_CONNECTED = "not_connected", _("Not connected")


class Command(models.Model):
    """An operation a person or a program asked of a station, and what came of it. Secrets in it are blanked."""

    OPEN = (CommandState.QUEUED, CommandState.SENT)
    ANSWERED = (CommandState.ACCEPTED, CommandState.REJECTED, CommandState.REFUSED)

    station = models.ForeignKey(Station, models.CASCADE, related_name="commands")
    action = models.CharField(_("action"), max_length=50)
    payload = models.JSONField(_("payload"), default=dict)
    state = models.CharField(_("state"), max_length=13, choices=CommandState, default=CommandState.QUEUED)
    answer = models.JSONField(_("answer"), null=True, blank=True)
    error_code = models.CharField(_("error"), max_length=50, blank=True)
    error_text = models.CharField(_("error text"), max_length=300, blank=True)
    requested_by = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("requested by")
    )
    requester = models.CharField(_("requested by"), max_length=150, blank=True, editable=False)  # also when deleted
    created_at = models.DateTimeField(_("requested at"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CommandState.values), name="command_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "accepted", "rejected", "refused"]) | Q(sent_at__isnull=False),
                name="command_answered_only_when_sent",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["accepted", "rejected", "refused"], answered_at__isnull=False)
                | (~Q(state__in=["accepted", "rejected", "refused"]) & Q(answered_at=None)),
                name="command_answered_at_with_answer",
            ),
        ]
        indexes = [models.Index(fields=["station", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Say whether the outcome is still to come."""
        return self.state in self.OPEN
