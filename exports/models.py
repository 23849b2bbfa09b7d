"""What was charged before this load manager, and how what was charged is told on: tariff, e-mails, off-peak energy."""

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from solo.models import SingletonModel

from accounts.models import User
from stations.models import Transaction


class ImportState(models.TextChoices):
    """How far the import of a file is."""

    PREVIEW = "preview", _("Not imported yet")
    RUNNING = "running", _("Under way")
    FINISHED = "finished", _("Finished")
    STOPPED = "stopped", _("Stopped")


class HistoryImport(models.Model):
    """A file of an old device's history: what it said, and how far its rows are taken over.

    `text` is the file, kept until it is imported or given up; `is_wh` how its energy is meant; `done` counts rows.
    """

    file_name = models.CharField(_("file"), max_length=200)
    text = models.TextField(blank=True)
    time_zone = models.CharField(_("time zone"), max_length=60)
    is_wh = models.BooleanField(_("energy is in Wh"))
    state = models.CharField(_("state"), max_length=10, choices=ImportState, default=ImportState.PREVIEW)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    heard_at = models.DateTimeField(null=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, verbose_name=_("user"))

    class Meta:
        verbose_name = _("import of a history")
        verbose_name_plural = _("imports of histories")
        constraints = [models.CheckConstraint(condition=Q(state__in=ImportState.values), name="history_import_state")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 * self.done // self.total if self.total else 0


class OldTold(models.Model):
    """What a later file of the same device may tell better. Empty texts: the file says N/A or nothing.

    `flags` are those of `exports.old_file`.
    """

    station_name = models.CharField(_("charging station"), max_length=255, blank=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    badge_name = models.CharField(_("badge name"), max_length=255, blank=True)
    energy_wh = models.BigIntegerField(_("energy (Wh)"), null=True)
    flags: Any = models.JSONField(_("remarks"), default=list)

    class Meta:
        abstract = True


class ImportedTransaction(OldTold):
    """One charging operation of an old device, as its file tells it after repair.

    It is no `Transaction`: the device counted its numbers for itself, and of some neither end nor energy are known.
    """

    number = models.BigIntegerField(_("number"))
    station_mac_address = models.CharField(_("station id (MAC address)"), max_length=255, blank=True)
    started_at = models.DateTimeField(_("started at"))
    id_tag = models.CharField(_("badge number"), max_length=255, blank=True)
    brought_by = models.ForeignKey(
        HistoryImport, models.PROTECT, related_name="transactions", verbose_name=_("imported from")
    )

    class Meta:
        verbose_name = _("imported charging session")
        verbose_name_plural = _("imported charging sessions")
        constraints = [
            models.UniqueConstraint(
                fields=["number", "station_mac_address", "started_at", "id_tag"], name="imported_transaction_once"
            ),
            models.CheckConstraint(
                condition=Q(energy_wh=None) | Q(energy_wh__gte=0), name="imported_energy_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(stopped_at=None) | Q(stopped_at__gte=models.F("started_at")),
                name="imported_transaction_ends_after_start",
            ),
        ]
        indexes = [models.Index(fields=["-started_at"])]

    def __str__(self) -> str:
        return gettext("Charging session %(number)s") % {"number": self.number}


class FormerTold(OldTold):
    """What an imported transaction told before another import told it too: undoing that import brings it back."""

    # Deleted by hand before its transaction: a cascade would first read the whole import into memory.
    transaction = models.ForeignKey(ImportedTransaction, models.DO_NOTHING, related_name="former")
    changed_by = models.ForeignKey(HistoryImport, models.CASCADE, related_name="former")

    class Meta:
        verbose_name = _("imported transaction before its change")
        verbose_name_plural = _("imported transactions before their change")
        constraints = [models.UniqueConstraint(fields=["transaction", "changed_by"], name="former_told_once")]

    def __str__(self) -> str:
        return f"{self.transaction_id}"


class OffPeakEnergy(models.Model):
    """How much of the energy of a transaction was charged in off-peak times, kept: its meter values are deleted later.

    `energy_wh` and `stopped_at` are those of the transaction it was found for, `hours` names the times. `is_estimated`:
    no meter value told it. `is_final`: meter values are gone, other times cannot be looked up any more.
    """

    transaction = models.OneToOneField(Transaction, models.CASCADE, primary_key=True, related_name="off_peak")
    energy_wh = models.BigIntegerField()
    stopped_at = models.DateTimeField()
    hours = models.CharField(max_length=200)
    off_peak_wh = models.BigIntegerField()
    is_estimated = models.BooleanField()
    is_final = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("off-peak energy of a transaction")
        verbose_name_plural = _("off-peak energy of transactions")

    def __str__(self) -> str:
        return f"{self.transaction_id}"


class ExportSettings(SingletonModel):
    """What energy costs, and who is sent the charging of each month: one row.

    `mail_since`: the first month that ends after it is the first to be sent. `language`: that of the e-mails.
    """

    currency = models.CharField(
        _("currency"),
        max_length=3,
        default="EUR",
        validators=[RegexValidator(r"^[A-Z]{3}\Z", _("Three capital letters, such as EUR."))],
    )
    price = models.DecimalField(
        _("price per kWh"),
        max_digits=9,
        decimal_places=5,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
    )
    off_peak_price = models.DecimalField(
        _("off-peak price per kWh"),
        max_digits=9,
        decimal_places=5,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
    )
    off_peak_times = models.CharField(_("off-peak times"), max_length=100, blank=True)
    mail_to = models.CharField(_("send each month to"), max_length=500, blank=True)
    mail_since = models.DateTimeField(null=True, blank=True, editable=False)
    language = models.CharField(max_length=5, default="en", editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("tariff and monthly e-mail")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class MailState(models.TextChoices):
    """What became of the e-mail of a month."""

    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Not sent")


class MonthlyMail(models.Model):
    """The e-mail of one month, sent once. `month` is its first day; `retry_at` None: a person is to decide."""

    month = models.DateField(_("month"), unique=True)
    state = models.CharField(_("state"), max_length=10, choices=MailState, default=MailState.SENDING)
    sent_to = models.CharField(_("sent to"), max_length=500, blank=True)
    error = models.TextField(_("error"), blank=True)
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(_("last try"))
    retry_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("monthly e-mail")
        verbose_name_plural = _("monthly e-mails")
        constraints = [models.CheckConstraint(condition=Q(state__in=MailState.values), name="monthly_mail_state")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
