"""The import of a badge file: checked row by row, shown, then written at once or not at all (SPEC S24).

The worker checks for some seconds at a time: other work goes on. It writes in one transaction, signed in the audit
trail with who confirmed it.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from accounts import audit
from accounts.bulk import insert_many, update_many
from accounts.models import User
from badges.csv_files.cells import spellings, without_zeros
from badges.csv_files.faults import Fault, FileRefused, listed
from badges.csv_files.survey import Survey, survey
from badges.csv_files.table import Row, read_rows
from badges.csv_files.text import LARGEST_FILE, decode
from badges.csv_resource import FIELDS, Judged, badges_by_number, judge, kept
from badges.import_models import BadgeImport, ImportedRow, ImportState, Outcome
from badges.models import Badge

SLICE = 10_000  # rows that are checked before other work has its turn
PIECE = 500  # rows that are judged, kept and written at once
STALLED_AFTER_S = {ImportState.CHECKING: 60.0, ImportState.WRITING: 300.0}  # writing is silent to its end
NOTE = gettext_noop("Imported from a file.")


def is_stalled(job: BadgeImport) -> bool:
    """Say whether an import that is under way has not been heard of: what carried it is gone."""
    if job.state not in STALLED_AFTER_S:
        return False
    silent_s = math.inf if job.heard_at is None else (timezone.now() - job.heard_at).total_seconds()
    return silent_s > STALLED_AFTER_S[ImportState(job.state)]


# --- check


def start_import(*, file_name: str, raw: bytes, user: User | None, address: str | None) -> None:
    """Begin an import and have the worker check it. Raises FileRefused with what keeps it from beginning."""
    run = begin_import(file_name=file_name, raw=raw, user=user, address=address)
    _send("badges.tasks.check_import", run)


def begin_import(*, file_name: str, raw: bytes, user: User | None, address: str | None) -> int:
    """Keep a file to be checked; returns the number of the import. Raises FileRefused, and then keeps nothing."""
    if len(raw) > LARGEST_FILE:
        raise too_large()
    text, encoding = decode(raw)
    values = {
        "file_name": file_name[-200:],
        "text": text,
        "encoding": encoding,
        "total": survey(text).total,
        "user": user,
        "address": address,
    }
    return _begin(**values)


def check_again() -> None:
    """Check the file that is kept once more. Raises FileRefused where none is."""
    _send("badges.tasks.check_import", _begin())


def too_large() -> FileRefused:
    """Refuse a file by its size."""
    sentence = gettext_noop("The file is larger than %(most)d MB: no list of badges is. Nothing was changed.")
    return FileRefused(sentence, most=LARGEST_FILE // 2**20)


@transaction.atomic
def _begin(**values: Any) -> int:
    """Let an import be checked from its beginning. Raises FileRefused while another is under way."""
    job = BadgeImport.get_solo()
    job = BadgeImport.objects.select_for_update().get(pk=job.pk)
    if job.state in STALLED_AFTER_S and not is_stalled(job):
        raise FileRefused(gettext_noop("Another import is under way: wait for its end, or stop it."))
    if not values.get("text", job.text):
        raise FileRefused(gettext_noop("The file is no longer kept. Choose it again."))
    run = job.run + 1
    ImportedRow.objects.all().delete()
    counts = dict.fromkeys(("done", *Outcome.values), 0)
    BadgeImport.objects.filter(pk=job.pk).update(
        run=run, state=ImportState.CHECKING, fault=[], heard_at=timezone.now(), **counts, **values
    )
    return int(run)


def _send(task: str, run: int) -> None:
    try:
        current_app.send_task(task, args=(run,), retry=False)
    except OperationalError:
        _stop(run, ImportState.CHECKING, ImportState.WRITING)
        raise FileRefused(
            gettext_noop(
                "The import could not begin: the broker does not answer. Nothing was changed. Try again in a minute."
            )
        ) from None


def check_on(*, run: int) -> bool:
    """Go on with checking a file for some seconds; False when that is over or was stopped."""
    job = BadgeImport.objects.filter(run=run, state=ImportState.CHECKING).first()
    if job is None:
        return False
    seen = survey(job.text)
    known = spellings(Badge.objects.values_list("id_tag", flat=True).iterator())
    rows = islice(read_rows(job.text, seen.heading), job.done, job.done + SLICE)
    while piece := list(islice(rows, PIECE)):
        if not _keep_judged(run, [*_judged(piece, seen, known)]):
            return False
    if job.done + SLICE < seen.total:
        return True
    checking = BadgeImport.objects.filter(run=run, state=ImportState.CHECKING)
    checking.update(state=ImportState.CHECKED, heard_at=timezone.now())
    return False


def _judged(rows: Sequence[Row], seen: Survey, known: dict[str, list[str]]) -> Iterator[ImportedRow]:
    """Judge rows by what they say, by the other rows, and by the badges there are."""
    today = timezone.localdate()
    judged = judge(rows, seen.heading.columns, is_month_first=seen.is_month_first)
    for row, found in zip(rows, judged, strict=True):
        faults = [*seen.faults_of(row), *found.faults]
        if faults:
            yield ImportedRow(line=row.line, outcome=Outcome.WRONG, after=row.cells, faults=faults)
            continue
        hints = list(_hints(found, seen, known, today))
        yield ImportedRow(line=row.line, outcome=found.outcome, after=found.after, before=found.before, hints=hints)


def _hints(found: Judged, seen: Survey, known: dict[str, list[str]], today: date) -> Iterator[Fault]:
    """Say what may be meant otherwise, though nothing is wrong."""
    number, expires_on = found.after["id_tag"], found.after["expires_on"]
    if found.outcome == Outcome.NEW and (digits := without_zeros(number)):
        others = {*known.get(digits, ()), *seen.spelt.get(digits, ())} - {number}
        if others:
            sentence = gettext_noop(
                "There is a badge %(others)s too, which differs only by zeros at the beginning: spreadsheets drop them."
            )
            yield sentence, {"others": listed(sorted(others))}
    is_new_day = found.outcome == Outcome.NEW or "expires_on" in found.before
    if is_new_day and expires_on and expires_on < today.isoformat():
        yield gettext_noop("This day has passed: the badge may not charge."), {}


@transaction.atomic
def _keep_judged(run: int, judged: list[ImportedRow]) -> bool:
    """Keep some rows and how far the import is; False where it is not wanted any more."""
    outcomes = [row.outcome for row in judged]
    counts = {name: F(name) + outcomes.count(name) for name in Outcome.values}
    checking = BadgeImport.objects.filter(run=run, state=ImportState.CHECKING)
    if not checking.update(done=F("done") + len(judged), heard_at=timezone.now(), **counts):
        return False
    ImportedRow.objects.bulk_create(judged)
    return True


def stop_import(*, run: int) -> None:
    """Stop an import that is not yet written, or put it away; the file can be checked again."""
    _stop(run, ImportState.CHECKING, ImportState.CHECKED)


def _stop(run: int, *states: ImportState) -> None:
    BadgeImport.objects.filter(run=run, state__in=states).update(state=ImportState.STOPPED)


# --- write


class BadgesChangedMeanwhile(Exception):
    """What the file was compared with is no longer so."""


def start_writing(*, run: int, leaves_out_wrong: bool, user: User | None, address: str | None) -> None:
    """Confirm an import and have the worker write it. Raises FileRefused with what keeps it from beginning."""
    confirm_import(run=run, leaves_out_wrong=leaves_out_wrong, user=user, address=address)
    _send("badges.tasks.write_import", run)


def confirm_import(*, run: int, leaves_out_wrong: bool, user: User | None, address: str | None) -> None:
    """Let what was checked be written. Raises FileRefused where rows are wrong, or this is not what was checked."""
    checked = BadgeImport.objects.filter(run=run, state=ImportState.CHECKED)
    if not leaves_out_wrong:
        checked = checked.filter(wrong=0)
    begun = checked.update(state=ImportState.WRITING, user=user, address=address, heard_at=timezone.now())
    if not begun:
        raise FileRefused(
            gettext_noop("Nothing was imported: rows are wrong, or the import has changed. Look at it again below.")
        )


def write_import(*, run: int) -> None:
    """Write all new and changed badges of a confirmed import, or none of them."""
    writing = BadgeImport.objects.filter(run=run, state=ImportState.WRITING)
    job = writing.select_related("user").first()
    if job is None:
        return
    try:
        with transaction.atomic():
            if writing.update(state=ImportState.DONE, text="", heard_at=timezone.now()):
                signed = {"group": f"badge import {run}", "note": NOTE, "user": job.user, "address": job.address}
                _write(signed)
                ImportedRow.objects.exclude(outcome=Outcome.WRONG).delete()
    except (BadgesChangedMeanwhile, IntegrityError):
        sentence = gettext_noop(
            "Badges were changed by someone else since the file was checked. Nothing was imported. Check it again."
        )
        writing.update(state=ImportState.REFUSED, fault=[sentence, {}])


def _write(signed: dict[str, Any]) -> None:
    """Write piece by piece, which takes little memory. Raises BadgesChangedMeanwhile, IntegrityError."""
    judged = ImportedRow.objects.order_by("line").values_list("after", "before")
    new = judged.filter(outcome=Outcome.NEW).iterator(PIECE)
    while piece := list(islice(new, PIECE)):
        _add([_values(after) for after, _before in piece], signed)
    changed = judged.filter(outcome=Outcome.CHANGED).iterator(PIECE)
    while piece := list(islice(changed, PIECE)):
        _change(piece, signed)


def _add(rows: list[dict[str, Any]], signed: dict[str, Any]) -> None:
    names = list(FIELDS.values())
    insert_many(Badge(), names, [[row[name] for name in names] for row in rows])
    added = badges_by_number([row["id_tag"] for row in rows])
    audit.record_together([(None, badge) for badge in added.values()], **signed)


def _change(rows: list[tuple[dict[str, Any], dict[str, Any]]], signed: dict[str, Any]) -> None:
    """Change what the preview said of each badge, and nothing else."""
    found = badges_by_number([after["id_tag"] for after, _before in rows], are_locked=True)
    pairs: list[tuple[Badge | None, Badge]] = []
    for now, was in rows:
        before = found.get(now["id_tag"].upper())
        if before is None or kept(before, was) != was:
            raise BadgesChangedMeanwhile
        after = copy.copy(before)
        for name, value in _values({name: now[name] for name in was}).items():
            setattr(after, name, value)
        pairs.append((before, after))
    update_many([after for _before, after in pairs], [name for name in FIELDS.values() if name != "id_tag"])
    audit.record_together(pairs, **signed)


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a badge from JSON."""
    day = fields.get("expires_on")
    return {**fields, "expires_on": date.fromisoformat(day)} if day else fields
