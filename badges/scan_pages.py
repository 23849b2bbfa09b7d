"""The pages of a scan: where badges are scanned, what arrives, and its end."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.admin_page import admin_page
from accounts.models import User
from badges.forms import ChosenStations, stations
from badges.models import Scan
from badges.readers import badges_like
from badges.scanning import LASTS, MOST_SCANNED, start_scan, stop_scan

EVERYWHERE, CHOSEN = "all", "chosen"


class ScanForm(forms.Form):
    """At which stations badges are scanned."""

    where = forms.ChoiceField(
        label=_("Where"),
        choices=[(EVERYWHERE, _("At all stations")), (CHOSEN, _("At chosen stations"))],
        initial=EVERYWHERE,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["stations"] = ChosenStations()

    def clean(self) -> dict[str, Any]:
        """Ask for a station where some are meant."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("where") == CHOSEN and not cleaned.get("stations"):
            self.add_error("stations", _("Choose the stations before which badges are presented."))
        return cleaned

    @property
    def station_ids(self) -> list[int]:
        """Return the chosen stations; none: all."""
        is_chosen = self.cleaned_data["where"] == CHOSEN
        return [station.pk for station in self.cleaned_data["stations"]] if is_chosen else []


class ScanPages(ModelAdmin):  # type: ignore[misc]
    """The way from the list of badges to scanning them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages."""
        view = self._let_in
        return [
            path("scan/", view(self.begin_scan), name="badges_badge_begin_scan"),
            path("scan/<int:number>/", view(self.scan_page), name="badges_badge_scan"),
            *super().get_urls(),
        ]

    def _let_in(self, view: Any) -> Any:
        """Open a page to those who may add badges; one that looks again by itself is sent to sign in as a whole."""

        def checked(request: HttpRequest, *args: Any, **parameters: Any) -> HttpResponse:
            if not self.has_add_permission(request):
                raise PermissionDenied
            answer: HttpResponse = view(request, *args, **parameters)
            return answer

        guarded = self.admin_site.admin_view(checked)

        def answer(request: HttpRequest, *args: Any, **parameters: Any) -> HttpResponse:
            if getattr(request, "htmx", False) and not request.user.is_authenticated:
                return HttpResponse(headers={"HX-Redirect": f"{reverse('sign-in')}?next={request.path}"})
            let_in: HttpResponse = guarded(request, *args, **parameters)
            return let_in

        return answer

    def begin_scan(self, request: HttpRequest) -> HttpResponse:
        """Ask where, and begin."""
        form = ScanForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            user = request.user if isinstance(request.user, User) else None
            scan = start_scan(station_ids=form.station_ids, user=user)
            return redirect("admin:badges_badge_scan", scan.pk)
        running = Scan.objects.filter(ends_at__gt=timezone.now()).select_related("started_by").order_by("pk")
        context = {"form": form, "running": running, "minutes": int(LASTS.total_seconds() // 60)}
        return self._page(request, "badges/begin_scan.html", context)

    def scan_page(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show what was presented; htmx asks for that alone, again and again, and gets nothing where nothing is new."""
        scan = get_object_or_404(Scan, pk=number)
        if request.method == "POST":
            if stop_scan(scan_id=scan.pk):
                messages.success(request, _("The scan was stopped: badges charge again as before."))
            return redirect(request.path)
        is_running = scan.is_running(timezone.now())
        rows = list(scan.scanned.select_related("badge"))
        state = f"{int(is_running)}.{len(rows)}.{sum(row.times for row in rows)}"
        if getattr(request, "htmx", False) and request.GET.get("state") == state:
            return HttpResponse(status=204)
        context = {
            "scan": scan,
            "is_running": is_running,
            "state": state,
            "rows": [(row, badges_like(row.id_tag) if row.is_new else []) for row in rows],
            "is_full": len(rows) >= MOST_SCANNED,
            "has_new": any(row.is_new and row.badge_id for row in rows),
        }
        if getattr(request, "htmx", False):
            return render(request, "badges/scanned.html", context)
        places = stations().filter(pk__in=scan.station_ids) if scan.station_ids else []
        return self._page(request, "badges/scan.html", {**context, "places": places})

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return admin_page(request, template, context, title=_("Scan badges"), within=self)
