"""Scans: badges are collected, each for every scan that covers its station."""

from datetime import timedelta

import pytest
from django.utils import timezone

from badges.models import Badge, Scan
from badges.scanning import MOST_SCANNED, note_scanned, scans_at, start_scan, stop_scan, was_scanned

pytestmark = pytest.mark.django_db

HERE, THERE = 1, 2


def seen_by(scan):
    return [(row.id_tag, row.is_new, row.times) for row in scan.scanned.order_by("pk")]


def present(id_tag, station_id=HERE):
    note_scanned(scans=scans_at(station_id), id_tag=id_tag, station="Place 1")


def test_an_unknown_badge_waits_for_a_type_and_a_known_one_stays_as_it_is():
    Badge.objects.create(id_tag="a1", type="supervisor")
    scan = start_scan(station_ids=[], user=None)
    present("A1")
    present("B2")
    assert seen_by(scan) == [("A1", False, 1), ("B2", True, 1)]
    assert dict(Badge.objects.values_list("id_tag", "type")) == {"a1": "supervisor", "B2": "pending"}


def test_a_badge_that_is_presented_again_in_another_case_is_one():
    scan = start_scan(station_ids=[], user=None)
    present("b2")
    present("B2")
    assert seen_by(scan) == [("b2", True, 2)]
    assert Badge.objects.count() == 1


def test_two_scans_at_once_get_what_is_presented_at_their_stations():
    here, there, everywhere = (start_scan(station_ids=ids, user=None) for ids in ([HERE], [THERE], []))
    present("A1", HERE)
    present("B2", THERE)
    assert seen_by(here) == [("A1", True, 1)]
    assert seen_by(there) == [("B2", True, 1)]
    assert seen_by(everywhere) == [("A1", True, 1), ("B2", True, 1)]


def test_stopping_one_scan_leaves_the_other_and_a_second_stop_changes_nothing():
    first, second = start_scan(station_ids=[], user=None), start_scan(station_ids=[], user=None)
    assert [stop_scan(scan_id=first.pk), stop_scan(scan_id=first.pk)] == [True, False]
    assert scans_at(HERE) == [second]


def test_a_scan_ends_by_itself():
    scan = start_scan(station_ids=[], user=None)
    assert scan.ends_at - timezone.now() <= timedelta(minutes=5)
    Scan.objects.update(ends_at=timezone.now())
    assert scans_at(HERE) == []


def test_a_number_that_no_badge_can_have_is_shown_and_makes_none():
    scan = start_scan(station_ids=[], user=None)
    for number in ("x" * 21, "é", ""):
        present(number)
    assert [row.badge for row in scan.scanned.all()] == [None] * 3
    assert not Badge.objects.exists()


def test_a_station_that_invents_badges_fills_one_scan_and_no_more(monkeypatch):
    monkeypatch.setattr("badges.scanning.MOST_SCANNED", 3)
    scan = start_scan(station_ids=[], user=None)
    for number in range(5):
        present(f"N{number}")
    present("N1")
    assert [row[2] for row in seen_by(scan)] == [1, 2, 1]
    assert Badge.objects.count() == 3 < MOST_SCANNED


def test_a_start_counts_as_scanned_only_after_the_badge_was_presented_to_a_running_scan():
    begun = timezone.now()
    scan = start_scan(station_ids=[HERE], user=None)
    later = scan.started_at + timedelta(seconds=1)
    assert not was_scanned(station_id=HERE, id_tag="A1", at=later)
    present("a1")
    assert was_scanned(station_id=HERE, id_tag="A1", at=later)
    assert not was_scanned(station_id=THERE, id_tag="A1", at=later)
    assert not was_scanned(station_id=HERE, id_tag="A1", at=begun - timedelta(hours=1)), "it began offline, long before"
    stop_scan(scan_id=scan.pk)
    assert not was_scanned(station_id=HERE, id_tag="A1", at=later)


def test_scans_of_long_ago_are_forgotten_with_the_next():
    old = start_scan(station_ids=[], user=None)
    Scan.objects.update(ends_at=timezone.now() - timedelta(days=2))
    start_scan(station_ids=[], user=None)
    assert not Scan.objects.filter(pk=old.pk).exists()
