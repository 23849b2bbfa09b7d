"""The form of the general settings: the installation and its meter, with what is said about each field."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.words import labelled
from energy.meter_words import meter_words
from energy.meters.base import MeterError
from energy.meters.decode import load_maps
from energy.meters.modbus import EXAMPLES, parse_url
from energy.models import Installation, Measurement, Meter, Mode, SurplusUse
from energy.places import country_names, zone_choices
from energy.reading import MANUAL, meter_map
from stations.admin.station_form import whole_numbers

LABEL_MAX = 60  # characters of an entry in the list of models
DECIMALS = ("fuse_a", "derating_percent", "static_limit_a", "fail_safe_a", "unbalance_a", "ct_ratio_a")
METER_FIELDS = ("meter_model", "meter_url", "meter_unit", "meter_registers")
SECTIONS = [
    (
        "sharing",
        _("Sharing the current"),
        (
            "name",
            "mode",
            "phases",
            "fuse_a",
            "derating_percent",
            "static_limit_a",
            "surplus",
            "fail_safe_a",
            "unbalance_a",
        ),
    ),
    ("meter", _("Measurement and meter"), ("measurement", "ct_ratio_a", *METER_FIELDS)),
    ("place", _("Place and time"), ("country", "time_zone")),
]
UNITS = {"derating_percent": "%"} | {name: "A" for name in DECIMALS if name.endswith("_a")}
# Field: the field it depends on and the values with which it is shown; no values: any but the empty one.
SHOWN_WITH = {
    "static_limit_a": ("mode", ["static"]),
    "surplus": ("mode", ["dynamic"]),
    "unbalance_a": ("phases", ["3"]),
    "ct_ratio_a": ("measurement", ["ct_1a", "ct_5a"]),
    "meter_url": ("meter_model", []),
    "meter_unit": ("meter_model", []),
    "meter_registers": ("meter_model", [MANUAL]),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A field as the page shows it."""

    field: BoundField
    unit: str
    shown_with: str
    shown_values: str

    @property
    def target(self) -> str:
        """Give the id of what a link to this field leads to."""
        return f"{self.field.auto_id}_0" if self.field.name == "mode" else self.field.auto_id


def decimal_input(**attrs: str) -> forms.Widget:
    """Make a field for a number as the language writes it: a browser's own number field drops what it cannot read."""
    widget: forms.Widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off", **attrs})
    return widget


def text_input(**attrs: str) -> forms.Widget:
    """Make a field for a short text that no dictionary corrects."""
    widget: forms.Widget = UnfoldAdminTextInputWidget(attrs={"spellcheck": "false", "autocomplete": "off", **attrs})
    return widget


def meter_choices() -> Iterator[tuple[Any, Any]]:
    """List the known meters by vendor, those that cannot protect a fuse too: choosing one says why."""
    yield "", _("No meter")
    vendors: dict[str, list[tuple[str, str]]] = {}
    for found in load_maps().values():
        label = textwrap.shorten(", ".join(found.models), LABEL_MAX, placeholder=" …")
        vendors.setdefault(found.vendor, []).append((found.id, label))
    yield from sorted(vendors.items(), key=lambda vendor: vendor[0].lower())
    yield _("Another meter"), [(MANUAL, _("Own register map"))]


def meters_known() -> dict[str, dict[str, Any]]:
    """Tell what the page says of each meter once it is chosen."""
    return {
        found.id: {
            "about": "\n".join(
                [labelled(meter_words(found.description), ", ".join(found.models)), *map(meter_words, found.remarks)]
            ),
            "refusal": meter_words(found.refusal or ""),
            "example": _example(found.id),
            "unit": (found.serial and found.serial.unit) or (found.tcp and found.tcp.unit),
        }
        for found in load_maps().values()
    }


def _example(map_id: str) -> str:
    """Write an address as this meter is delivered."""
    found = load_maps()[map_id]
    if "tcp" in found.transports:
        return f"tcp://192.168.1.20:{(found.tcp and found.tcp.port) or 502}"
    baud, parity = (found.serial and found.serial.baud) or 9600, (found.serial and found.serial.parity) or "N"
    return f"serial:///dev/ttyUSB0?baud={baud}&parity={parity}&stop=1"


