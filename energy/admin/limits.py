"""Limits over time in the admin: the time table with its picture, what holds now, and the energy manager's limit."""

from collections import defaultdict
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminRadioSelectWidget

from energy.admin.general_form import decimal_input, text_input
from energy.external_limit import lift_limit, set_expiry
from energy.limit_models import NO_TIME
from energy.limits_in_force import limits_in_force
from energy.models import AfterExpiry, ExternalLimit, Installation, Mode, TimeTableRow
from energy.time_table import DAY_MIN, Row, overlap, week_of
from stations.admin.station_form import whole_numbers
from stations.models import Circuit
from stations.services import ask_to_decide

BAR_PX, LEAST_PX = 26, 15  # height of a day's bar at the highest limit, and of the lowest block


def days_in_words(days: list[int]) -> str:
    """Write days of the week shortly, three and more in a row as from–to."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = []
    for run in runs:
        names = [str(WEEKDAYS_ABBR[day]) for day in run]
        parts += [f"{names[0]}–{names[-1]}"] if len(names) > 2 else names
    return ", ".join(parts)


def clock_of_minute(minute: int) -> str:
    """Write a minute of the week as the time of its day."""
    return f"{minute % DAY_MIN // 60:02}:{minute % 60:02}"


class TimeTableForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A row of the time table; no two of one place hold at the same time."""

    days = forms.TypedMultipleChoiceField(
        label=_("Days"),
        choices=list(WEEKDAYS.items()),
        coerce=int,
        initial=list(WEEKDAYS),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("On which it begins."),
    )

    class Meta:
        model = TimeTableRow
        fields = ["circuit", "days", "begins", "ends", "limit_a"]
        localized_fields = ["limit_a"]
        widgets = {
            "begins": text_input(type="time"),
            "ends": text_input(type="time"),
            "limit_a": decimal_input(),
        }
        labels = {
            "circuit": _("For"),
            "begins": _("From"),
            "ends": _("To"),
            "limit_a": _("Limit per line (A)"),
        }
        error_messages = {name: {"max_length": NO_TIME} for name in ("begins", "ends")}
        help_texts = {
            "ends": _("00:00 is midnight. A time that is not after “From” is on the day after."),
            "limit_a": _("0 lets nothing charge; less than 6 A does so too, as no car charges with less."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.update(whole_numbers(self.initial))
        if "circuit" in self.fields:
            circuit = cast("forms.ModelChoiceField[Circuit]", self.fields["circuit"])
            circuit.empty_label = gettext("The whole installation")
            circuit.widget = circuit.widget.widget  # without the ways to change circuits from here
            circuit.widget.choices = circuit.choices

    def clean(self) -> dict[str, Any]:
        """Refuse a row during which another one holds."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            wanted = TimeTableRow(**cleaned)
            for other in TimeTableRow.objects.filter(circuit=cleaned.get("circuit")).exclude(pk=self.instance.pk):
                common = overlap(wanted.row, other.row)
                if common is not None:
                    self.add_error("begins", _overlap_in_words(other, *common))
                    break
        return cleaned


def _overlap_in_words(other: TimeTableRow, begin: int, end: int) -> str:
    """Say with which row, and when."""
    text = gettext(
        "On %(day)s from %(begin)s to %(end)s the row %(days)s %(row)s (%(limit)s A) holds already. "
        "Shorten or delete one of them: two limits cannot hold at once."
    )
    return text % {
        "day": WEEKDAYS[begin // DAY_MIN],
        "begin": clock_of_minute(begin),
        "end": clock_of_minute(end),
        "days": days_in_words(other.days),
        "row": other,
        "limit": f"{other.limit_a:g}",
    }


@admin.register(TimeTableRow)
class TimeTableAdmin(ModelAdmin):  # type: ignore[misc]
    """The rows of the time table; their list is a picture of the week, below what holds now."""

    form = TimeTableForm
    actions = None
    list_before_template = "energy/limits.html"
    warn_unsaved_form = True

    def get_fieldsets(self, request: HttpRequest, obj: TimeTableRow | None = None) -> Any:  # noqa: ARG002
        """Ask for the circuit only where there is one."""
        fields = list(TimeTableForm.Meta.fields)
        return [(None, {"fields": fields if Circuit.objects.exists() else fields[1:]})]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say what holds now, and draw the week."""
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **_present(request)})
        return answer

    def save_model(self, request: HttpRequest, obj: TimeTableRow, form: Any, change: bool) -> None:
        """Save, and decide again at once."""
        super().save_model(request, obj, form, change)
        ask_to_decide()

    def delete_model(self, request: HttpRequest, obj: TimeTableRow) -> None:
        """Delete, and decide again at once."""
        super().delete_model(request, obj)
        ask_to_decide()


