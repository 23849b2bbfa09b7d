"""The page that gives several stations the same settings (SPEC S16)."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from stations.admin.chosen import chosen_stations, names_of, page_of_chosen
from stations.admin.commands import page
from stations.admin.station_form import whole_numbers
from stations.errors import EditionFull
from stations.models import Station, StationState
from stations.setting_up import configure_stations

SETTINGS = [
    "phase_rotation",
    "max_current_a",
    "min_current_a",
    "circuit",
    "priority",
    "fail_safe_a",
    "takes_all_badges",
    "badges",
]
TICK = "set_"  # begins the name of the box that says a setting is to be changed
INTO_SERVICE = "takes_into_service"


class TogetherForm(forms.Form):
    """Settings of several stations; what is not ticked is neither checked nor changed."""

    def __init__(self, fields: dict[str, forms.Field], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields.update(fields)

    def is_ticked(self, name: str) -> bool:
        """Say whether a setting is to be changed."""
        return f"{TICK}{name}" in self.data

    def clean(self) -> dict[str, Any]:
        """Keep what is ticked alone."""
        for name in [name for name in self.errors if not self.is_ticked(name)]:
            del self.errors[name]
        ticked = {name: value for name, value in self.cleaned_data.items() if self.is_ticked(name)}
        if not ticked and INTO_SERVICE not in self.data:
            raise ValidationError(_("Nothing is ticked: tick what is to be changed."))
        return ticked

    def rows(self) -> list[tuple[str, bool, forms.BoundField]]:
        """List each setting with the name of its box and whether that is ticked."""
        return [(f"{TICK}{field.name}", self.is_ticked(field.name), field) for field in self]


class Together(ModelAdmin):  # type: ignore[misc]
    """The way from the list of stations to settings for several."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        view = self.admin_site.admin_view(self.configure_together_page)
        return [path("configure-together/", view, name="stations_station_together"), *super().get_urls()]

    @admin.action(description=_("Configure together"), permissions=["change"])
    def configure_together(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:  # noqa: ARG002
        """Go on to the settings."""
        return redirect(page_of_chosen("stations_station_together", queryset))

    def configure_together_page(self, request: HttpRequest) -> HttpResponse:
        """Ask for the settings, say how many stations they change, then change them: all or none."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        stations = chosen_stations(request)
        form = TogetherForm(self._fields(request), request.POST or None, initial=_common(stations))
        changed = None
        if request.method == "POST" and form.is_valid():
            is_preview = "apply" not in request.POST
            changed = _configure(form, stations, is_preview=is_preview)
            if changed is not None and not is_preview:
                text = ngettext("%(count)d station changed.", "%(count)d stations changed.", len(changed))
                self.message_user(request, text % {"count": len(changed)}, messages.SUCCESS)
                return redirect(reverse("admin:stations_station_changelist"))
        context = {
            "title": _("Configure stations together"),
            "where": names_of(stations),
            "form": form,
            "changed": changed,
            "total": len(stations),
            "waiting": sum(station.state != StationState.CONFIGURED for station in stations),
            "takes_into_service": INTO_SERVICE in request.POST,
        }
        return page(self, request, "stations/configure_together.html", context)

    def _fields(self, request: HttpRequest) -> dict[str, forms.Field]:
        """Make the fields as they are on the page of one station."""
        fields: dict[str, Any] = {}
        for name in SETTINGS:
            of_model: Any = Station._meta.get_field(name)
            look = {"widget": UnfoldAdminCheckboxSelectMultipleWidget} if name == "badges" else {}
            field = self.formfield_for_dbfield(of_model, request, **look)
            field.validators = [*field.validators, *of_model.validators]
            field.widget = getattr(field.widget, "widget", field.widget)  # without the links to add and change
            field.widget.attrs["aria-label"] = field.label
            field.required = field.required and name != "takes_all_badges"
            fields[name] = field
        fields["circuit"].empty_label = "–"
        return fields


def _common(stations: list[Station]) -> dict[str, Any]:
    """Begin with what all of them have."""
    initial: dict[str, Any] = {}
    for name in SETTINGS[:-1]:
        values = {getattr(station, name) for station in stations}
        if len(values) == 1:
            initial[name] = values.pop()
    return {**initial, **whole_numbers(initial)}


def _configure(form: TogetherForm, stations: list[Station], *, is_preview: bool) -> list[str] | None:
    """Change the stations, or say in the form why not; returns the names of those that change."""
    settings = dict(form.cleaned_data)
    badges = settings.pop("badges", None)
    try:
        return configure_stations(
            station_ids=[station.pk for station in stations],
            settings=settings,
            badges=None if badges is None else list(badges),
            takes_into_service=INTO_SERVICE in form.data,
            is_preview=is_preview,
        )
    except (ValidationError, EditionFull) as error:
        form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        return None
