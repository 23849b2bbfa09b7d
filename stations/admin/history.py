"""What happened at stations: to be read, not changed."""

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.read_only import ReadOnlyAdmin
from stations.models import Command, Frame, StrayMessage, Transaction
from stations.reported_words import STOP_REASONS, in_words


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """Charging operations."""

    list_display = ["id", "place", "id_tag", "started_at", "stopped_at", "energy", "why_stopped"]
    list_select_related = ["connector__station"]
    fields = [
        "place",
        "id_tag",
        "badge",
        "is_authorised",
        "started_at",
        "meter_start_wh",
        "stopped_at",
        "meter_stop_wh",
        "energy",
        "why_stopped",
        "stop_id_tag",
        "flags",
        "raw_start",
        "raw_stop",
    ]
    date_hierarchy = "started_at"
    search_fields = [
        "id_tag",
        "connector__station__identity",
        "connector__station__name",
        "station_identity",
        "station_name",
    ]

    @admin.display(description=_("connector"))
    def place(self, transaction: Transaction) -> str:
        """Name station and connector, also of a station that was deleted."""
        place = transaction.charged_at
        shown = f"{place.name or place.identity} · {place.connector}"
        return gettext("%(place)s (deleted)") % {"place": shown} if transaction.connector_id is None else shown

    @admin.display(description=_("energy (kWh)"))
    def energy(self, transaction: Transaction) -> str:
        """Give what was charged, once it has ended."""
        energy_wh = transaction.energy_wh
        return "–" if energy_wh is None else number_format(energy_wh / 1000, decimal_pos=3, use_l10n=True)

    @admin.display(description=_("reason"), ordering="stop_reason")
    def why_stopped(self, transaction: Transaction) -> str:
        """Say why it ended."""
        return in_words(transaction.stop_reason, STOP_REASONS) or "–"


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """What was asked of all stations, by whom, and what came of it."""

    list_display = ["created_at", "station", "action", "state", "error_text", "requester"]
    list_select_related = ["station"]
    list_filter = ["requester", "action", "state"]
    search_fields = ["station__identity", "station__name", "action", "requester"]
    search_help_text = _("Station, operation or user")
    date_hierarchy = "created_at"
    show_full_result_count = False


@admin.register(StrayMessage)
class StrayMessageAdmin(ReadOnlyAdmin):
    """Messages that belong to no transaction."""

    list_display = ["received_at", "station", "action", "reason"]
    list_select_related = ["station"]


@admin.register(Frame)
class FrameAdmin(ReadOnlyAdmin):
    """The message log."""

    list_display = ["moment", "station", "direction", "action", "text"]
    list_select_related = ["station"]
    list_filter = ["is_incoming", "station"]
    list_per_page = 50
    search_fields = ["station__identity", "action", "text"]
    search_help_text = _("Station, action, or any part of a message")
    show_full_result_count = False

    @admin.display(description=_("time"), ordering="pk")
    def moment(self, frame: Frame) -> str:
        """Write the time to the millisecond."""
        return timezone.localtime(frame.at).isoformat(" ", "milliseconds")[:-6]

    @admin.display(description=_("direction"), ordering="is_incoming")
    def direction(self, frame: Frame) -> str:
        """Say who spoke."""
        return gettext("from the station") if frame.is_incoming else gettext("to the station")
