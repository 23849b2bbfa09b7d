"""The form of one station (SPEC S17)."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldBooleanSwitchWidget

from stations.models import Circuit, PhaseRotation, Station
from stations.reported_words import in_amperes
from stations.security import flaw_of_profile

VOLTAGE_V = 230

BASIC = [
    "name",
    "identity",
    "phase_rotation",
    "circuit",
    "takes_all_badges",
    "badges",
    "host_name",
    "ip_address",
    "mac_address",
]
ADVANCED = ["max_current_a", "min_current_a", "priority", "fail_safe_a", "security_profile"]
STATE = [
    "state_shown",
    "connection",
    "connected_at",
    "connection_profile",
    "vendor",
    "model",
    "serial_number",
    "firmware_version",
]
FIELDSETS = [
    (_("Basic"), {"fields": BASIC}),
    (_("Advanced"), {"fields": ADVANCED}),
    (_("State"), {"fields": STATE}),
]
ADD_FIELDSETS = [
    (_("Basic"), {"fields": ["name", "identity", "phase_rotation", "circuit", "makes_password"]}),
    (_("Advanced"), {"fields": ["max_current_a", "min_current_a", "priority", "fail_safe_a"]}),
]
READ_ONLY = ["ip_address", *STATE]


def power_in_words(current_a: float, phases: int) -> str:
    """Write what a current on each phase makes at 230 V as the makers of stations do: 3.7, 7.4, 11, 22 kW."""
    power_kw = VOLTAGE_V * current_a * phases / 1000
    return f"{number_format(round(power_kw) if power_kw >= 10 else round(power_kw, 1), use_l10n=True)} kW"


def whole_numbers(initial: Mapping[str, Any]) -> dict[str, int]:
    """Write the numbers of a form that are whole as such: 32, not 32.0."""
    return {name: int(value) for name, value in initial.items() if isinstance(value, float) and value.is_integer()}


class StationForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A station; its security profile is never lowered, and raised only where the station can satisfy it."""

    makes_password = forms.BooleanField(
        label=_("Make a password"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("It is shown once, to be entered at the station with the address."),
    )

    class Meta:
        model = Station
        fields = "__all__"
        widgets = {"badges": UnfoldAdminCheckboxSelectMultipleWidget}
        help_texts = {
            "name": _("Shown everywhere; empty: the OCPP identity."),
            "identity": _("What the station calls itself: the last part of the address entered at it."),
            "phase_rotation": _("Which line of the building each phase of the station is wired to."),
            "circuit": _("Its limit holds for all stations in it together."),
            "priority": _("A higher one is served first where the current does not suffice for all."),
            "mac_address": _("Tells stations apart, whatever they are called."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.update(whole_numbers(self.initial))
        for name in ("max_current_a", "min_current_a"):
            if name in self.fields:
                self.fields[name].help_text = self._power_of(name)
        if "circuit" in self.fields:
            cast("forms.ModelChoiceField[Circuit]", self.fields["circuit"]).empty_label = "–"
        if "fail_safe_a" in self.fields and self.instance.pk:
            self.fields["fail_safe_a"].help_text = self._fail_safe_in_force()

    def _power_of(self, name: str) -> SafeString:
        """Say beside a current what it makes in kW; the page's script follows what is typed."""
        phases = len(PhaseRotation(self.instance.phase_rotation).wiring)
        shown = power_in_words(getattr(self.instance, name), phases)
        output = format_html('<output data-power-of="id_{0}" for="id_{0} id_phase_rotation">{1}</output>', name, shown)
        if name == "max_current_a":
            return format_html(gettext("At 230 V: {power}. Usual are 16 A and 32 A."), power=output)
        return format_html(gettext("At 230 V: {power}. A car gets at least this or pauses."), power=output)

    def _fail_safe_in_force(self) -> str:
        """Say what may be entered, and what the station falls back to now when it hears nothing more."""
        held_a, rule = self.instance.standing_fail_safe_a, self.fields["fail_safe_a"].help_text
        holds = gettext("The station holds none yet.")
        if held_a is not None:
            holds = gettext("The station holds %(held)s A per connector now.") % {"held": in_amperes(held_a)}
        return f"{rule} {holds}"

    def clean_security_profile(self) -> int:
        """Refuse a profile that is lower, or that no connection of the station could satisfy."""
        wanted: int = self.cleaned_data["security_profile"]
        kept = Station.objects.filter(pk=self.instance.pk).first() or Station()
        flaw = flaw_of_profile(kept, wanted) if wanted != kept.security_profile else ""
        if flaw:
            address = reverse("admin:stations_station_security", args=[kept.pk])
            link = format_html('<a class="underline" href="{}">{}</a>', address, gettext("Security of this station"))
            raise forms.ValidationError(format_html("{} {}", flaw, link))
        return wanted