def _present(request: HttpRequest) -> dict[str, Any]:
    """Gather what the page shows beside the rows."""
    installation, given = Installation.get_solo(), ExternalLimit.get_solo()
    rows: defaultdict[Circuit | None, list[TimeTableRow]] = defaultdict(list)
    for row in TimeTableRow.objects.select_related("circuit").order_by("circuit__name", "begins", "pk"):
        rows[row.circuit].append(row)
    limits = limits_in_force(installation, timezone.now())
    return {
        "is_static": installation.mode == Mode.STATIC,
        "carries_a": installation.static_limit_a if installation.mode == Mode.STATIC else installation.usable_a,
        "limits": limits,
        "given": given,
        "tables": [
            {
                "place": place,
                "now": limits.circuits.get(place.pk) if place else limits.table,
                "rows": [{"row": row, "days": days_in_words(row.days)} for row in given_rows],
                "week": _week([row.row for row in given_rows]),
            }
            for place, given_rows in sorted(rows.items(), key=lambda entry: (entry[0] is not None, str(entry[0])))
        ],
        "may_lift": request.user.has_perm("energy.change_externallimit"),
    }


def _week(rows: list[Row]) -> list[dict[str, Any]]:
    """Lay the days out for the picture: x and width in percent of the day, height in px."""
    most_a = max((row.limit_a for row in rows), default=0.0) or 1.0
    return [
        {
            "name": WEEKDAYS_ABBR[day],
            "blocks": [
                {
                    "x": round(100 * begin / DAY_MIN, 2),
                    "width": round(100 * (end - begin) / DAY_MIN, 2),
                    "middle": round(50 * (begin + end) / DAY_MIN, 2),
                    "height": (height := round(max(LEAST_PX, BAR_PX * limit_a / most_a), 1)),
                    "y": BAR_PX - height,
                    "limit_a": limit_a,
                }
                for begin, end, limit_a in blocks
            ],
        }
        for day, blocks in enumerate(week_of(rows))
    ]


class ExpiryForm(forms.ModelForm):  # type: ignore[type-arg]
    """What holds when the energy manager is silent."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.update(whole_numbers(self.initial))

    class Meta:
        model = ExternalLimit
        fields = ["after_expiry", "fallback_a"]
        localized_fields = ["fallback_a"]
        widgets = {
            "after_expiry": UnfoldAdminRadioSelectWidget(choices=AfterExpiry.choices),
            "fallback_a": decimal_input(),
        }
        labels = {
            "after_expiry": _("When its limit has run out"),
            "fallback_a": _("Limit that holds then, per line (A)"),
        }
        help_texts = {
            "after_expiry": _(
                "A limit that is not renewed in time means that the energy manager is silent: broken, or cut off."
            ),
            "fallback_a": _("For all stations together. 6 A let one car charge; 0 none."),
        }


@admin.register(ExternalLimit)
class ExternalLimitAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """How an energy manager or a grid operator reaches this load manager, and what holds when it is silent."""

    form = ExpiryForm
    change_form_before_template = "energy/external_limit.html"
    warn_unsaved_form = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see this page may change it."""
        return bool(self.has_change_permission(request, obj))

    def get_urls(self) -> list[URLPattern]:
        """Add the way to end a limit by hand."""
        lift = self.admin_site.admin_view(self._lift)
        return [path("lift/", lift, name="energy_externallimit_lift"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Say how a limit comes in."""
        here = {
            "limit_url": request.build_absolute_uri("/api/installation/limit"),
            "modbus_port": settings.MODBUS_PORT,
            "modbus_address": settings.MODBUS_ADDRESS,
        }
        return super().render_change_form(request, {**context, **here}, *args, **options)

    def save_model(self, request: HttpRequest, obj: ExternalLimit, form: Any, change: bool) -> None:  # noqa: ARG002
        """Save what was set here alone: the limit itself comes from outside meanwhile."""
        set_expiry(limit=obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page, and say when it takes effect."""
        self.message_user(request, _("Saved. It takes effect at the next cycle, within about a second."))
        return HttpResponseRedirect(request.path)

    def _lift(self, request: HttpRequest) -> HttpResponse:
        """Have the energy manager's limit hold no more."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        lift_limit()
        text = _("The limit of the energy manager holds no more. A new one counts as soon as it comes.")
        self.message_user(request, text, messages.SUCCESS)
        return redirect(reverse("admin:energy_timetablerow_changelist"))
