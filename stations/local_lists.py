"""Writes on the stations' local lists: which one each is to hold, and how far it is. `ocpp16.local_list` decides."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from badges.authorisation import ACCEPTED, INVALID, badge_settings, decide
from badges.models import Badge, BadgeType
from stations.models import BadgeList, LocalList, Preconfiguration, Station, StationState, Transaction
from stations.ocpp16.configuration import capabilities
from stations.ocpp16.local_list import (
    EMPTY,
    MOST_REFUSALS,
    MOST_UNANSWERED,
    MOST_UNSAID,
    Call,
    Changes,
    Entry,
    Progress,
    after_answer,
    after_break,
    changes_between,
    digest_of,
    forgotten,
    in_order,
    next_call,
    piece_size,
)
from stations.ocpp16.normalise import text
from stations.ocpp16.sockets import publish
from stations.preconfiguration import reported_by

AGAIN_AFTER, SILENT_AGAIN_AFTER = timedelta(hours=1), timedelta(days=1)
USED_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The list a station is to hold, and how many badges did not fit."""

    digest: str
    entries: list[Entry]
    left_out: int


NO_BADGES = Wanted(EMPTY, [], 0)  # where an operator decides on badges (SPEC S20)


@dataclass(frozen=True, slots=True)
class Step:
    """What a station is asked, and its progress as it was kept before."""

    progress: Progress
    call: Call


# --- which list


class Badges:
    """All badges as stations may be told of them; lists that are alike are made once.

    A station is told of every badge that it takes, with the status it would be answered today. Blocked and expired ones
    are on the list too, behind the others: a station's own cache, or its taking unknown badges, would let them in.
    """

    def __init__(self, station_ids: Iterable[int]) -> None:
        self._entries: dict[int, Entry] = {}
        self._ranks: dict[int, tuple[bool, bool]] = {}
        self._needed_at: dict[int, float] = {}
        self._everywhere: set[int] = set()
        self._named: defaultdict[int, set[int]] = defaultdict(set)
        self._made: dict[tuple[bool, frozenset[int], int], Wanted] = {}
        self._read_badges()
        needed = Q(badge__is_good_everywhere=False) | Q(station__takes_all_badges=False)
        pairs = Station.badges.through.objects.filter(needed, station__in=list(station_ids))
        for station_id, badge_id in pairs.values_list("station_id", "badge_id"):
            self._named[station_id].add(badge_id)

    def _read_badges(self) -> None:
        """Read them all, without a model for each: this is done every few seconds."""
        rule, now, zone = badge_settings().access_rule, timezone.now(), timezone.get_current_timezone()

        @cache
        def said_of(kind: str, is_active: bool, expires_on: date | None) -> tuple[str, str]:
            """Say what is answered to badges that are alike: status and expiry."""
            badge = Badge(type=kind, is_active=is_active, expires_on=expires_on)
            info = decide(badge, rule=rule, is_allowed_here=True, at=now, zone=zone).id_tag_info
            return info["status"], info.get("expiryDate", "")

        columns = ("pk", "id_tag", "is_good_everywhere", "type", "is_active", "expires_on")
        for pk, id_tag, is_good_everywhere, kind, is_active, expires_on in Badge.objects.values_list(*columns):
            status, expires_at = said_of(kind, is_active, expires_on)
            if status != INVALID:
                self._entries[pk] = Entry(id_tag, status, expires_at)
                self._ranks[pk] = (status != ACCEPTED, kind != BadgeType.SUPERVISOR)
            if is_good_everywhere:
                self._everywhere.add(pk)

    def wanted_by(self, station_id: int, takes_all: bool, most: int) -> Wanted:
        """Return the list of a station that holds `most` badges: supervisors first, then those last used or made."""
        named = frozenset(self._named.get(station_id, ()))
        key = (takes_all, named, most)
        if key not in self._made:
            chosen = (self._everywhere | named if takes_all else named) & self._entries.keys()
            if len(chosen) > most and not self._needed_at:
                self._note_need()
            ordered = sorted(chosen, key=lambda pk: (self._ranks[pk], -self._needed_at.get(pk, 0.0), -pk))[:most]
            entries = in_order(self._entries[pk] for pk in ordered)
            self._made[key] = Wanted(digest_of(entries), entries, len(chosen) - len(entries))
        return self._made[key]

    def _note_need(self) -> None:
        """Note when each was made or last used, up to midnight: a full list does not change with each transaction."""
        for pk, created_at in Badge.objects.values_list("pk", "created_at"):
            self._needed_at[pk] = created_at.timestamp()
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        used = Transaction.objects.filter(started_at__lt=midnight, started_at__gte=midnight - USED_WITHIN)
        for pk, last in used.exclude(badge=None).order_by().values_list("badge").annotate(Max("started_at")):
            self._needed_at[pk] = max(self._needed_at.get(pk, 0.0), last.timestamp())


def check_local_lists() -> None:
    """Note which list each connected station is to hold, and have those told that hold another.

    The only place that looks at badges: whatever changed them, and midnight, is seen by the next check.
    """
    now = timezone.now()
    LocalList.objects.filter(refusals__gte=MOST_REFUSALS, tried_at__lt=now - AGAIN_AFTER).update(refusals=0)
    # Once: it may be one that restarts when it is asked, or was merely cut off each time.
    silent = LocalList.objects.filter(unanswered__gte=MOST_UNANSWERED, tried_at__lt=now - SILENT_AGAIN_AFTER)
    silent.update(unanswered=MOST_UNANSWERED - 1)
    _note_wanted()
    up_to_date = Q(is_checked=True, target=None, held=F("wanted"))
    behind = _connected(LocalList, "preconfiguration__").exclude(up_to_date).select_related("preconfiguration")
    station_ids = [row.preconfiguration.station_id for row in behind if not progress_of(row).is_given_up]
    if station_ids:
        publish({"type": "stations.local_list", "station_ids": station_ids})


