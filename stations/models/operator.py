"""The connection to operators: where stations stand with them, their ids, their limits, and what waits to be sent."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stations.models.charging import Transaction
from stations.models.installation import CpoServer, Station


class LinkState(models.TextChoices):
    """How a station stands with an operator; only `ACCEPTED` follows from a BootNotification it accepted."""

    CONNECTING = "connecting", _("Connecting")
    UNREACHABLE = "unreachable", _("Cannot reach the operator")
    PENDING = "pending", _("Pending at the operator")
    REJECTED = "rejected", _("Rejected by the operator")
    ACCEPTED = "accepted", _("Accepted by service provider")


class CpoLink(models.Model):
    """A station as one operator knows it: an identity at a server. A station that changes operators has several.

    `web_id` names the web process that speaks for it: the one that had the station's socket last. `cause` is a
    `stations.cpo.causes.Cause`, `detail` what goes with it. `settings` are the configuration keys that the operator has
    set and the load manager answers for, `known_tags` its local list.
    """

    station = models.ForeignKey(Station, models.CASCADE, related_name="cpo_links", verbose_name=_("charging station"))
    server = models.ForeignKey(CpoServer, models.CASCADE, related_name="links", verbose_name=_("operator server"))
    identity = models.CharField(_("identity at the operator"), max_length=255)
    web_id = models.CharField(max_length=100, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=12, choices=LinkState, default=LinkState.CONNECTING)
    cause = models.CharField(_("cause"), max_length=20, blank=True)
    detail = models.CharField(max_length=200, blank=True, editable=False)
    changed_at = models.DateTimeField(_("since"), auto_now_add=True)
    settings = models.JSONField(default=dict, blank=True, editable=False)
    list_version = models.IntegerField(default=0, editable=False)
    known_tags = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("connection to an operator")
        verbose_name_plural = _("connections to operators")
        constraints = [
            models.UniqueConstraint(fields=["station", "server", "identity"], name="cpo_link_once"),
            models.CheckConstraint(condition=Q(state__in=LinkState.values), name="cpo_link_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.station} · {self.server}"

    @property
    def is_in_force(self) -> bool:
        """Say whether the station's next transaction belongs to this link."""
        station = self.station
        identity = station.cpo_identity or station.identity
        return station.is_cpo_enabled and (station.cpo_server_id, identity) == (self.server_id, self.identity)


class CpoTransaction(models.Model):
    """A transaction that an operator is told of: its number there, once it is known, and what was said of the badge."""

    transaction = models.OneToOneField(Transaction, models.CASCADE, related_name="cpo")
    link = models.ForeignKey(CpoLink, models.CASCADE, related_name="transactions")
    cpo_id = models.IntegerField(null=True, blank=True)
    status = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = _("charging session at an operator")
        verbose_name_plural = _("charging sessions at operators")
        indexes = [models.Index(fields=["link", "cpo_id"])]

    def __str__(self) -> str:
        return f"{self.transaction_id} = {self.cpo_id}"


class CpoMessage(models.Model):
    """A message that an operator has not answered yet; the rows of a link are sent in the order of their ids.

    `payload` is JSON as it goes out, but for the number of the transaction. `refusals` were answered with an error,
    `losses` not at all. One that is set aside lets the others pass and waits for a person. With a `next_try_at` and no
    refusal it is held until then, and lets them pass too.
    """

    id: Any = models.AutoField(primary_key=True)
    link = models.ForeignKey(
        CpoLink, models.CASCADE, related_name="messages", verbose_name=_("connection to an operator")
    )
    action = models.CharField(_("action"), max_length=50)
    payload = models.TextField(_("message"))
    transaction = models.ForeignKey(
        Transaction, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("charging session")
    )
    queued_at = models.DateTimeField(_("waits since"))
    refusals = models.PositiveSmallIntegerField(_("refused"), default=0)
    losses = models.PositiveSmallIntegerField(_("not answered"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    error = models.CharField(_("last answer"), max_length=300, blank=True)
    set_aside_at = models.DateTimeField(_("set aside at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message for an operator")
        verbose_name_plural = _("messages for operators")
        ordering = ["pk"]
        indexes = [models.Index(fields=["link", "id"], condition=Q(set_aside_at=None), name="cpo_message_waiting")]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"


class CpoProfile(models.Model):
    """A charging profile of an operator: an upper bound that the load manager keeps to, never sent on.

    `transaction` and `id_tag` are those it is meant for; a tag alone waits for its transaction to begin.
    """

    link = models.ForeignKey(CpoLink, models.CASCADE, related_name="profiles")
    connector = models.PositiveSmallIntegerField()
    profile_id = models.IntegerField()
    purpose = models.CharField(max_length=30)
    stack_level = models.PositiveIntegerField()
    payload = models.JSONField()
    transaction = models.ForeignKey(Transaction, models.CASCADE, null=True, blank=True, related_name="+")
    id_tag = models.CharField(max_length=20, blank=True)
    installed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("charging profile of an operator")
        verbose_name_plural = _("charging profiles of operators")

    def __str__(self) -> str:
        return f"{self.purpose} {self.profile_id}"


class CpoIdTag(models.Model):
    """A badge that an operator has accepted, for when it cannot be asked."""

    server = models.ForeignKey(CpoServer, models.CASCADE, related_name="id_tags")
    id_tag = models.CharField(max_length=20)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("badge known to an operator")
        verbose_name_plural = _("badges known to operators")
        constraints = [models.UniqueConstraint(fields=["server", "id_tag"], name="cpo_id_tag_once")]

    def __str__(self) -> str:
        return self.id_tag
