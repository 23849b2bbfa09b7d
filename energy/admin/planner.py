"""The planner in the admin: scenarios, how far their calculation is, what came out."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.admin_page import admin_page
from energy.models import PlayState, Scenario
from energy.pictures import draw_lines
from energy.planner import BEGINS_AT_HOUR
from energy.planning import (
    AS_PLANNED,
    LARGER_FUSE,
    ONE_MORE_STATION,
    curve_of,
    is_stalled,
    start_play,
    stop_play,
    usual_scenario,
)
from stations.admin.station_form import whole_numbers

WORDS = {
    AS_PLANNED: _("As planned"),
    ONE_MORE_STATION: _("One more station"),
    LARGER_FUSE: _("Next larger fuse"),
}


class ScenarioForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A scenario; a recorded building must have been recorded."""

    def clean(self) -> dict[str, Any]:
        """Refuse a building that is not known."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("curve") and cleaned.get("building_peak_a") is not None:
            try:
                curve_of(Scenario(curve=cleaned["curve"], building_peak_a=cleaned["building_peak_a"]))
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


@admin.register(Scenario)
class ScenarioAdmin(ModelAdmin):  # type: ignore[misc]
    """Garages as they might be. A scenario is not changed: another is made from it."""

    form = ScenarioForm
    actions = None
    list_display = ["name", "stations", "cars", "fuse_shown", "state_shown"]
    ordering = ["-pk"]
    fieldsets = [
        (None, {"fields": ["name"]}),
        (_("Supply and building"), {"fields": ["fuse_a", "derating_percent", "curve", "building_peak_a"]}),
        (_("Stations and cars"), {"fields": ["stations", "cars", "seed"]}),
        (
            _("Kinds of cars"),
            {
                "fields": ["three_16", "three_32", "one_32", "one_16"],
                "description": _("Shares: 5, 1, 3 and 1 mean half, a tenth, three tenths and a tenth."),
            },
        ),
        (_("Habits of drivers"), {"fields": ["work", "home", "visit"], "description": _("Shares, as above.")}),
    ]

    @admin.display(description=_("fuse (A)"), ordering="fuse_a")
    def fuse_shown(self, obj: Scenario) -> str:
        """Show the fuse without empty decimals."""
        return f"{obj.fuse_a:g}"

    @admin.display(description=_("State"))
    def state_shown(self, obj: Scenario) -> str:
        """Say how far it is."""
        if is_stalled(obj):
            return gettext("Stands still")
        return f"{obj.done_percent} %" if obj.state == PlayState.RUNNING else obj.get_state_display()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with this installation, or with the scenario that another is made from."""
        usual = usual_scenario()
        return {**usual, **whole_numbers(usual), **super().get_changeform_initial_data(request)}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Offer to save alone: what comes out is shown next."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **options)

    def save_model(self, request: HttpRequest, obj: Scenario, form: Any, change: bool) -> None:  # noqa: ARG002
        """Save and begin to calculate."""
        try:
            start_play(scenario=obj)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)

    def response_add(self, request: HttpRequest, obj: Scenario, post_url_continue: str | None = None) -> HttpResponse:  # noqa: ARG002
        """Show it."""
        return redirect("admin:energy_scenario_change", obj.pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 (Django's interface)
        extra_context: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show how far it is and what came out; stop it, or calculate it again."""
        scenario = self.get_object(request, object_id)
        if not isinstance(scenario, Scenario):
            raise Http404(f"there is no scenario {object_id!r}")
        if not self.has_change_permission(request, scenario):
            raise PermissionDenied
        if request.method == "POST":
            self._command(request, scenario)
            return redirect(request.path)
        context = {"scenario": scenario, **_outcome(scenario)}
        if getattr(request, "htmx", False):
            return render(request, "energy/_scenario_outcome.html", context)
        return admin_page(request, "energy/scenario.html", context, title=scenario.name, within=self)

    def _command(self, request: HttpRequest, scenario: Scenario) -> None:
        if "stop" in request.POST:
            stop_play(pk=scenario.pk, run=scenario.run)
        elif "again" in request.POST:
            try:
                start_play(scenario=scenario)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)


def _outcome(scenario: Scenario) -> dict[str, Any]:
    """Lay out what came out, for table and picture."""
    first = scenario.results[0] if scenario.results else None
    pictures = []
    if first:
        limit = [[first["usable_a"]] * 3] * len(first["building"])
        pictures = draw_lines(first["building"], first["charging"], limit)
    return {
        "is_running": scenario.state == PlayState.RUNNING and not is_stalled(scenario),
        "is_stalled": is_stalled(scenario),
        "rows": [_row(result, scenario.results[0]) for result in scenario.results],
        "pictures": pictures,
        "times": [f"{(BEGINS_AT_HOUR + 4 * number) % 24}:00" for number in range(7)],
    }


def _row(result: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """Lay out one variant: energies in kWh, and what it brings over the first."""
    return {
        **result,
        "title": WORDS[result["variant"]],
        "served_kwh": result["served_wh"] / 1000,
        "wanted_kwh": result["wanted_wh"] / 1000,
        "most_kwh": result["most_wh"] / 1000,
        "more_kwh": (result["served_wh"] - first["served_wh"]) / 1000,
        "served_percent": 100 * result["served_wh"] / max(1, result["wanted_wh"]),
    }
