"""Import of an old device's history: looked at first, then written a second at a time; a second import adds nothing."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from celery import current_app
from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import User
from exports.models import FormerTold, HistoryImport, ImportedTransaction, ImportState, OldTold
from exports.old_file import Flag, OldRow, WrongRow, cells_in, read_row, says_wh
from stations.models import Transaction

BATCH = 500
SLICE_S = 1.0
STALLED_AFTER = timedelta(seconds=60)
PREVIEWS_KEPT = timedelta(days=1)
SHOWN = 20
LARGEST_PK = 2**31 - 1
TOLD = tuple(field.name for field in OldTold._meta.fields)


class Fate(StrEnum):
    """What importing a row would do."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OWN = "own"
    WRONG = "wrong"


@dataclass(slots=True)
class Preview:
    """What importing a file would do: how many rows of each fate and flag; the first rows, and the first wrong ones."""

    fates: Counter[Fate] = field(default_factory=Counter)
    flags: Counter[Flag] = field(default_factory=Counter)
    rows: list[tuple[OldRow, Fate]] = field(default_factory=list)
    wrong: list[tuple[int, WrongRow]] = field(default_factory=list)


@transaction.atomic
def keep_file(*, file_name: str, text: str, zone: ZoneInfo, user: User) -> HistoryImport:
    """Keep a file for its preview; raises NoHistory where it is no history. Previews nobody took up go."""
    is_wh, total = says_wh(text), sum(1 for _ in cells_in(text))
    HistoryImport.objects.filter(state=ImportState.PREVIEW, at__lt=timezone.now() - PREVIEWS_KEPT).delete()
    return HistoryImport.objects.create(
        file_name=file_name, text=text, time_zone=zone.key, is_wh=is_wh, total=total, user=user
    )


def preview(history: HistoryImport) -> Preview:
    """Say what importing a file would do."""
    found = Preview()
    for batch in _batches(history):
        rows = [row for _line, row in batch if isinstance(row, OldRow)]
        wrong = [(line, row) for line, row in batch if isinstance(row, WrongRow)]
        fates = _fates(rows, ZoneInfo(history.time_zone))
        found.fates.update(fates)
        found.fates[Fate.WRONG] += len(wrong)
        found.flags.update(flag for row in rows for flag in row.flags)
        found.wrong += wrong[: SHOWN - len(found.wrong)]
        found.rows += list(zip(rows, fates, strict=True))[: SHOWN - len(found.rows)]
    return found


def _batches(history: HistoryImport) -> Iterator[list[tuple[int, OldRow | WrongRow]]]:
    """Give the rows that are still to be done, with their lines."""
    zone = ZoneInfo(history.time_zone)
    rest = islice(cells_in(history.text), history.done, None)
    while cells := list(islice(rest, BATCH)):
        yield [(line, read_row(texts, zone, is_wh=history.is_wh)) for line, texts in cells]


def _fates(rows: list[OldRow], zone: ZoneInfo) -> list[Fate]:
    """Compare rows with what is here: with our own as a file shows them, which has one clock for both hours."""
    known = _known(rows)
    own = {
        (pk, _as_in_file(started_at, zone), id_tag.strip(" "))
        for pk, started_at, id_tag in Transaction.objects.filter(
            pk__in=[row.number for row in rows if row.number <= LARGEST_PK]
        ).values_list("pk", "started_at", "id_tag")
    }
    is_own = [(row.number, _as_in_file(row.started_at, zone), row.id_tag) in own for row in rows]
    return [_fate(row, known.get(row.key), one_is_own) for row, one_is_own in zip(rows, is_own, strict=True)]


def _as_in_file(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None, fold=0)


def _fate(row: OldRow, known: ImportedTransaction | None, is_own: bool) -> Fate:
    if is_own:
        return Fate.OWN
    if known is None:
        return Fate.NEW
    return Fate.UNCHANGED if all(getattr(known, name) == _value(row, name) for name in TOLD) else Fate.CHANGED


def _known(rows: list[OldRow]) -> dict[tuple[object, ...], ImportedTransaction]:
    found = ImportedTransaction.objects.filter(number__in=[row.number for row in rows])
    return {(known.number, known.station_mac_address, known.started_at, known.id_tag): known for known in found}


def _value(row: OldRow, name: str) -> object:
    value = getattr(row, name)
    return [str(flag) for flag in value] if name == "flags" else value


def is_stalled(history: HistoryImport) -> bool:
    """Say whether an import that is under way has not been heard of: the worker is away."""
    heard_at = history.heard_at
    return history.state == ImportState.RUNNING and heard_at is not None and timezone.now() - heard_at > STALLED_AFTER


def choose_unit(*, pk: int, is_wh: bool) -> None:
    """Read the energy of a file that is not imported yet as Wh or as kWh."""
    HistoryImport.objects.filter(pk=pk, state=ImportState.PREVIEW).update(is_wh=is_wh)


