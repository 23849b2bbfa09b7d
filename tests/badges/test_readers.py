"""Readers that give the number of one badge in different ways."""

import pytest

from badges.models import Badge
from badges.readers import are_alike, badges_like

SEVEN = "04A1B2C3D4E580"


@pytest.mark.parametrize(
    "other",
    [
        SEVEN.lower(),
        "80E5D4C3B2A104",  # bytes in reverse
        "4A1B2C3D4E580",  # the leading zero cut
        "04A1B2C3",  # the first four bytes alone
        "C3B2A104",  # the same in reverse
        "C3D4E580",  # the last four bytes
        "04A1B2C3D4E58000000",  # filled up
        "04A1B2C3D4E5",  # the last byte cut
        "04A1B2C3D4E5807F",  # with a check byte
        "0004A1B2C3D4E580",
    ],
)
def test_numbers_that_readers_make_of_one_badge_are_alike_both_ways(other):
    assert are_alike(SEVEN, other)
    assert are_alike(other, SEVEN)


@pytest.mark.parametrize("other", ["04A1B2C4D4E580", "A1B2", "04A1B2", "FREEVEND", "", "00000000", "1B2C3D4E"])
def test_other_numbers_are_not_alike(other):
    assert not are_alike(SEVEN, other)
    assert not are_alike(other, SEVEN)


def test_numbers_that_are_no_bytes_are_never_alike():
    assert not are_alike("MARIE-HOME", "MARIE-HOME-2")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("04a1b2c3d4e580", "80E5D4C3B2A104"),
        ("04A1B2C3D4E580", "C3B2A104"),
        ("04A1B2C3", "04a1b2c3d4e580"),
        ("A1B2C304", "04C3B2A1"),
        ("0A1B2C3D", "A1B2C3D"),
        ("04A1B2C3D4E5F6071829", "04A1B2C3D4E580".replace("80", "F6")),
    ],
)
def test_the_known_badge_is_found_among_many(known, seen):
    Badge.objects.bulk_create(Badge(id_tag=f"{number:08X}") for number in range(0x70000000, 0x70000200))
    badge = Badge.objects.create(id_tag=known)
    assert badges_like(seen) == [badge]


@pytest.mark.django_db
def test_a_badge_is_not_like_itself_and_few_hints_are_enough():
    Badge.objects.bulk_create(Badge(id_tag=f"04A1B2C3{number:02X}") for number in range(9))
    assert badges_like("04a1b2c300") == []
    assert len(badges_like("04A1B2C3")) == 3
