"""The badges a station knows by itself (OCPP 1.6 §3.5.2)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .link import Payload
from .timestamps import parse_time


class Entry(NamedTuple):
    """What the list says of a badge: an AuthorizationStatus, and until when (s since 1970), None: for ever."""

    status: str
    until: float | None


@dataclass(slots=True)
class LocalList:
    """The list of one station, as long as its configuration allows; badge numbers are compared without case."""

    version: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)

    def reported_version(self) -> int:
        """Answer GetLocalListVersion (§5.10): an empty list is version 0."""
        return self.version if self.entries else 0

    def update(self, payload: Payload, *, most: int, most_at_once: int) -> str:
        """Take the list whole or as changes (§5.15); returns the UpdateStatus. What does not fit changes nothing."""
        is_full = payload["updateType"] == "Full"
        if not is_full and payload["listVersion"] <= self.version:
            return "VersionMismatch"
        lines = payload.get("localAuthorizationList", [])
        if len(lines) > most_at_once or len({line["idTag"].upper() for line in lines}) < len(lines):
            return "Failed"
        entries = _changed({} if is_full else self.entries, lines)
        if len(entries) > most:
            return "Failed"
        self.entries, self.version = entries, payload["listVersion"]
        return "Accepted"

    def status(self, id_tag: str, now: float) -> str | None:
        """Tell what the list says of a badge; None: nothing."""
        entry = self.entries.get(id_tag.upper())
        if entry is None:
            return None
        return "Expired" if entry.until is not None and entry.until <= now else entry.status


def _changed(entries: dict[str, Entry], lines: Iterable[Payload]) -> dict[str, Entry]:
    entries = dict(entries)
    for line in lines:
        info = line.get("idTagInfo")
        if info is None:
            entries.pop(line["idTag"].upper(), None)
        else:
            until = parse_time(info["expiryDate"]) if "expiryDate" in info else None
            entries[line["idTag"].upper()] = Entry(info["status"], until)
    return entries
