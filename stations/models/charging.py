"""What happened at the connectors: transactions, meter values, and messages that belong to none."""

from typing import Any, NamedTuple

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.models import Badge
from stations.models.installation import Connector, Station


class ChargedAt(NamedTuple):
    """Where a car charged: station and number of the connector."""

    identity: str
    name: str
    mac_address: str
    connector: int


class Transaction(models.Model):
    """One charging operation; its number is the OCPP transactionId and is never used again.

    One of a station that was deleted has no connector; the four columns after it then say where it was.
    """

    id: Any = models.AutoField(primary_key=True)
    connector = models.ForeignKey(
        Connector, models.PROTECT, null=True, blank=True, related_name="transactions", verbose_name=_("connector")
    )
    station_identity = models.CharField(max_length=255, blank=True, editable=False)
    station_name = models.CharField(max_length=100, blank=True, editable=False)
    station_mac_address = models.CharField(max_length=17, blank=True, editable=False)
    connector_number = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    id_tag = models.CharField(_("badge number"), max_length=255)
    badge = models.ForeignKey(
        Badge, models.SET_NULL, null=True, blank=True, related_name="transactions", verbose_name=_("badge")
    )
    is_authorised = models.BooleanField(_("authorised"), default=True)
    meter_start_wh = models.BigIntegerField(_("meter at the start (Wh)"))
    started_at = models.DateTimeField(_("started at"))
    meter_stop_wh = models.BigIntegerField(_("meter at the end (Wh)"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    stop_reason = models.CharField(_("reason"), max_length=50, blank=True)
    stop_id_tag = models.CharField(_("stopped with the badge"), max_length=255, blank=True)
    flags = models.JSONField(_("remarks"), default=list, blank=True)
    raw_start = models.JSONField(_("start message"), default=dict)
    raw_stop = models.JSONField(_("stop message"), null=True, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("charging session")
        verbose_name_plural = _("charging sessions")
        constraints = [
            models.CheckConstraint(
                condition=Q(connector__isnull=False)
                | Q(connector_number__isnull=False, stopped_at__isnull=False) & ~Q(station_identity=""),
                name="transaction_says_where_it_was",
            ),
            models.UniqueConstraint(
                fields=["connector", "id_tag", "meter_start_wh", "started_at"], name="transaction_start_once"
            ),
            models.UniqueConstraint(
                fields=["connector"], condition=Q(stopped_at=None), name="transaction_one_open_per_connector"
            ),
            models.CheckConstraint(
                condition=Q(meter_stop_wh=None) | Q(meter_stop_wh__gte=F("meter_start_wh")),
                name="transaction_energy_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(stopped_at=None) | Q(stopped_at__gte=F("started_at")), name="transaction_ends_after_start"
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at"]),
            models.Index(fields=["badge"], condition=Q(stopped_at=None), name="transaction_open_of_badge"),
        ]

    def __str__(self) -> str:
        return gettext("Charging session %(number)s") % {"number": self.pk}

    @property
    def charged_at(self) -> ChargedAt:
        """Where it charged, as the station is called now, or was when it was deleted."""
        if self.connector is None:
            return ChargedAt(
                self.station_identity, self.station_name, self.station_mac_address, self.connector_number or 0
            )
        station = self.connector.station
        return ChargedAt(station.identity, station.name, station.mac_address, self.connector.number)

    @property
    def energy_wh(self) -> int | None:
        """Charged energy; None while it runs or where the station never said."""
        return None if self.meter_stop_wh is None else self.meter_stop_wh - self.meter_start_wh


class MeterValue(models.Model):
    """What a station measured at one moment on one connector, after normalisation."""

    connector = models.ForeignKey(Connector, models.CASCADE, related_name="meter_values")
    transaction = models.ForeignKey(Transaction, models.CASCADE, null=True, blank=True, related_name="meter_values")
    measured_at = models.DateTimeField()
    context = models.CharField(max_length=30, blank=True)
    energy_wh = models.BigIntegerField(null=True, blank=True)
    power_w = models.FloatField(null=True, blank=True)
    current_l1_a = models.FloatField(null=True, blank=True)
    current_l2_a = models.FloatField(null=True, blank=True)
    current_l3_a = models.FloatField(null=True, blank=True)
    voltage_l1_v = models.FloatField(null=True, blank=True)
    voltage_l2_v = models.FloatField(null=True, blank=True)
    voltage_l3_v = models.FloatField(null=True, blank=True)
    offered_a = models.FloatField(null=True, blank=True)
    soc_percent = models.FloatField(null=True, blank=True)

    class Meta:
        verbose_name = _("meter value")
        verbose_name_plural = _("meter values")
        constraints = [
            models.CheckConstraint(condition=Q(energy_wh=None) | Q(energy_wh__gte=0), name="meter_value_not_negative")
        ]
        indexes = [models.Index(fields=["connector", "-measured_at"])]

    def __str__(self) -> str:
        return f"{self.connector_id} {self.measured_at:%Y-%m-%d %H:%M:%S}"


class StrayMessage(models.Model):
    """A message that was answered but belongs to no known transaction: kept as it came, for a person to judge."""

    station = models.ForeignKey(
        Station, models.CASCADE, related_name="stray_messages", verbose_name=_("charging station")
    )
    action = models.CharField(_("action"), max_length=50)
    payload = models.JSONField(_("message"))
    reason = models.CharField(_("reason"), max_length=200)
    received_at = models.DateTimeField(_("received at"), auto_now_add=True)

    class Meta:
        verbose_name = _("message without a charging session")
        verbose_name_plural = _("messages without a charging session")

    def __str__(self) -> str:
        return f"{self.action}: {self.reason}"
