"""What the reader of meters says, in the language of who reads it: it knows no languages and writes English."""

import re

from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from energy.meter_notes import NOTES, REFUSALS

ERRORS = (
    (
        r"Meter (?P<meter>\S+): expected a connection within (?P<time>\S+) s, got none\.",
        gettext_lazy(
            "%(meter)s: no connection within %(time)s s. Check address, cable and power, and that no other program "
            "uses the meter."
        ),
    ),
    (
        r"Meter (?P<meter>\S+), unit (?P<unit>\d+): expected an answer within (?P<time>\S+) s, got none\.",
        gettext_lazy(
            "%(meter)s, unit %(unit)s: no answer within %(time)s s. Check cable, power, unit number and serial "
            "parameters."
        ),
    ),
    (
        r"Meter (?P<meter>\S+), unit (?P<unit>\d+): expected (?P<registers>.+), got exception (?P<code>\d+) ",
        gettext_lazy(
            "%(meter)s, unit %(unit)s: refuses to be read (exception %(code)s). Check the model and the unit number."
        ),
    ),
    (
        r"Meter (?P<meter>\S+), unit (?P<unit>\d+): expected \d+ registers .+, got \d+ ",
        gettext_lazy(
            "%(meter)s, unit %(unit)s: the answer is none to this question. Check that nobody else speaks on this line."
        ),
    ),
    (
        r"Current on (?P<line>L\d): expected (?P<least>\S+) to (?P<most>\S+) A, got ",
        gettext_lazy(
            "The current read on %(line)s cannot be: %(least)s to %(most)s A were expected. Check the model, the word "
            "order and the wiring of the meter."
        ),
    ),
)


def meter_words(said: str) -> str:
    """Put what the reader says into the language of who reads it; what is not known stays English."""
    if said in NOTES or said in REFUSALS:
        return _(said)
    for pattern, sentence in ERRORS:
        found = re.match(pattern, said)
        if found:
            return str(sentence) % found.groupdict()
    return said


meter_words_lazy = lazy(meter_words, str)  # for what is computed once and read in several languages