class GeneralForm(forms.ModelForm):  # type: ignore[type-arg]
    """Installation and meter together: right as a whole, or nothing of it is saved."""

    meter_model = forms.ChoiceField(
        label=_("Model"),
        choices=meter_choices,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Without a meter only a static current can be shared, and nothing protects the fuse."),
    )
    meter_url = forms.CharField(
        label=_("Address"),
        max_length=200,
        required=False,
        widget=text_input(),
    )
    meter_unit = forms.IntegerField(
        label=_("Unit"),
        min_value=0,
        max_value=255,
        required=False,
        initial=1,
        widget=text_input(inputmode="numeric"),
        help_text=_("0–255, as set in the meter; most are delivered with 1."),
    )
    meter_registers = forms.JSONField(
        label=_("Register map"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 10, "spellcheck": "false", "style": "font-family: monospace"}),
        help_text=_("JSON with the keys of energy/meters/registers.yaml."),
    )

    country = forms.ChoiceField(label=_("Country"), widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(
        label=_("Time zone"), widget=UnfoldAdminSelectWidget, help_text=_("Days and months begin and end by it.")
    )

    class Meta:
        model = Installation
        fields = [name for _key, _title, names in SECTIONS for name in names if name not in METER_FIELDS]
        localized_fields = DECIMALS
        widgets = {
            "mode": forms.RadioSelect,
            **{name: decimal_input() for name in DECIMALS},
            "name": text_input(),
            "surplus": UnfoldAdminSelectWidget,
        }
        labels = {
            "name": _("Name"),
            "mode": _("Available power"),
            "phases": _("Phase type"),
            "fuse_a": _("Fuse of the installation"),
            "derating_percent": _("Kept in reserve"),
            "static_limit_a": _("Current of all stations together"),
            "surplus": _("Solar surplus"),
            "fail_safe_a": _("Fail-safe current of a station"),
            "unbalance_a": _("Unbalance limit"),
            "measurement": _("Kind of measurement"),
            "ct_ratio_a": _("Primary of the current transformers"),
        }
        help_texts = {
            "name": _("What you call this building."),
            "fuse_a": _(
                "The fuse where the supply enters the building: 1 A and more, 63 A at most with direct measurement."
            ),
            "derating_percent": _("0–50 %; 20 % is usual."),
            "static_limit_a": _("Per line: 0 A up to the fuse."),
            "fail_safe_a": _(
                "0, or 6 A and more. A station keeps to it by itself when it no longer hears from the load manager; it "
                "is told it when the meter is silent. At 0 A its cars stop then."
            ),
            "unbalance_a": _(
                "6–80 A; empty: no limit. What all cars together may draw on one line more than on another. Cars on "
                "one or two phases are held back for it, or wait; cars on three phases are not."
            ),
            "ct_ratio_a": _("75–6000 A, as printed on the transformers."),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.meter = Meter.get_solo()
        self.initial.update(
            meter_model=self.meter.model,
            meter_url=self.meter.url,
            meter_unit=self.meter.unit,
            meter_registers=self.meter.manual_map,
        )
        names = country_names()
        names.setdefault(self.instance.country, self.instance.country)
        self.fields["country"].choices = list(names.items())  # type: ignore[attr-defined]
        zones = zone_choices(self["country"].value(), self.instance.time_zone)
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]
        self.fields["meter_url"].help_text = gettext("Write it like %(examples)s.") % {"examples": EXAMPLES}
        times = self.instance.times
        self.fields["surplus"].help_text = gettext(
            "The sun leaves what the meter shows flowing out, all lines together. “Only from the sun”: a car begins "
            "once that has been enough for its minimum for %(start)s min, and stops once it has been too little for "
            "%(stop)s min. When the meter is silent the fail-safe current holds."
        ) % {
            "start": floatformat(times.surplus_start_s / 60, -1),
            "stop": floatformat(times.surplus_stop_s / 60, -1),
        }
        self.initial.update(whole_numbers(self.initial))

    def clean_meter_unit(self) -> int:
        """Take no number for the usual one."""
        unit = self.cleaned_data["meter_unit"]
        return 1 if unit is None else int(unit)

    def clean(self) -> dict[str, Any]:
        """Put the meter together, and refuse what could not be read, at its field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        self.meter.model = cleaned.get("meter_model", "")
        self.meter.url = cleaned.get("meter_url", "")
        self.meter.unit = cleaned.get("meter_unit", 1)
        self.meter.manual_map = cleaned.get("meter_registers") if self.meter.model == MANUAL else None
        if not self.meter.model:
            self._refuse_surplus(cleaned)
            return cleaned
        if self.meter.url and "://" not in self.meter.url:  # as the search takes it: 192.168.1.20, 192.168.1.20:502
            self.meter.url = f"tcp://{self.meter.url}"
        try:
            parse_url(self.meter.url)
        except MeterError:
            message = gettext("This address cannot be used. Write it like %(examples)s.")
            self._refuse("meter_url", message % {"examples": EXAMPLES})
        self._clean_model(cleaned)
        return cleaned

    def _clean_model(self, cleaned: dict[str, Any]) -> None:
        try:
            found = meter_map(self.meter)
        except MeterError as error:
            where = "meter_registers" if self.meter.model == MANUAL else "meter_model"
            self._refuse(where, gettext("This meter cannot be used: %(cause)s") % {"cause": meter_words(str(error))})
            return
        if not found.shows_export:
            self._refuse_surplus(cleaned)
        if found.ct == "reader" and cleaned.get("measurement") == Measurement.DIRECT:
            message = gettext("This meter shows the secondary current of transformers: choose their kind.")
            self._refuse("measurement", message)

    def _refuse_surplus(self, cleaned: dict[str, Any]) -> None:
        """Refuse to charge from a surplus that no meter shows."""
        if cleaned.get("mode") == Mode.DYNAMIC and cleaned.get("surplus", SurplusUse.OFF) != SurplusUse.OFF:
            message = gettext(
                "This needs a meter that tells current that flows out from current that flows in: cars would never see "
                "the sun. Choose such a meter below, or Off."
            )
            self._refuse("surplus", message)

    def _refuse(self, name: str, message: str) -> None:
        """Add an error where there is none yet."""
        if name not in self.errors:
            self.add_error(name, message)

    @property
    def meter_errors(self) -> list[str]:
        """List what keeps the meter from being read as entered."""
        return [
            labelled(self[name].label, error)
            for name in (*METER_FIELDS, "measurement", "ct_ratio_a")
            for error in self.errors.get(name, ())
        ]

    @property
    def sections(self) -> list[tuple[str, Any, list[Row]]]:
        """List the parts of the page with their fields."""
        return [(key, title, [self._row(name) for name in names]) for key, title, names in SECTIONS]

    def _row(self, name: str) -> Row:
        depends_on, values = SHOWN_WITH.get(name, ("", []))
        return Row(self[name], UNITS.get(name, ""), depends_on, " ".join(values))

    @property
    def faults(self) -> list[Row]:
        """List the fields with errors."""
        return [row for _key, _title, rows in self.sections for row in rows if row.field.errors]