def begin_import(*, pk: int) -> bool:
    """Have the worker import a file, or go on with one; False where the broker is away, and nothing has begun."""
    waiting = HistoryImport.objects.filter(pk=pk).exclude(state=ImportState.FINISHED)
    if waiting.update(state=ImportState.RUNNING, heard_at=timezone.now()):
        try:
            current_app.send_task("exports.tasks.import_history", args=(pk,), retry=False)
        except OperationalError:
            stop_import(pk=pk)
            return False
    return True


def stop_import(*, pk: int) -> None:
    """Stop an import that is under way; what it has brought stays, and it can go on later."""
    HistoryImport.objects.filter(pk=pk, state=ImportState.RUNNING).update(state=ImportState.STOPPED)


class Undone(NamedTuple):
    """How many charging sessions were taken out, tell again what they told before, and stay as another import's."""

    taken_out: int
    given_back: int
    kept: int


@transaction.atomic
def undo_import(*, pk: int) -> Undone:
    """Take out the transactions that an import alone brought, give back what it changed, and forget it.

    What a later import told too stays as that told it: undoing the later one gives back what was before both.
    """
    history = HistoryImport.objects.select_for_update().get(pk=pk)
    heir = FormerTold.objects.filter(transaction=OuterRef("pk")).order_by("pk").values("changed_by")[:1]
    kept = history.transactions.filter(former__isnull=False).update(brought_by=Subquery(heir))
    FormerTold.objects.filter(changed_by=F("transaction__brought_by")).delete()  # nobody told it before its heir
    later = FormerTold.objects.filter(transaction=OuterRef("transaction"), pk__gt=OuterRef("pk")).order_by("pk")
    former = history.former.annotate(later=Subquery(later.values("pk")[:1])).select_related("transaction")
    given_back = 0
    while batch := list(former.order_by("pk")[:BATCH]):
        given_back += _give_back(batch)
        FormerTold.objects.filter(pk__in=[one.pk for one in batch]).delete()
    taken_out = history.transactions.all().delete()[0]
    history.delete()
    return Undone(taken_out, given_back, kept)


def _give_back(former: list[Any]) -> int:
    """Let transactions tell what they told before: where a later import told them, to whoever undoes that.

    Returns how many tell something else now.
    """
    followers = FormerTold.objects.in_bulk([one.later for one in former if one.later])
    changed = []
    for one in former:
        target = followers[one.later] if one.later else one.transaction
        if not one.later and _told(target) != _told(one):
            changed.append(one.transaction)
        for name in TOLD:
            setattr(target, name, getattr(one, name))
    ImportedTransaction.objects.bulk_update(changed, TOLD)
    FormerTold.objects.bulk_update(followers.values(), TOLD)
    return len(changed)


def _told(row: OldTold) -> list[object]:
    return [getattr(row, name) for name in TOLD]


def import_on(*, pk: int) -> bool:
    """Go on with an import for about a second; False when it is over or was stopped."""
    until = time.monotonic() + SLICE_S
    history = HistoryImport.objects.filter(pk=pk, state=ImportState.RUNNING).first()
    if history is None:
        return False
    for batch in _batches(history):
        if not _write(history, [row for _line, row in batch if isinstance(row, OldRow)], len(batch)):
            return False
        if time.monotonic() >= until:
            return True
    HistoryImport.objects.filter(pk=pk, state=ImportState.RUNNING).update(state=ImportState.FINISHED, text="")
    return False


@transaction.atomic
def _write(history: HistoryImport, rows: list[OldRow], count: int) -> bool:
    """Write one batch, and that it is done; False where another has done it, or the import was stopped."""
    running = HistoryImport.objects.filter(pk=history.pk, state=ImportState.RUNNING, done=history.done)
    history.done += count
    if not running.update(done=history.done, heard_at=timezone.now()):
        return False
    once = {row.key: row for row in rows}  # of two that are one, the later counts
    fates = dict(zip(once, _fates(list(once.values()), ZoneInfo(history.time_zone)), strict=True))
    known = _known(list(once.values()))
    changed = [known[key] for key, fate in fates.items() if fate == Fate.CHANGED]
    former = [  # also of what it tells alike: that stays where the import that brought it is undone
        FormerTold(transaction=one, changed_by=history, **dict(zip(TOLD, _told(one), strict=True)))
        for one in (known[key] for key, fate in fates.items() if fate in (Fate.CHANGED, Fate.UNCHANGED))
        if one.brought_by_id != history.pk
    ]
    FormerTold.objects.bulk_create(former, ignore_conflicts=True)  # a file that names it twice: the first counts
    for key in (key for key, fate in fates.items() if fate == Fate.CHANGED):
        for name in TOLD:
            setattr(known[key], name, _value(once[key], name))
    make = partial(ImportedTransaction, brought_by=history)
    new = [
        make(**once[key]._replace(flags=_value(once[key], "flags"))._asdict())  # type: ignore[arg-type]
        for key, fate in fates.items()
        if fate == Fate.NEW
    ]
    ImportedTransaction.objects.bulk_create(new)
    ImportedTransaction.objects.bulk_update(changed, TOLD)
    HistoryImport.objects.filter(pk=history.pk).update(added=F("added") + len(new), changed=F("changed") + len(changed))
    return True
