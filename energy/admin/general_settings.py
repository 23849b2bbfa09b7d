"""The general settings: one page for installation and meter, with a reading of the meter and a search for meters."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin

from energy.admin.general_form import SECTIONS, GeneralForm, meters_known
from energy.general_settings import save_general_settings
from energy.lines_fault import lines_alarm, look_again_at_lines
from energy.meter_search import is_stalled, own_network, serial_ports, start_search, stop_search
from energy.meter_words import meter_words
from energy.meters.decode import load_maps
from energy.meters.modbus import line_of
from energy.models import Installation, Meter, MeterSearch, SearchState
from energy.observing import default_fail_safe_a, fail_safe_lines, most_for_charging_a
from energy.places import zones_by_country
from energy.supply_rules import UNBALANCE_USUAL_A
from energy.trial_reading import read_as_entered, reading_of_loop
from stations.models import Station, StationState


@admin.register(Installation)
class InstallationAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """The building's supply and its meter. Times are set in a site file, which checks them."""

    form = GeneralForm
    change_form_template = "energy/general_settings.html"
    warn_unsaved_form = True
    fieldsets = [(title, {"fields": list(names)}) for _key, title, names in SECTIONS]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see this page may change it."""
        return bool(self.has_change_permission(request, obj))

    def get_urls(self) -> list[URLPattern]:
        """Add what the page asks for beside the form."""
        pages = [
            ("meter-line/", self._meter_line, "energy_installation_meter_line"),
            ("check/", require_POST(self._check), "energy_installation_check"),
            ("read-meter/", require_POST(self._read_meter), "energy_installation_read_meter"),
            ("look-again/", require_POST(self._look_again), "energy_installation_look_again"),
            ("meter-search/", self._meter_search, "energy_installation_meter_search"),
            ("meter-search/start/", require_POST(self._start_search), "energy_installation_start_search"),
            ("meter-search/stop/", require_POST(self._stop_search), "energy_installation_stop_search"),
        ]
        own = [path(route, self.admin_site.admin_view(self._guarded(view)), name=name) for route, view, name in pages]
        return [*own, *super().get_urls()]

    def _guarded(self, view: Any) -> Any:
        """Let a view be used by those alone who may change the settings."""

        def guarded(request: HttpRequest) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            answer: HttpResponse = view(request)
            return answer

        return guarded

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002
        """Save installation and meter at once."""
        save_general_settings(installation=obj, meter=form.meter)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page, and say when it takes effect."""
        text = _("Saved. It takes effect at the next cycle, within about a second.")
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Add what the page shows beside the fields."""
        form = context["adminform"].form
        stations = Station.objects.filter(state=StationState.CONFIGURED).count()
        saved, line_in_use = Installation.get_solo(), line_of(Meter.get_solo().url)
        fail_safe_line_a = max(fail_safe_lines(saved))
        saved.fail_safe_a = None
        context |= {
            "title": _("General settings"),
            "form": form,
            "stations": stations,
            "share_a": default_fail_safe_a(saved, stations),
            "derated_a": saved.derated_a,
            "most_a": most_for_charging_a(saved),
            "fail_safe_line_a": fail_safe_line_a,
            "lines_alarm": lines_alarm(Meter.get_solo()),
            "meters": meters_known(),
            "zones": zones_by_country(),
            "unbalance_usual_a": UNBALANCE_USUAL_A,
            "own_network": own_network(),
            "ports": [(port, not line_in_use.isdisjoint(line_of(f"serial://{port}"))) for port in serial_ports()],
            **_line_context(),
            **_search_context(),
        }
        return super().render_change_form(request, context, *args, **options)

    def _meter_line(self, request: HttpRequest) -> HttpResponse:
        """Show what the meter in use says now."""
        return render(request, "energy/_meter_line.html", _line_context())

    def _check(self, request: HttpRequest) -> JsonResponse:
        """Say what keeps the form from being saved as entered: name of the field → sentences; nothing is saved."""
        form = GeneralForm(request.POST, instance=Installation.get_solo())
        return JsonResponse(form.errors)

    def _read_meter(self, request: HttpRequest) -> HttpResponse:
        """Read the meter as it is entered; nothing is saved."""
        form = GeneralForm(request.POST, instance=Installation.get_solo())
        form.is_valid()
        context: dict[str, Any] = {"errors": form.meter_errors, "is_chosen": bool(form.meter.model)}
        if not context["errors"] and context["is_chosen"]:
            context["reading"] = read_as_entered(installation=form.instance, meter=form.meter)
        return render(request, "energy/_meter_reading.html", context)

    def _look_again(self, request: HttpRequest) -> HttpResponse:
        """Take somebody's word that the transformers of the meter are right now."""
        look_again_at_lines()
        text = _("What was found about the lines of the meter is forgotten. The meter counts again at the next cycle.")
        self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:energy_installation_changelist")

    def _meter_search(self, request: HttpRequest) -> HttpResponse:
        return render(request, "energy/_meter_search.html", _search_context())

    def _start_search(self, request: HttpRequest) -> HttpResponse:
        """Begin a search where the page says."""
        known = serial_ports()
        ports = [port for port in request.POST.getlist("search_port") if port in known]
        error = ""
        try:
            start_search(hosts=request.POST.get("search_hosts", ""), ports=ports)
        except ValidationError as refusal:
            error = " ".join(refusal.messages)
        return render(request, "energy/_meter_search.html", {**_search_context(), "search_error": error})

    def _stop_search(self, request: HttpRequest) -> HttpResponse:
        """Stop the search that the page shows: another may have begun since."""
        run = request.POST.get("run", "")
        if run.isdecimal():
            stop_search(run=int(run))
        return self._meter_search(request)


def _line_context() -> dict[str, Any]:
    """Tell what the meter in use shows; None where there is none."""
    meter = Meter.get_solo()
    return {"meter": meter, "reading": reading_of_loop(meter) if meter.is_present else None}


def _search_context() -> dict[str, Any]:
    """Tell how far the last search is and what it found."""
    search, maps = MeterSearch.get_solo(), load_maps()
    return {
        "search": search,
        "is_searching": search.state == SearchState.RUNNING and not is_stalled(search),
        "is_stalled": is_stalled(search),
        "leaves_own": any(entry["is_in_use"] for entry in search.left_out),
        "found": [
            {**entry, "map": known, "refusal": meter_words(known.refusal) if known and known.refusal else ""}
            for entry in search.found
            for known in [maps.get(entry["model"])]
        ],
    }
