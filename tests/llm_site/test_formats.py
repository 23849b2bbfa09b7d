from datetime import UTC, date, datetime

import pytest
from django import forms
from django.template import Context, Template
from django.utils import translation

AT = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)


def shown(language, text):
    with translation.override(language):
        return Template(text).render(Context({"at": AT, "amps": 1234.5}))


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "22 Nov 2026, 14:05"), ("fr", "22 nov. 2026, 14:05"), ("de", "22. Nov. 2026, 14:05")],
)
def test_a_moment_is_written_as_in_its_language(language, words):
    assert shown(language, "{{ at }}") == words


@pytest.mark.parametrize(
    ("language", "words"), [("en", "22/11/2026, 14:05"), ("fr", "22/11/2026 14:05"), ("de", "22.11.2026 14:05")]
)
def test_a_short_moment_is_written_as_in_its_language(language, words):
    assert shown(language, "{{ at|date:'SHORT_DATETIME_FORMAT' }}") == words


@pytest.mark.parametrize(("language", "words"), [("en", "1234.5"), ("fr", "1234,5"), ("de", "1234,5")])
def test_decimals_follow_the_language(language, words):
    assert shown(language, "{{ amps|floatformat:1 }}") == words


@pytest.mark.parametrize("entered", ["05/03/2026", "2026-03-05"])
def test_english_reads_the_day_first(entered):
    with translation.override("en"):
        assert forms.DateField().clean(entered) == date(2026, 3, 5)
        with pytest.raises(forms.ValidationError):
            forms.DateField().clean("03/25/2026")
