"""Which form of a charging profile a station takes: the ladder of forms, and a station's place on it; pure.

No form works with every make. The forms are tried from the best to the last, at once when one is refused, and what
once worked stays the first choice.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stations.ocpp16.configuration import Capabilities
from stations.ocpp16.profiles import Purpose, Rung

KINDS = ("Absolute", "Relative")


class Role(StrEnum):
    """What a profile is for."""

    LIVE = "live"  # the limit of a running transaction
    STANDING = "standing"  # the fail-safe current


PURPOSES = {
    Role.LIVE: (Purpose.TRANSACTION, Purpose.DEFAULT, Purpose.STATION),
    Role.STANDING: (Purpose.DEFAULT,),
}


def ladder(can: Capabilities, role: Role) -> list[Rung]:
    """List the forms worth trying, the best first: purpose, then unit, then kind, then stack level.

    A limit of the whole station stands for that of a connector only where there is one connector. None is worth trying
    on a station that says it has no smart charging.
    """
    if can.has_smart_charging is False:
        return []
    return [
        Rung(purpose, unit, kind, level)
        for purpose in PURPOSES[role]
        if purpose is not Purpose.STATION or can.connectors == 1
        for unit in can.units
        for kind in KINDS
        for level in _levels(can, role, purpose)
    ]


def _levels(can: Capabilities, role: Role, purpose: Purpose) -> tuple[int, ...]:
    """List stack levels: 0 before the highest, which some report and then refuse.

    A live TxDefaultProfile goes above the standing one where there is room, so that it can be taken away again.
    """
    if purpose is Purpose.DEFAULT and role is not Role.STANDING and has_room(can):
        return tuple(dict.fromkeys((1, can.top_stack_level, 0)))
    return tuple(dict.fromkeys((0, can.top_stack_level)))


def has_room(can: Capabilities) -> bool:
    """Say whether a live TxDefaultProfile can lie above the standing one."""
    return can.top_stack_level > 0 and can.most_profiles != 1


def next_rung(can: Capabilities, failed: Collection[Rung], role: Role = Role.LIVE) -> Rung | None:
    """Return the best form that has not failed; None when all have."""
    return next((rung for rung in ladder(can, role) if rung not in failed), None)


def takes_place_of(live: Rung, standing: Rung | None) -> bool:
    """Say whether the live profile lies where the standing one does, so that each replaces the other (§3.13.2)."""
    return standing is not None and live.purpose is standing.purpose and live.stack_level <= standing.stack_level


@dataclass
class Climb:
    """A station's place on the ladder of one role.

    `is_exhausted` says that every form was refused: from then on one is tried each time a limit is sent. `disobeyed`
    are forms that were accepted and not kept; they are used again only when no other is left.
    """

    can: Capabilities
    role: Role
    proven: Rung | None = None
    failed: set[Rung] = field(default_factory=set)
    disobeyed: set[Rung] = field(default_factory=set)
    is_exhausted: bool = False
    unanswered: Rung | None = None

    def rung(self) -> Rung | None:
        """Return the form to send; None on a station that cannot be limited at all."""
        if self.proven is not None and self.proven not in self.failed:
            return self.proven
        kept = next_rung(self.can, self.failed | self.disobeyed, self.role)
        return kept or next_rung(self.can, self.failed, self.role)

    def accept(self, rung: Rung) -> None:
        """Note that a form was accepted; the first that ever was is the one remembered."""
        self.proven = self.proven or rung
        self.is_exhausted, self.unanswered = False, None
        if rung == self.proven:
            self.failed.clear()

    def refuse(self, *rungs: Rung) -> bool:
        """Note that forms were refused; returns whether another is to be tried at once."""
        self.failed.update(rungs)
        self.unanswered = None
        if self.rung() is None:
            self.failed.clear()
            self.is_exhausted = True
        return not self.is_exhausted

    def miss(self, rung: Rung) -> bool:
        """Note that a form stayed unanswered; returns whether to try at once: the same again, then the next.

        A station that is silent to one form is silent to it on every stack level, and three silences cost the socket.
        """
        if rung != self.unanswered and not self.is_exhausted:
            self.unanswered = rung
            return True
        return self.refuse(*(other for other in ladder(self.can, self.role) if other[:3] == rung[:3]), rung)

    def disobey(self, rung: Rung) -> bool:
        """Note that a form was accepted and not kept; returns whether another is to be tried at once.

        When none is left it goes on with the first.
        """
        self.disobeyed.add(rung)
        if self.proven == rung:
            self.proven = None
        return not self.is_disobeyed

    @property
    def is_disobeyed(self) -> bool:
        """Say whether the form in use was accepted and not kept, as were all others that the station takes."""
        return self.rung() in self.disobeyed

    @property
    def has_transaction_profile(self) -> bool:
        """Say whether a TxProfile was ever accepted, so that the transaction may hold one."""
        accepted = self.disobeyed if self.proven is None else {*self.disobeyed, self.proven}
        return any(rung.purpose is Purpose.TRANSACTION for rung in accepted)

    def begin(self) -> None:
        """Give the remembered form another chance: a new transaction begins."""
        if self.proven is not None:
            self.failed.clear()

    def dump(self) -> dict[str, Any]:
        """Put what must outlast the socket into JSON."""
        return {
            "proven": self.proven and list(self.proven),
            "failed": sorted(list(rung) for rung in self.failed),
            "disobeyed": sorted(list(rung) for rung in self.disobeyed),
            "is_exhausted": self.is_exhausted,
        }


def standing_climb(live: Climb, standing: Climb) -> Climb:
    """Return which place leads to the form of the standing current: the live one's where that limits the whole station.

    Next to such a limit a TxDefaultProfile would hold the live current down.
    """
    return live if live.proven is not None and live.proven.purpose is Purpose.STATION else standing


def restore(can: Capabilities, role: Role, kept: dict[str, Any]) -> Climb:
    """Make a climb of what `dump` gave, or of nothing; forms that are no longer on the ladder are forgotten."""
    on_ladder = {tuple(rung): rung for rung in ladder(can, role)}
    failed, disobeyed = (
        {on_ladder[tuple(rung)] for rung in kept.get(name, ()) if tuple(rung) in on_ladder}
        for name in ("failed", "disobeyed")
    )
    proven = on_ladder.get(tuple(kept.get("proven") or ()))
    return Climb(can, role, proven, failed, disobeyed, bool(kept.get("is_exhausted")))
