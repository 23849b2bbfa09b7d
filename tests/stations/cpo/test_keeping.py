"""How many limits of an operator are kept, and for how long."""

import pytest
from django.utils import timezone

from stations.cpo import keeping
from stations.cpo.keeping import (
    WAITS_FOR_CAR,
    change_list,
    clear_profiles,
    keep_profile,
    keep_profile_for_tag,
    limits_of,
    list_version,
)
from stations.models import CpoProfile
from tests.stations.cpo.test_limits import profile
from tests.stations.cpo.test_outbox import begin, station_with_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(monkeypatch):
    monkeypatch.setattr(keeping, "MOST_PROFILES", 2)
    return station_with_operator()[1]


def keep(link, number, level):
    return keep_profile(link_id=link.pk, connector=1, profile=profile(number=number, level=level, kind="Relative"))


def await_car(link, id_tag):
    wanted = profile(number=9, purpose="TxProfile")
    return keep_profile_for_tag(link_id=link.pk, connector=1, profile=wanted, id_tag=id_tag)


def kept():
    return list(CpoProfile.objects.order_by("pk").values_list("profile_id", "stack_level", "id_tag"))


def test_a_limit_that_finds_no_room_leaves_the_others_as_they_were(link):
    assert keep(link, 1, 0)
    assert keep(link, 2, 1)
    CpoProfile.objects.create(
        link=link,
        connector=1,
        profile_id=1,
        purpose="TxDefaultProfile",
        stack_level=5,
        payload={},
        installed_at=timezone.now(),
    )
    before = kept()
    assert not keep(link, 2, 2)
    assert kept() == before
    CpoProfile.objects.filter(stack_level=5).delete()
    assert keep(link, 2, 2)
    assert kept() == [(1, 0, ""), (2, 2, "")]


def test_limits_of_remote_starts_have_no_more_room_than_others(link):
    assert [await_car(link, id_tag) for id_tag in ("A1", "B2", "C3", "a1")] == [True, True, False, True]
    assert not keep(link, 1, 0)
    assert kept() == [(9, 0, "B2"), (9, 0, "A1")]


@pytest.mark.parametrize(("number", "level"), [(1, -1), (1, 100), (1, 2**40), (2**40, 0), (-(2**40), 0)])
def test_a_limit_of_a_level_that_was_not_announced_or_an_id_beyond_all_is_refused(link, number, level):
    assert not keep(link, number, level)
    wanted = profile(number=number, level=level, purpose="TxProfile")
    assert not keep_profile_for_tag(link_id=link.pk, connector=1, profile=wanted, id_tag="A1")
    assert keep(link, 1, 99)
    assert kept() == [(1, 99, "")]


@pytest.mark.parametrize("asked", [{"id": 2**40}, {"stackLevel": -1}, {"stackLevel": 2**40}, {"connectorId": -(2**40)}])
def test_limits_beyond_all_are_none_that_could_be_cleared(link, asked):
    assert keep(link, 1, 0)
    assert clear_profiles(link_id=link.pk, asked=asked) == 0


@pytest.mark.parametrize("version", [-1, 0, 2**31, 2**40])
def test_a_list_of_badges_whose_version_cannot_be_kept_is_refused(link, version):
    asked = {"listVersion": version, "updateType": "Full", "localAuthorizationList": []}
    assert change_list(link_id=link.pk, asked=asked) == "Failed"
    assert list_version(link_id=link.pk) == 0


def test_a_limit_whose_car_never_came_is_forgotten(link):
    assert await_car(link, "A1")
    assert await_car(link, "B2")
    CpoProfile.objects.update(installed_at=timezone.now() - WAITS_FOR_CAR)
    begin(link.station, 1)
    assert not CpoProfile.objects.exclude(transaction=None).exists()
    assert keep(link, 1, 0)
    assert kept() == [(1, 0, "")]


def test_a_limit_is_read_once_for_each_transaction(link):
    assert keep(link, 1, 0)

    def read(since):
        return limits_of(CpoProfile.objects.all(), phases=3, charging_since=since)[0]

    assert read(1.0) is read(1.0)
    assert (read(1.0).anchor_at, read(2.0).anchor_at) == (1.0, 2.0)
    assert keep(link, 1, 1)
    assert read(1.0).stack_level == 1
