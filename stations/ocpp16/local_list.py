"""The local authorisation list: what a station holds, and what to send it next (OCPP 1.6 §3.5.2, §5.10, §5.15); pure.

A list is known by its digest. A station is brought from the list it holds to the one it is to hold in pieces, each with
a version of its own; what it acknowledged is kept, so that after a break the rest is sent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

ASK_VERSION, SEND = "GetLocalListVersion", "SendLocalList"
FULL, DIFFERENTIAL = "Full", "Differential"
NOT_SUPPORTED = frozenset({"NotSupported", "NotImplemented"})

MOST_REFUSALS = 2  # of one list: the second was of the whole
MOST_UNANSWERED = 3
MOST_IN_PIECE = 50  # a limit waits for one piece at most
PIECE_UNSAID, MOST_UNSAID = 20, 500
HIGHEST_VERSION = 2**30


class Entry(NamedTuple):
    """What a list says of a badge: an AuthorizationStatus, and when it ends (wire time, empty: never)."""

    id_tag: str
    status: str
    expires_at: str


Entries = Sequence[Entry]
"""A list; badge numbers are unique, whatever their case."""


class Change(NamedTuple):
    """One line of SendLocalList; `entry` None takes the badge out."""

    id_tag: str
    entry: Entry | None


class Changes(NamedTuple):
    """What makes one list into another; `is_full`: into it from whatever is held."""

    is_full: bool
    lines: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a station is. Lists are named by their digest.

    `version` is that of the last SendLocalList it answered. `held` None: not known. `target`: the list under way, of
    whose changes it took the first `taken`. `is_checked`: the version it reports is the one that is kept.
    `unanswered` and `refusals` count since the last success.
    """

    wanted: str
    version: int = 0
    held: str | None = None
    target: str | None = None
    taken: int = 0
    is_checked: bool = False
    is_supported: bool = True
    unanswered: int = 0
    refusals: int = 0
    error: str = ""

    @property
    def is_behind(self) -> bool:
        """Say whether there is something to ask or send."""
        return not self.is_checked or self.target is not None or self.held != self.wanted

    @property
    def is_given_up(self) -> bool:
        """Say whether the station is left alone."""
        return not self.is_supported or self.is_silent or self.refusals >= MOST_REFUSALS

    @property
    def is_silent(self) -> bool:
        """Say whether it was asked too often without an answer; it may restart because it is asked."""
        return self.unanswered >= MOST_UNANSWERED


class Call(NamedTuple):
    """What to ask of the station; `size`: how many changes it carries."""

    action: str
    payload: dict[str, Any]
    size: int = 0


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return a list in the one order in which it goes out, those who may charge first: a break is counted by it."""
    return sorted(entries, key=lambda entry: (entry.status != "Accepted", entry))


def digest_of(entries: Iterable[Entry]) -> str:
    """Name a list by what it says."""
    return sha256(repr(in_order(entries)).encode()).hexdigest()


EMPTY = digest_of(())


def changes_between(held: Entries | None, wanted: Entries) -> Changes:
    """Compare lists; what goes makes room first. An empty list is replaced whole, as one that is not known."""
    if not held:
        return Changes(True, [Change(entry.id_tag, entry) for entry in wanted])
    before, after = _by_number(held), _by_number(wanted)
    gone = [Change(entry.id_tag, None) for number, entry in before.items() if number not in after]
    new = [Change(entry.id_tag, entry) for number, entry in after.items() if before.get(number) != entry]
    return Changes(False, gone + new)


def _by_number(entries: Entries) -> Mapping[str, Entry]:
    return {entry.id_tag.upper(): entry for entry in entries}


def next_call(progress: Progress, changes: Callable[[str | None, str], Changes], size: int) -> tuple[Progress, Call]:
    """Decide what to ask of a station that is behind; returns it with the progress to keep before it is asked.

    `changes` gives what leads from one list, None: an unknown one, to another; `size`: changes in one call.
    """
    progress = replace(progress, unanswered=progress.unanswered + 1)
    if not progress.is_checked:
        return progress, Call(ASK_VERSION, {})
    if progress.target is None:
        progress = replace(progress, target=progress.wanted, taken=0)
    assert progress.target is not None
    is_full, lines = changes(progress.held, progress.target)
    piece = lines[progress.taken : progress.taken + size]
    payload = {
        "listVersion": progress.version + 1,
        "updateType": FULL if is_full and progress.taken == 0 else DIFFERENTIAL,
        "localAuthorizationList": [_on_wire(change) for change in piece],
    }
    return progress, Call(SEND, payload, len(piece))


def _on_wire(change: Change) -> dict[str, Any]:
    if change.entry is None:
        return {"idTag": change.id_tag}
    expiry = {"expiryDate": change.entry.expires_at} if change.entry.expires_at else {}
    return {"idTag": change.id_tag, "idTagInfo": {"status": change.entry.status, **expiry}}


def after_break(progress: Progress) -> Progress:
    """Go on after a call that stayed unanswered: the station may have done it, and says so by its version."""
    return replace(progress, is_checked=False) if progress.unanswered else progress


def after_answer(progress: Progress, call: Call, answer: Mapping[str, Any], length: int) -> Progress:
    """Take the answer to a call, for a CALLERROR its code as `status`; `length` is that of all changes on the way."""
    progress = replace(progress, unanswered=0)
    status = str(answer.get("status") or "an answer without a status")
    if status in NOT_SUPPORTED:
        return replace(progress, is_supported=False, error=f"{call.action}: {status}")
    if call.action == ASK_VERSION:
        if isinstance(version := answer.get("listVersion"), int):
            return _compare(progress, version)
        return _refuse(progress, f"{ASK_VERSION}: {status}")
    progress = replace(progress, version=progress.version + 1)
    if status != "Accepted":
        refused = _refuse(progress, f"{call.payload['updateType']}: {status}")
        return replace(refused, is_checked=status != "VersionMismatch")
    if progress.taken + call.size < length:
        return replace(progress, taken=progress.taken + call.size, is_checked=False)
    return replace(progress, held=progress.target, target=None, taken=0, refusals=0, error="")


def _compare(progress: Progress, version: int) -> Progress:
    """Compare the version a station reports: −1 not supported, 0 empty; another than expected: its list is not ours."""
    if version < 0:
        return replace(progress, is_supported=False, error=f"{ASK_VERSION}: {version}")
    progress = replace(progress, is_checked=True)
    highest_sent = progress.version + (progress.target is not None)  # whose answer may have been lost
    if version == 0:
        emptied = _refuse(progress, f"{SEND}: the list was emptied in the middle") if progress.taken else progress
        return replace(_lose(emptied, EMPTY), version=highest_sent)
    if version in (progress.version, highest_sent):
        return replace(progress, version=version)
    higher = max(highest_sent, version)
    return replace(_lose(progress, None), version=higher if higher < HIGHEST_VERSION else 0)


def _refuse(progress: Progress, error: str) -> Progress:
    """Count a refusal; the whole list is sent next."""
    return replace(_lose(progress, None), refusals=progress.refusals + 1, error=error)


def _lose(progress: Progress, held: str | None) -> Progress:
    return replace(progress, held=held, target=None, taken=0)


def forgotten(progress: Progress) -> Progress:
    """Begin anew: nothing is known of what the station holds, and nothing it refused counts."""
    return Progress(progress.wanted, version=progress.version)


def piece_size(said: int | None) -> int:
    """Return how many changes one call may carry, from SendLocalListMaxLength; None: not said."""
    return min(said or PIECE_UNSAID, MOST_IN_PIECE)
