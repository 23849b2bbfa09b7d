"""What a form refuses, at the field."""

import pytest
from django.core.exceptions import ValidationError

from energy.models import Installation
from stations.models import Circuit, Station

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"fuse_a": 80}, "fuse_a"),
        ({"measurement": "ct_5a"}, "ct_ratio_a"),
        ({"measurement": "ct_5a", "ct_ratio_a": 50}, "ct_ratio_a"),
        ({"mode": "static"}, "static_limit_a"),
        ({"fuse_a": 32, "static_limit_a": 40}, "static_limit_a"),
        ({"fail_safe_a": 3}, "fail_safe_a"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"derating_percent": 51}, "derating_percent"),
    ],
)
def test_an_installation_names_the_field_that_is_wrong(values, field):
    with pytest.raises(ValidationError) as error:
        Installation(name="Garage", **values).full_clean()
    assert field in error.value.message_dict


def test_an_installation_that_is_right_is_taken():
    Installation(name="Garage", fuse_a=63).full_clean()
    Installation(name="Garage", fuse_a=250, measurement="ct_5a", ct_ratio_a=250).full_clean()


def test_a_circuit_cannot_lie_inside_itself():
    limits = {"limit_l1_a": 16, "limit_l2_a": 16, "limit_l3_a": 16}
    outer = Circuit.objects.create(name="outer", **limits)
    inner = Circuit.objects.create(name="inner", parent=outer, **limits)
    outer.parent = inner
    with pytest.raises(ValidationError) as error:
        outer.full_clean()
    assert "parent" in error.value.message_dict


@pytest.mark.parametrize(
    ("values", "field"),
    [({"min_current_a": 10, "max_current_a": 8}, "max_current_a"), ({"fail_safe_a": 5}, "fail_safe_a")],
)
def test_a_station_names_the_field_that_is_wrong(values, field):
    with pytest.raises(ValidationError) as error:
        Station(identity="CP1", **values).full_clean()
    assert field in error.value.message_dict
