"""Countries and their time zones."""

import zoneinfo

import pytest
from django.utils import translation

from energy.places import all_zones, country_names, zones_of


@pytest.mark.parametrize(
    ("country", "zones"),
    [
        ("DE", ("Europe/Berlin", "Europe/Busingen")),
        ("CH", ("Europe/Zurich",)),
        ("AT", ("Europe/Vienna",)),
        ("RE", ("Indian/Reunion",)),
        ("ZZ", ()),
    ],
)
def test_a_country_has_its_time_zones(country, zones):
    assert zones_of(country) == zones


def test_france_begins_with_paris_and_has_its_overseas_zones():
    zones = zones_of("FR")
    assert zones[0] == "Europe/Paris"
    assert {"Indian/Reunion", "America/Guadeloupe", "Pacific/Tahiti", "Pacific/Noumea"} <= {*zones}


def test_every_zone_that_is_offered_is_a_zone():
    assert {*all_zones()} <= zoneinfo.available_timezones()
    assert "UTC" in all_zones()


@pytest.mark.parametrize(
    ("language", "name", "first"), [("en", "Germany", "AF"), ("fr", "Allemagne", "AF"), ("de", "Deutschland", "AF")]
)
def test_countries_are_named_and_sorted_in_the_visitors_language(language, name, first):
    with translation.override(language):
        names = country_names()
    assert names["DE"] == name
    assert next(iter(names)) == first
    assert len(names) > 240
