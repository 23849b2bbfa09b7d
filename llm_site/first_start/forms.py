"""What is asked at the first start."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import DashboardAccess
from energy.models import Installation
from energy.places import country_names, zone_choices, zones_of


class PlaceForm(forms.Form):
    """Where the installation is, and by what time people live there (SPEC S4)."""

    country = forms.ChoiceField(label=gettext_lazy("Country"))
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"))
    # The country whose zones the page lists first: without scripts that list cannot follow the choice by itself.
    listed_for = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: QueryDict | None, *, kept: Installation, draft: dict[str, str]) -> None:
        """Offer countries and zones, with what is `kept` even where it is none; `draft` lies over what is kept."""
        super().__init__(data, initial={"country": kept.country, "time_zone": kept.time_zone, **draft})
        country = self["country"].value()
        self.initial["listed_for"] = country
        names = country_names()
        names.setdefault(kept.country, kept.country)
        self.fields["country"].choices = list(names.items())  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = zone_choices(country, kept.time_zone)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Bring the page back once where the country was changed but not the zone, with a zone of that country."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        country, zone = cleaned.get("country", ""), cleaned.get("time_zone")
        own = zones_of(country)
        if own and cleaned.get("listed_for") not in ("", country) and zone not in own:
            self.data = {"country": country, "time_zone": own[0], "listed_for": country}
            self.add_error("time_zone", _("The country has changed: is this its time zone? Confirm or choose another."))
        return cleaned


class AccessForm(forms.Form):
    """Who may see the dashboard (SPEC S5)."""

    dashboard_access = forms.ChoiceField(label=gettext_lazy("Access to the overview"), choices=DashboardAccess.choices)
