"""Countries by name, and the time zones people live by there."""

from functools import cache
from importlib import resources

from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from django_countries import countries

# Who lives there says "France"; ISO 3166 and tzdata count these as countries of their own.
_OVERSEAS = {"FR": ("RE", "GP", "MQ", "GF", "YT", "NC", "PF", "MF", "BL", "PM", "WF")}
_USUAL_COUNTRY = {"de": "DE", "fr": "FR"}


def country_names() -> dict[str, str]:
    """Name every country of ISO 3166-1 by its code of two letters, in the visitor's language and order."""
    return dict(countries)


def zones_of(country: str) -> tuple[str, ...]:
    """List a country's time zones, in the order of tzdata; none where nobody lives."""
    return tuple(zone for part in (country, *_OVERSEAS.get(country, ())) for zone in _zone_table().get(part, ()))


def all_zones() -> tuple[str, ...]:
    """List the time zones of all countries, and UTC, by name."""
    return tuple(sorted({"UTC", *(zone for zones in _zone_table().values() for zone in zones)}))


def zone_choices(country: str, kept: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """List the time zones to choose from, those of the country first, with what is `kept` even where it is none."""
    own = zones_of(country)
    others = sorted({*all_zones(), kept} - {*own})
    return [
        (_("Time zones of this country"), [(zone, zone) for zone in own]),
        (_("All others"), [(zone, zone) for zone in others]),
    ]


def zones_by_country() -> dict[str, tuple[str, ...]]:
    """List the time zones of every country by its code."""
    return {code: zones_of(code) for code in country_names()}


def likely_place(accepted: str) -> dict[str, str]:
    """Guess country and time zone by the languages a browser asks for (Accept-Language); empty where they tell nothing.

    A language without a region stands for its usual country. English does not, nor that of the United States: browsers
    everywhere come with it.
    """
    for language, _weight in parse_accept_lang_header(accepted):
        name, *regions = language.split("-")
        country = _USUAL_COUNTRY.get(name, "") if not regions else regions[-1].upper()
        if language != "en-us" and country in country_names() and zones_of(country):
            return {"country": country, "time_zone": zones_of(country)[0]}
    return {}


@cache
def _zone_table() -> dict[str, list[str]]:
    """Read which country has which zones (`zone.tab` of tzdata)."""
    table: dict[str, list[str]] = {}
    for line in resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _position, zone = line.split("\t")[:3]
            table.setdefault(country, []).append(zone)
    return table
