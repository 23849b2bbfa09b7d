"""The order of stations by name."""

import pytest

from stations.models import Station
from stations.ordering import by_name

pytestmark = pytest.mark.django_db


def test_a_number_at_the_end_of_a_name_counts_as_one():
    for name in ("Place 10", "place 2", "Place 1", "Box 3", "Place 2 left"):
        Station.objects.create(identity=f"id-{name}", name=name)
    Station.objects.create(identity="Garage 7")
    ordered = [str(station) for station in Station.objects.order_by(*by_name())]
    assert ordered == ["Box 3", "Garage 7", "Place 1", "place 2", "Place 10", "Place 2 left"]
