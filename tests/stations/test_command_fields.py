"""From the schema of an operation to the fields of a form, and back to a payload."""

from datetime import UTC, datetime

import pytest
from django import forms
from django.utils import timezone

from stations.admin.command_fields import fields_of, flattened, payload_of
from stations.admin.command_words import LABELS, TITLES
from stations.commanding import check_command
from stations.ocpp16.operations import FEATURE_PROFILES, OPERATIONS
from stations.ocpp16.schemas import schema_of

EVERY_KIND = {
    "properties": {
        "limit": {"type": "number"},
        "isLasting": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 3},
        "names": {"type": "array", "items": {"type": "string"}},
        "at": {"type": "string", "format": "date-time"},
        "unit": {"type": "string", "enum": ["A", "W"]},
        "log": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "size": {"type": "integer"}},
            "required": ["place"],
        },
    },
    "required": ["unit"],
}


def form_of(schema, entered=None):
    form = forms.Form(entered)
    form.fields.update(fields_of(schema))
    return form


def as_typed(form, values):
    """Write values as a browser sends them."""
    return {name: form.fields[name].prepare_value(value) for name, value in values.items()}


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_the_example_of_every_operation_goes_through_its_form_unchanged(action):
    schema = schema_of(action)
    form = form_of(schema, as_typed(form_of(schema), flattened(schema, OPERATIONS[action])))
    assert form.is_valid(), form.errors
    payload = payload_of(schema, form.cleaned_data)
    assert payload == OPERATIONS[action]
    check_command(action, payload)


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_every_operation_renders_with_a_field_for_each_of_its_values(action):
    schema = schema_of(action)
    shown = form_of(schema).as_div()
    for name, part in schema["properties"].items():
        assert f'name="{name}' in shown, part


def test_every_operation_and_every_field_has_a_name_in_words():
    names = {name.rsplit(".", 1)[-1] for action in OPERATIONS for name in fields_of(schema_of(action))}
    assert names == set(LABELS)
    assert set(TITLES) == set(OPERATIONS)
    assert sum(map(len, FEATURE_PROFILES.values())) == len(OPERATIONS)


def test_a_field_for_each_kind_of_value():
    kinds = {name: type(field).__name__ for name, field in fields_of(EVERY_KIND).items()}
    assert kinds == {
        "unit": "TypedChoiceField",
        "limit": "FloatField",
        "isLasting": "TypedChoiceField",
        "count": "IntegerField",
        "names": "OneALine",
        "at": "DateTimeField",
        "log.place": "CharField",
        "log.size": "IntegerField",
    }


def test_what_is_entered_becomes_values_of_the_right_type():
    typed = {"unit": "A", "limit": "6.5", "isLasting": "false", "count": "3", "names": "a\r\n\r\n b \r\n"}
    form = form_of(EVERY_KIND, {**typed, "log.place": "here"})
    assert form.is_valid(), form.errors
    assert payload_of(EVERY_KIND, form.cleaned_data) == {
        "unit": "A",
        "limit": 6.5,
        "isLasting": False,
        "count": 3,
        "names": ["a", "b"],
        "log": {"place": "here"},
    }


def test_what_is_optional_and_empty_is_left_out():
    form = form_of(EVERY_KIND, {"unit": "W"})
    assert form.is_valid()
    assert payload_of(EVERY_KIND, form.cleaned_data) == {"unit": "W"}


@pytest.mark.parametrize(
    ("entered", "wrong"),
    [({}, "unit"), ({"unit": "A", "count": "2"}, "count"), ({"unit": "kW"}, "unit"), ({"unit": "A", "at": "x"}, "at")],
)
def test_what_does_not_fit_is_said_at_its_field(entered, wrong):
    assert list(form_of(EVERY_KIND, entered).errors) == [wrong]


def test_zero_is_a_value():
    assert payload_of(EVERY_KIND, {"unit": "A", "count": 0}) == {"unit": "A", "count": 0}


def test_a_time_is_typed_in_the_installations_zone_and_sent_in_utc():
    with timezone.override("Europe/Luxembourg"):
        form = form_of(EVERY_KIND, {"unit": "A", "at": "2026-07-01T12:00"})
        assert form.is_valid()
        assert payload_of(EVERY_KIND, form.cleaned_data)["at"] == "2026-07-01T10:00:00Z"
        shown = form_of(EVERY_KIND)
        shown.initial = {"at": datetime(2026, 7, 1, 10, 0, tzinfo=UTC)}
        assert 'value="2026-07-01T12:00"' in str(shown["at"])
        assert 'type="datetime-local"' in str(shown["at"])


def test_a_certificate_keeps_its_lines_as_they_are():
    schema = schema_of("CertificateSigned")
    form = form_of(schema, {"certificateChain": "-----BEGIN\r\nabc\r\n"})
    assert form.is_valid()
    assert payload_of(schema, form.cleaned_data) == {"certificateChain": "-----BEGIN\nabc\n"}


def test_a_configuration_key_may_be_set_to_nothing():
    schema = schema_of("ChangeConfiguration")
    form = form_of(schema, {"key": "MeterValuesSampledData", "value": ""})
    assert form.is_valid()
    assert payload_of(schema, form.cleaned_data) == {"key": "MeterValuesSampledData", "value": ""}
