"""The forms of the pages of the history."""

from datetime import date, timedelta, tzinfo
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from exports.models import ImportedTransaction
from exports.period import EARLIEST, LATEST, LONGEST_DAYS, Period, month_of, months
from stations.models import Transaction

MONTH, RANGE = "month", "range"


class _Day(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """The browser's own field for a date, which takes and gives ISO 8601 in every language."""

    input_type = "date"

    def format_value(self, value: Any) -> Any:
        """Write a date as the browser wants it."""
        return value.isoformat() if isinstance(value, date) else value


def _date(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=_Day(), input_formats=["%Y-%m-%d", "%d/%m/%Y"])


class PeriodForm(forms.Form):
    """Which days: a month, or from one day to another."""

    by = forms.ChoiceField(
        label=_("Period"),
        choices=[(MONTH, _("Month")), (RANGE, _("Date range"))],
        initial=MONTH,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    month = forms.ChoiceField(label=_("Month"), required=False, widget=UnfoldAdminSelectWidget())
    first = _date(_("Start date"))
    last = _date(_("End date"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = timezone.get_current_timezone()
        today = timezone.localdate()
        choices = [(f"{month:%Y-%m}", date_format(month, "F Y")) for month in _months_with_history(today)]
        self.fields["month"].choices = choices  # type: ignore[attr-defined]
        self.fields["first"].initial, self.fields["last"].initial = today.replace(day=1), today
        self.fields["last"].help_text = _("Included. A year at most.")

    def clean(self) -> dict[str, Any]:
        """Refuse a range that is none, ends before it begins or is longer than a year."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        if cleaned["by"] == MONTH:
            if not cleaned.get("month"):
                self.add_error("month", _("Choose a month."))
            return cleaned
        for name in ("first", "last"):
            if not EARLIEST <= (cleaned.get(name) or date.min) <= LATEST:
                self.add_error(name, _("Enter a date, such as 31/03/2026."))
        if not self.errors and cleaned["last"] < cleaned["first"]:
            self.add_error("last", _("The period ends before it begins: nothing was exported."))
        elif not self.errors and (cleaned["last"] - cleaned["first"]).days >= LONGEST_DAYS:
            latest = cleaned["first"] + timedelta(days=LONGEST_DAYS - 1)
            text = _("A period is a year (366 days) at most: end it on %(latest)s, or export twice.")
            self.add_error("last", text % {"latest": date_format(latest, "SHORT_DATE_FORMAT")})
        return cleaned

    @property
    def period(self) -> Period:
        """The days that were asked for; of a valid form."""
        if self.cleaned_data["by"] == MONTH:
            return month_of(date.fromisoformat(f"{self.cleaned_data['month']}-01"), self.zone)
        return Period(self.cleaned_data["first"], self.cleaned_data["last"], self.zone)


def _months_with_history(today: date) -> list[date]:
    """List the months from the oldest transaction until now, the newest first."""
    oldest = [
        rows.order_by("started_at").values_list("started_at", flat=True).first()
        for rows in (Transaction.objects.all(), ImportedTransaction.objects.all())
    ]
    known = [timezone.localdate(at) for at in oldest if at is not None]
    return list(months(min([today, *known]), today))[::-1]


class ExportForm(PeriodForm):
    """Which days, and as what."""

    format = forms.ChoiceField(
        label=_("Format"),
        choices=[
            ("csv", "CSV"),
            ("xlsx", "XLSX"),
            ("json", "JSON"),
        ],
        initial="csv",
        help_text=_("CSV can be imported here again, XLSX is for spreadsheets, JSON tells times with their offset."),
        widget=UnfoldAdminRadioSelectWidget(),
    )


def period_in(query: Any, zone: tzinfo) -> Period:
    """Read the days of an address (from=2026-11-01&to=2026-11-30); raises ValueError for what is none."""
    first, last = parse_date(query.get("from", "")), parse_date(query.get("to", ""))
    if first is None or last is None or not EARLIEST <= first <= last <= LATEST or (last - first).days >= LONGEST_DAYS:
        raise ValueError("expected from and to as dates, such as 2026-11-01, a year (366 days) at most")
    return Period(first, last, zone)
