"""Summaries per badge and per station: as a page that can be printed, and as CSV; and the tariff they are priced by."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from accounts.access import role_required
from accounts.admin_page import admin_page
from accounts.models import Role
from exports.formats import write_csv
from exports.forms import PeriodForm
from exports.models import ExportSettings
from exports.off_peak import ask_to_keep
from exports.period import month_of
from exports.summary import NotSplitYet, summarise, summary_lines
from exports.tariff import NoTimes, off_peak_of

AT_ONCE = 20_000  # sessions that are looked at one by one while somebody waits: a few seconds


@role_required(Role.ADMINISTRATOR)
@require_GET
@never_cache
def summary(request: HttpRequest) -> HttpResponse:
    """Show the sums of a period, at first of this month; as a file with `csv`."""
    form = PeriodForm(request.GET if "by" in request.GET else None)
    period = month_of(timezone.localdate(), form.zone)
    if form.is_bound:
        if not form.is_valid():
            return admin_page(request, "exports/summary.html", {"form": form}, title=_("Summary"))
        period = form.period
    try:
        summed = summarise(period, at_most=AT_ONCE)
    except NotSplitYet as progress:
        return _not_yet(request, form, progress)
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Refresh": "true"})
    if "csv" in request.GET:
        name = f"summary-{period.first}-{period.last}.csv"
        return HttpResponse(
            write_csv(list(summary_lines(summed))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    context = {"form": form, "summary": summed, "off_peak_times": ExportSettings.get_solo().off_peak_times}
    return admin_page(request, "exports/summary.html", context, title=_("Summary"))


def _not_yet(request: HttpRequest, form: PeriodForm, progress: NotSplitYet) -> HttpResponse:
    """Show how far the worker is; the page asks again until there are sums."""
    if getattr(request, "htmx", False):
        return render(request, "exports/summary_progress.html", {"progress": progress})
    if "csv" in request.GET:
        query = request.GET.copy()
        del query["csv"]
        return redirect(f"{request.path}?{query.urlencode()}")
    context = {"form": form, "progress": progress}
    return admin_page(request, "exports/summary.html", context, title=_("Summary"), status=202)


class TariffForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a kilowatt-hour costs."""

    class Meta:
        model = ExportSettings
        fields = ["currency", "price", "off_peak_price", "off_peak_times"]
        widgets = {
            "currency": UnfoldAdminTextInputWidget(attrs={"autocapitalize": "characters"}),
            "price": UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "min": "0"}),
            "off_peak_price": UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "min": "0"}),
            "off_peak_times": UnfoldAdminTextInputWidget(),
        }
        help_texts = {
            "price": gettext_lazy("Empty: summaries show energy without cost."),
            "off_peak_price": gettext_lazy("Empty: one price all day."),
            "off_peak_times": gettext_lazy(
                "Such as 22:00-06:00, or several: 01:30-07:30, 12:30-14:30. By the clock in the garage, every day."
            ),
        }

    def clean_off_peak_times(self) -> str:
        """Refuse what says no times."""
        text: str = self.cleaned_data["off_peak_times"]
        try:
            off_peak_of(text)
        except NoTimes:
            raise forms.ValidationError(
                _("Enter times such as 22:00-06:00, separated by commas; they may not overlap.")
            ) from None
        return text

    def clean(self) -> dict[str, Any]:
        """Refuse half a tariff."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        if cleaned["off_peak_price"] is not None and cleaned["price"] is None:
            self.add_error("price", _("With an off-peak price, the price of the other times is needed."))
        if (cleaned["off_peak_price"] is not None) != bool(cleaned["off_peak_times"].strip()):
            missing = "off_peak_times" if cleaned["off_peak_price"] is not None else "off_peak_price"
            self.add_error(missing, _("Off-peak needs both its times and its price; leave both empty for one price."))
        return cleaned


@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def tariff(request: HttpRequest) -> HttpResponse:
    """Show and change what energy costs."""
    form = TariffForm(request.POST or None, instance=ExportSettings.get_solo())
    if request.method == "POST" and form.is_valid():
        form.instance.save(update_fields=[*TariffForm.Meta.fields])
        ask_to_keep()
        messages.success(request, _("The tariff was saved. It counts for all summaries, also of past months."))
        return redirect("tariff")
    return admin_page(request, "exports/tariff.html", {"form": form}, title=_("Tariff"))
