"""Stations that were chosen in the list, on their way to a page of their own."""

from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext

from accounts.words import labelled
from stations.models import Station
from stations.ordering import by_name

LONGEST_NUMBER = 9  # digits


def page_of_chosen(name: str, queryset: QuerySet[Station]) -> str:
    """Return the address of an admin page with the chosen stations in it."""
    numbers = ",".join(str(number) for number in queryset.order_by("pk").values_list("pk", flat=True))
    return f"{reverse(f'admin:{name}')}?{urlencode({'stations': numbers})}"


def chosen_stations(request: HttpRequest) -> list[Station]:
    """Return the stations in the address, by name; raises Http404 where there is none."""
    stations = list(Station.objects.filter(pk__in=numbers_in(request, "stations")).order_by(*by_name()))
    if not stations:
        raise Http404("none of these stations exists")
    return stations


def numbers_in(request: HttpRequest, name: str) -> list[int]:
    """Read the numbers of rows in the address; what is none is passed over."""
    parts = request.GET.get(name, "").split(",")
    return [int(part) for part in parts if is_number(part)]


def is_number(text: str) -> bool:
    """Say whether a text may be the number of a row: one with more digits fits no column."""
    return text.isdecimal() and len(text) <= LONGEST_NUMBER


def names_of(stations: list[Station]) -> str:
    """Count and name stations."""
    count = len(stations)
    names = ", ".join(str(station) for station in stations)
    return labelled(ngettext("%(count)s station", "%(count)s stations", count) % {"count": count}, names)
