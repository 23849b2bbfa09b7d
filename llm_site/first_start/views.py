"""The steps of the first start after the password, and the tutorial; for administrators."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import role_required
from accounts.models import AccessSettings, Role
from energy.models import Installation
from energy.places import all_zones, likely_place, zones_by_country
from llm_site.clock import installation_zone
from llm_site.first_start.forms import AccessForm, PlaceForm
from llm_site.first_start.services import finish_first_start, is_as_delivered, save_access, save_place
from llm_site.first_start.tutorial import read_progress
from llm_site.machine_clock import machine_clock
from stations.addresses import where_to_connect

DRAFT = "first_start"  # session key of what was entered and left by Back


@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def place(request: HttpRequest) -> HttpResponse:
    """Ask for country and time zone, and show the machine's clock."""
    kept = Installation.get_solo()
    if DRAFT not in request.session and is_as_delivered(kept):
        request.session[DRAFT] = likely_place(request.headers.get("Accept-Language", ""))
    form = PlaceForm(request.POST or None, kept=kept, draft=request.session.get(DRAFT, {}))
    is_valid = form.is_valid()
    if "back" in request.POST:
        return _go_back(request, form, "change-password")
    if is_valid:
        save_place(country=form.cleaned_data["country"], time_zone=form.cleaned_data["time_zone"])
        return _go_on(request, form, "first-start-access")
    now, chosen = timezone.now(), form["time_zone"].value()
    context = {
        "form": form,
        "zones": zones_by_country(),
        "shown_zone": chosen if chosen in all_zones() else installation_zone(),
        "now": now,
        "now_ms": int(now.timestamp() * 1000),
        "clock": machine_clock(),
    }
    return render(request, "first_start/place.html", context)


@role_required(Role.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def access(request: HttpRequest) -> HttpResponse:
    """Ask who may see the dashboard."""
    kept = {"dashboard_access": AccessSettings.get_solo().dashboard_access}
    form = AccessForm(request.POST or None, initial=kept | request.session.get(DRAFT, {}))
    is_valid = form.is_valid()
    if "back" in request.POST:
        return _go_back(request, form, "first-start-place")
    if is_valid:
        save_access(dashboard_access=form.cleaned_data["dashboard_access"])
        return _go_on(request, form, "first-start-tutorial")
    return render(request, "first_start/access.html", {"form": form})


@role_required(Role.ADMINISTRATOR)
@require_POST
def skip(request: HttpRequest) -> HttpResponse:
    """Leave the first start for the tutorial."""
    finish_first_start()
    request.session.pop(DRAFT, None)
    return redirect("tutorial")


@role_required(Role.ADMINISTRATOR)
@require_GET
@never_cache
def tutorial(request: HttpRequest, *, is_last_step: bool = False) -> HttpResponse:
    """Show what is to be done before cars can charge, and what of it is done (SPEC S6)."""
    context = {"progress": read_progress(), "is_last_step": is_last_step, **where_to_connect(request)}
    return render(request, "first_start/tutorial.html", context)


def _go_back(request: HttpRequest, form: forms.Form, to: str) -> HttpResponse:
    """Lead to the step before; what was entered here stays for when one returns."""
    request.session[DRAFT] = request.session.get(DRAFT, {}) | form.cleaned_data
    return redirect(to)


def _go_on(request: HttpRequest, form: forms.Form, to: str) -> HttpResponse:
    """Lead to the next step; what was entered here is kept for good."""
    draft = request.session.get(DRAFT, {})
    request.session[DRAFT] = {name: value for name, value in draft.items() if name not in form.fields}
    return redirect(to)