def _connected(model: Any, path: str) -> Any:
    """Return the rows of stations in service that are connected; `path` leads to the pre-configuration."""
    in_service = model.objects.filter(**{f"{path}station__state": StationState.CONFIGURED})
    return in_service.exclude(**{f"{path}station__socket_id": ""})


def _note_wanted() -> None:
    """Keep which list each station is to hold, where it is another than before."""
    known = _connected(Preconfiguration, "").filter(read_at__isnull=False).only("station_id", "reported")
    known = known.annotate(
        takes_all=F("station__takes_all_badges"),
        has_operator=F("station__is_cpo_enabled"),
        wanted=F("local_list__wanted"),
        left_out=F("local_list__left_out"),
    )
    able = [(row, can.list_length) for row in known if (can := capabilities(reported_by(row))).has_local_list]
    if not able:
        return
    badges = Badges(row.station_id for row, _length in able)
    changed: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    lists: dict[str, Wanted] = {}
    for row, length in able:
        most = MOST_UNSAID if length is None else length
        wanted = NO_BADGES if row.has_operator else badges.wanted_by(row.station_id, row.takes_all, most)
        if (row.wanted, row.left_out) != (wanted.digest, wanted.left_out):
            changed[wanted.digest, wanted.left_out].append(row.pk)
            lists[wanted.digest] = wanted
    for (digest, left_out), row_ids in changed.items():
        _want(lists[digest], left_out, row_ids)
    if changed:
        _drop_unused()


@transaction.atomic
def _want(wanted: Wanted, left_out: int, row_ids: list[int]) -> None:
    """Let some stations hold one list; what they refused counts no more."""
    for digest, entries in ((wanted.digest, wanted.entries), (EMPTY, [])):
        BadgeList.objects.get_or_create(digest=digest, defaults={"entries": entries, "size": len(entries)})
    present = set(Preconfiguration.objects.select_for_update().filter(pk__in=row_ids).values_list("pk", flat=True))
    known = LocalList.objects.filter(preconfiguration__in=present)
    new = present - set(known.values_list("preconfiguration", flat=True))
    known.update(wanted=wanted.digest, left_out=left_out, refusals=0)
    LocalList.objects.bulk_create(
        LocalList(preconfiguration_id=pk, wanted_id=wanted.digest, left_out=left_out) for pk in sorted(new)
    )


@transaction.atomic
def _drop_unused() -> None:
    """Forget the lists that no station holds or is to hold; any may come to hold the empty one."""
    used = {EMPTY} | {digest for row in LocalList.objects.values_list("wanted", "held", "target") for digest in row}
    BadgeList.objects.exclude(digest__in=used - {None}).delete()


# --- how far it is


COUNTED = ("taken", "version", "is_checked", "is_supported", "unanswered", "refusals", "error")


def progress_of(row: LocalList) -> Progress:
    """Return how far a station is."""
    counted: dict[str, Any] = {name: getattr(row, name) for name in COUNTED}
    return Progress(wanted=row.wanted_id, held=row.held_id, target=row.target_id, **counted)


def _keep(row: LocalList, progress: Progress) -> None:
    """Keep how far a station is."""
    if progress.held is not None and progress.held != row.held_id:
        row.held_at = timezone.now()
    row.wanted_id, row.held_id, row.target_id = progress.wanted, progress.held, progress.target
    for name in COUNTED:
        setattr(row, name, getattr(progress, name))
    row.tried_at = timezone.now()
    row.save()


@transaction.atomic
def take_step(*, station_id: int, last: Step | None = None, answer: dict[str, Any] | None = None) -> Step | None:
    """Keep the answer to the last step, and what is asked next; None: nothing is.

    Where the state was set back in the meantime, the answer proves nothing and the version is asked for again.
    """
    row = (
        LocalList.objects.select_for_update(of=("self",))
        .filter(preconfiguration__station=station_id, preconfiguration__station__state=StationState.CONFIGURED)
        .select_related("preconfiguration")
        .first()
    )
    if row is None:
        return None
    progress = progress_of(row)
    if last is None or answer is None:
        progress = after_break(progress)
    elif _place(progress) == _place(last.progress):
        length = len(_changes(progress.held, progress.target).lines) if progress.target else 0
        progress = after_answer(progress, last.call, answer, length)
        progress = replace(progress, error=text(progress.error, 200))
    else:
        progress = replace(progress, is_checked=False, unanswered=0)
    step = None
    if progress.is_behind and not progress.is_given_up:
        can = capabilities(reported_by(row.preconfiguration))
        step = Step(*next_call(progress, _changes, piece_size(can.list_piece)))
    _keep(row, step.progress if step else progress)
    return step


def _place(progress: Progress) -> tuple[Any, ...]:
    return progress.version, progress.held, progress.target, progress.taken, progress.is_checked


@lru_cache(maxsize=8)
def _changes(held: str | None, target: str) -> Changes:
    """Return what leads from one list to another; a thousand stations that hold the same go the same way."""
    return changes_between(None if held is None else _entries(held), _entries(target))


def _entries(digest: str) -> list[Entry]:
    return [Entry(*entry) for entry in BadgeList.objects.get(pk=digest).entries]


@transaction.atomic
def forget_local_lists(*, station_ids: list[int]) -> None:
    """Take the lists of stations for unknown: the next check has them sent anew."""
    for row in LocalList.objects.select_for_update(of=("self",)).filter(preconfiguration__station__in=station_ids):
        _keep(row, forgotten(progress_of(row)))
