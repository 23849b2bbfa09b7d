"""From the JSON schema of an operation to the fields of a form, and from what was entered to a payload."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from stations.admin.command_words import CHOICES

LONG_TEXT = 700  # characters: certificates, chains and signatures allow more
MAY_BE_EMPTY = frozenset({"value"})  # ChangeConfiguration may set a key to nothing
MINIMA = {"connectorId": 0, "duration": 1, "listVersion": 1, "retries": 0, "retryInterval": 0, "stackLevel": 0}
JSON_ROWS, TEXT_ROWS, LIST_ROWS = 14, 8, 4

Schema = dict[str, Any]


class Place(NamedTuple):
    """Where a value stands in the payload: at the top, or one level down in an object."""

    path: tuple[str, ...]
    schema: Schema
    is_required: bool

    @property
    def name(self) -> str:
        """Name the form's field."""
        return ".".join(self.path)


class OneALine(forms.CharField):
    """Texts, one on each line."""

    widget = UnfoldAdminTextareaWidget

    def to_python(self, value: Any) -> Any:
        """Split into lines, without empty ones."""
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        """Join the lines again."""
        return "\n".join(value) if isinstance(value, list) else value


class LongText(forms.CharField):
    """Text of several lines, kept as it is; browsers end lines with two characters, certificates with one."""

    widget = UnfoldAdminTextareaWidget

    def to_python(self, value: Any) -> Any:
        """Give the lines their own end back."""
        return (super().to_python(value) or "").replace("\r\n", "\n")


class JsonText(forms.JSONField):
    """A part of the payload that is entered as JSON."""

    def __init__(self, **options: Any) -> None:
        super().__init__(encoder=Indented, widget=text_area(JSON_ROWS, style="font-family: monospace"), **options)

    def prepare_value(self, value: Any) -> Any:
        """Show nothing where there is nothing."""
        return None if value is None else super().prepare_value(value)


class Moment(forms.DateTimeInput):
    """The browser's own field for a date and a time, in the installation's time zone."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": " ".join(INPUT_CLASSES), **(attrs or {})}, format="%Y-%m-%dT%H:%M")


def places_of(schema: Schema) -> Iterator[Place]:
    """List the values of a payload in the order of a form: required ones first, simple objects opened one level."""
    required = schema.get("required", [])
    for name, part in sorted(schema["properties"].items(), key=lambda item: item[0] not in required):
        found, is_required = _resolved(part, schema), name in required
        if not _is_simple_object(found, schema):
            yield Place((name,), found, is_required)
            continue
        inner_required = found.get("required", [])
        for inner, inner_part in found["properties"].items():
            yield Place((name, inner), _resolved(inner_part, schema), is_required and inner in inner_required)


def _resolved(part: Schema, schema: Schema) -> Schema:
    """Follow a reference into the definitions of the same schema."""
    reference = part.get("$ref")
    return schema["definitions"][reference.rsplit("/", 1)[1]] if reference else part


def _is_simple_object(part: Schema, schema: Schema) -> bool:
    inner = part.get("properties", {}).values() if part.get("type") == "object" else ()
    return bool(inner) and all(_resolved(value, schema)["type"] not in ("object", "array") for value in inner)


def fields_of(schema: Schema) -> dict[str, forms.Field]:
    """Make the fields of a form from the schema of an operation."""
    return {place.name: _field_of(place) for place in places_of(schema)}


def _field_of(place: Place) -> forms.Field:
    kind, is_required = place.schema["type"], place.is_required
    if kind == "string":
        return _text_field(place)
    if kind == "integer":
        minimum = place.schema.get("minimum", MINIMA.get(place.path[-1]))
        return forms.IntegerField(required=is_required, min_value=minimum, widget=UnfoldAdminIntegerFieldWidget)
    if kind == "number":
        return forms.FloatField(required=is_required, widget=UnfoldAdminIntegerFieldWidget(attrs={"step": "any"}))
    if kind == "boolean":
        return choice_field([("true", _("Yes")), ("false", _("No"))], is_required=is_required, coerce="true".__eq__)
    if kind == "array" and place.schema["items"]["type"] == "string":
        return OneALine(required=is_required, widget=text_area(LIST_ROWS))
    return JsonText(required=is_required)


class Indented(json.JSONEncoder):
    """JSON that a person reads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


def text_area(rows: int, **attrs: str) -> forms.Widget:
    """Make a field of several lines that no dictionary corrects."""
    widget: forms.Widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false", **attrs})
    return widget


def _text_field(place: Place) -> forms.Field:
    schema, is_required = place.schema, place.is_required and place.path[-1] not in MAY_BE_EMPTY
    if "enum" in schema:
        return choice_field(
            [(word, CHOICES.get(word, word)) for word in schema["enum"]], is_required=is_required, coerce=str
        )
    if schema.get("format") == "date-time":
        return forms.DateTimeField(required=is_required, widget=Moment)
    longest = schema.get("maxLength")
    if longest is not None and longest > LONG_TEXT:
        return LongText(required=is_required, max_length=longest, strip=False, widget=text_area(TEXT_ROWS))
    return forms.CharField(required=is_required, max_length=longest, widget=UnfoldAdminTextInputWidget)


def choice_field(choices: list[tuple[Any, Any]], *, is_required: bool, coerce: Any) -> forms.TypedChoiceField:
    """Let one be chosen; where none need be, the first choice is none."""
    offered = choices if is_required else [("", "–"), *choices]
    return forms.TypedChoiceField(
        required=is_required, choices=offered, coerce=coerce, empty_value=None, widget=UnfoldAdminSelectWidget
    )


def payload_of(schema: Schema, entered: dict[str, Any]) -> dict[str, Any]:
    """Put a payload together from what was entered; what is optional and empty is left out."""
    payload: dict[str, Any] = {}
    for place in places_of(schema):
        value = entered.get(place.name)
        if value in (None, "", []) and not place.is_required:
            continue
        into = payload
        for part in place.path[:-1]:
            into = into.setdefault(part, {})
        into[place.path[-1]] = _on_the_wire(value)
    return payload


def _on_the_wire(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value


def flattened(schema: Schema, payload: dict[str, Any]) -> dict[str, Any]:
    """Take a payload apart into the values of a form's fields."""
    found = {}
    for place in places_of(schema):
        value: Any = payload
        for part in place.path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[place.name] = value
    return found
