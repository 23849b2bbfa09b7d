"""The forms of one badge (SPEC S25, S26) and of several at once."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from badges.authorisation import find_badge
from badges.models import Badge, BadgeType
from badges.numbers import without_separators

TICK = "set_"  # begins the name of the box that says a setting is to be changed
TYPES = [(kind.value, kind.label) for kind in (BadgeType.STANDARD, BadgeType.SUPERVISOR)]
HELP = {
    "is_active": _("One that is not active cannot charge. A car that charges already goes on."),
    "comment": _("A name or a place: it stands beside the car on the overview and in exports."),
    "email": _("For information only: nothing is sent."),
    "type": _("Standard starts and stops its own charging. Supervisor may also stop anyone’s."),
    "expires_on": _("It is good until the end of this day."),
    "is_good_everywhere": _("A station that takes chosen badges alone must still be linked to it."),
    "stations": _("Where it may charge."),
    "priority": _(
        "Empty: that of the station. A higher one is served first where the current does not suffice for all, wherever "
        "this badge charges."
    ),
}


def stations() -> QuerySet[Any]:
    """Return all stations by name; the relation knows them, this app does not."""
    found: QuerySet[Any] = Badge._meta.get_field("stations").related_model._default_manager.order_by("name", "identity")
    return found


class ChosenStations(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """Where a badge may charge."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminCheckboxSelectMultipleWidget
        super().__init__(stations(), required=False, label=_("charging stations"), widget=widget, **options)


class NumberField(forms.CharField):
    """A badge number; as printed it may be longer than what is kept of it."""

    def to_python(self, value: Any) -> Any:
        """Take away what stands between the bytes before the length is checked."""
        entered = super().to_python(value)
        return without_separators(entered) if entered else entered

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let the browser cut nothing off."""
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}


class BadgeForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's is not generic when it runs
    """A badge; a new one needs its number alone."""

    class Meta:
        model = Badge
        field_classes = {"id_tag": NumberField}
        fields = ["id_tag", "type", "is_active", "comment", "email", "expires_on", "priority", "is_good_everywhere"]
        help_texts = {name: text for name, text in HELP.items() if name != "stations"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.fields["stations"] = ChosenStations(help_text=HELP["stations"])
            self.initial["stations"] = list(self.instance.stations.values_list("pk", flat=True))
        if "type" in self.fields and self.instance.type != BadgeType.PENDING:
            self.fields["type"].choices = TYPES  # type: ignore[attr-defined]

    def clean_id_tag(self) -> str:
        """Refuse a number that another badge has, whatever its case."""
        id_tag: str = self.cleaned_data["id_tag"].strip()
        known = find_badge(id_tag)
        if known is not None and known.pk != self.instance.pk:
            text = _("Badge %(badge)s has this number already (%(type)s).")
            raise forms.ValidationError(text, params={"badge": known, "type": known.get_type_display()})
        return id_tag

    def clean(self) -> dict[str, Any]:
        """Refuse a badge that could charge nowhere."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "stations" in self.fields and is_good_nowhere(cleaned):
            self.add_error("stations", _("Choose a station, or let it be good for all: it could charge nowhere."))
        return cleaned


def is_good_nowhere(settings: dict[str, Any]) -> bool:
    """Say whether a badge with these settings would be good for no station."""
    return settings.get("is_good_everywhere") is False and not settings.get("stations")


class TogetherForm(forms.Form):
    """Settings of several badges; what is not ticked is neither checked nor changed."""

    type = forms.ChoiceField(label=_("type"), choices=TYPES, widget=UnfoldAdminSelectWidget, help_text=HELP["type"])
    is_active = forms.BooleanField(
        label=_("active"), required=False, initial=True, widget=UnfoldBooleanSwitchWidget, help_text=HELP["is_active"]
    )
    comment = forms.CharField(label=_("comment"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget)
    email = forms.EmailField(
        label=_("e-mail"), required=False, widget=UnfoldAdminEmailInputWidget, help_text=HELP["email"]
    )
    expires_on = forms.DateField(
        label=_("expires on"), required=False, widget=UnfoldAdminDateWidget, help_text=HELP["expires_on"]
    )
    priority = forms.IntegerField(
        label=_("priority"),
        required=False,
        min_value=-32768,
        max_value=32767,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=HELP["priority"],
    )
    is_good_everywhere = forms.BooleanField(
        label=_("good for all stations"), required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["stations"] = ChosenStations(help_text=HELP["stations"])
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label

    def is_ticked(self, name: str) -> bool:
        """Say whether a setting is to be changed; all stations or some is one setting."""
        return f"{TICK}{'is_good_everywhere' if name == 'stations' else name}" in self.data

    def clean(self) -> dict[str, Any]:
        """Keep what is ticked alone."""
        for name in [name for name in self.errors if not self.is_ticked(name)]:
            del self.errors[name]
        ticked = {name: value for name, value in self.cleaned_data.items() if self.is_ticked(name)}
        if is_good_nowhere(ticked):
            self.add_error("stations", _("Choose a station, or let them be good for all: they could charge nowhere."))
        if not any(self.is_ticked(name) for name in self.fields):
            raise forms.ValidationError(_("Nothing is ticked: tick what is to be changed."))
        return ticked

    def rows(self) -> list[tuple[str, bool, list[forms.BoundField]]]:
        """List each setting with the name of its box, whether that is ticked, and its fields."""
        fields = {name: [self[name]] for name in self.fields if name != "stations"}
        fields["is_good_everywhere"].append(self["stations"])
        return [(f"{TICK}{name}", self.is_ticked(name), shown) for name, shown in fields.items()]
