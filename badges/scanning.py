"""Scanning (SPEC S23): badges that are presented at stations are collected, and charge nothing meanwhile.

Each scan has its stations. A badge goes to every running scan that covers the station, so that scans do not disturb
each other.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Upper
from django.utils import timezone

from accounts.models import User
from badges.authorisation import find_badge, is_badge_number
from badges.models import Badge, BadgeType, Scan, ScannedBadge

LASTS, KEPT_FOR = timedelta(minutes=5), timedelta(days=1)
MOST_SCANNED = 200


@transaction.atomic
def start_scan(*, station_ids: Iterable[int], user: User | None) -> Scan:
    """Begin to collect badges at some stations, none: at all; it stops by itself after a while."""
    now = timezone.now()
    Scan.objects.filter(ends_at__lt=now - KEPT_FOR).delete()
    return Scan.objects.create(started_by=user, ends_at=now + LASTS, station_ids=sorted(station_ids))


def stop_scan(*, scan_id: int) -> bool:
    """End a scan once; False if it had ended."""
    now = timezone.now()
    return bool(Scan.objects.filter(pk=scan_id, ends_at__gt=now).update(ends_at=now))


def scans_at(station_id: int, *, begun_by: datetime | None = None) -> list[Scan]:
    """Return the running scans that cover a station; of those that had begun by a time, where one is given."""
    running = Scan.objects.filter(ends_at__gt=timezone.now())
    if begun_by is not None:
        running = running.filter(started_at__lte=begun_by)
    return [scan for scan in running if scan.covers(station_id)]


def was_scanned(*, station_id: int, id_tag: str, at: datetime) -> bool:
    """Say whether a badge was presented to a scan at a station that runs and had begun by then."""
    scans = scans_at(station_id, begun_by=at)
    return bool(scans) and _scanned(scans, id_tag).exists()


@transaction.atomic
def note_scanned(*, scans: Iterable[Scan], id_tag: str, station: str) -> None:
    """Keep that a badge was presented; one that is unknown waits for a type from now on.

    A scan takes so many badges: a broken station may present another one each second.
    """
    open_scans = [scan for scan in scans if scan.scanned.count() < MOST_SCANNED or _scanned([scan], id_tag).exists()]
    if not open_scans:
        return
    known = find_badge(id_tag)
    badge = known or _take_in(id_tag)
    now = timezone.now()
    for scan in open_scans:
        if not _scanned([scan], id_tag).update(times=F("times") + 1, at=now, station=station):
            scan.scanned.create(badge=badge, id_tag=id_tag, station=station, is_new=known is None, at=now)


def _take_in(id_tag: str) -> Badge | None:
    """Make a badge that waits for a type; None where it can have no such number."""
    if not is_badge_number(id_tag):
        return None
    try:
        with transaction.atomic():
            return Badge.objects.create(id_tag=id_tag, type=BadgeType.PENDING)
    except IntegrityError:  # another web process took it in meanwhile
        return find_badge(id_tag)


def _scanned(scans: Iterable[Scan], id_tag: str) -> QuerySet[ScannedBadge]:
    return ScannedBadge.objects.alias(number=Upper("id_tag")).filter(scan__in=scans, number=id_tag.upper())
