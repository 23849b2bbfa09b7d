"""What happened at stations: to be read, not changed."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.read_only import ReadOnlyAdmin
from stations.models import Command, Frame, StrayMessage, Transaction
from stations.ocpp16.normalise import CLOCK_FLAG, METER_FLAG
from stations.reported_words import STOP_REASONS, in_words
from stations.session_curve import Moment, current_picture, power_picture, thinned
from stations.transactions import LOST, MATCHED_FLAG

REMARKS = {
    CLOCK_FLAG: _("The station's clock was wrong: the time is that at which its message came."),
    METER_FLAG: _("The station's meter said nothing or what cannot be: the energy is that of its last meter values."),
    MATCHED_FLAG: _("The stop named no charging session of this station: it was taken for the only one it could mean."),
}


class Standing(admin.SimpleListFilter):
    """What is to be seen of a list of transactions: those that run, that ended, that need a second look."""

    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002 (Django's interface)
        """Name the choices."""
        return [
            ("running", _("Running")),
            ("ended", _("Ended")),
            ("corrected", _("Corrected")),
            ("lost", _("Its end was not heard")),
            ("refused", _("Badge refused")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:  # noqa: ARG002
        """Narrow the list down."""
        narrowed = {
            "running": Q(stopped_at=None),
            "ended": Q(stopped_at__isnull=False),
            "corrected": ~Q(flags=[]),
            "lost": Q(stop_reason=LOST),
            "refused": Q(is_authorised=False),
        }
        return queryset.filter(narrowed.get(self.value() or "", Q()))


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """Charging operations, and the page of one with its curve."""

    list_display = ["id", "place", "id_tag", "holder", "started_at", "stopped_at", "energy", "why_stopped", "corrected"]
    list_select_related = ["connector__station", "badge"]
    list_filter = [Standing, ("connector__station", admin.RelatedOnlyFieldListFilter)]
    fields = [
        "place",
        "id_tag",
        "badge",
        "is_authorised",
        "started_at",
        "meter_start",
        "stopped_at",
        "meter_stop",
        "energy",
        "why_stopped",
        "stop_id_tag",
        "remarks",
        "raw_start",
        "raw_stop",
    ]
    date_hierarchy = "started_at"
    search_fields = [
        "=id",
        "id_tag",
        "badge__comment",
        "connector__station__identity",
        "connector__station__name",
        "station_identity",
        "station_name",
    ]
    search_help_text = _("Number, badge, holder or charging station")
    show_full_result_count = False
    change_form_before_template = "stations/session_curve.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one, with its curve."""
        found = self.get_object(request, object_id)
        context = {**(extra_context or {}), **({} if found is None else session_curve(found))}
        return cast(HttpResponse, super().change_view(request, object_id, form_url, context))

    @admin.display(description=_("connector"))
    def place(self, transaction: Transaction) -> str:
        """Name station and connector, also of a station that was deleted."""
        place = transaction.charged_at
        shown = f"{place.name or place.identity} · {place.connector}"
        return gettext("%(place)s (deleted)") % {"place": shown} if transaction.connector_id is None else shown

    @admin.display(description=_("holder"), ordering="badge__comment")
    def holder(self, transaction: Transaction) -> str:
        """Give the comment of the badge."""
        return (transaction.badge.comment if transaction.badge else "") or "–"

    @admin.display(description=_("energy (kWh)"))
    def energy(self, transaction: Transaction) -> str:
        """Give what was charged, once it has ended."""
        return _in_kwh(transaction.energy_wh)

    @admin.display(description=_("meter at the start (kWh)"))
    def meter_start(self, transaction: Transaction) -> str:
        """Give what the station's meter showed first."""
        return _in_kwh(transaction.meter_start_wh)

    @admin.display(description=_("meter at the end (kWh)"))
    def meter_stop(self, transaction: Transaction) -> str:
        """Give what the station's meter showed last."""
        return _in_kwh(transaction.meter_stop_wh)

    @admin.display(description=_("reason"), ordering="stop_reason")
    def why_stopped(self, transaction: Transaction) -> str:
        """Say why it ended."""
        return in_words(transaction.stop_reason, STOP_REASONS) or "–"

    @admin.display(description=_("corrected"))
    def corrected(self, transaction: Transaction) -> str:
        """Mark what the load manager had to correct."""
        return gettext("yes") if transaction.flags else "–"

    @admin.display(description=_("corrections"))
    def remarks(self, transaction: Transaction) -> str:
        """Say what was corrected."""
        return " ".join(in_words(flag, REMARKS) for flag in transaction.flags) or "–"


def _in_kwh(energy_wh: int | None) -> str:
    return "–" if energy_wh is None else str(number_format(energy_wh / 1000, decimal_pos=3, use_l10n=True))


def session_curve(transaction: Transaction) -> dict[str, Any]:
    """Give what the page of a transaction shows of its course."""
    values = transaction.meter_values.order_by("measured_at", "pk").values_list(
        "measured_at", "power_w", "current_l1_a", "current_l2_a", "current_l3_a", "energy_wh"
    )
    moments = thinned([Moment(at, power, (l1, l2, l3), energy) for at, power, l1, l2, l3, energy in values])
    last = moments[-1].at if moments else timezone.now()
    since, until = transaction.started_at, transaction.stopped_at or last
    start_wh = transaction.meter_start_wh
    return {
        "since": since,
        "until": until,
        "power": power_picture(moments, since, until),
        "currents": current_picture(moments, since, until),
        "moments": [
            (moment, None if moment.energy_wh is None else max(0, moment.energy_wh - start_wh) / 1000)
            for moment in moments
        ],
    }


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
