"""What somebody should look after, of what the overview knows: stations that disobey, refuse, fail or are away."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from energy.allocation import ReasonCode
from energy.sessions import Condition, Occupancy, Place, Session
from stations.ocpp16.commands import NOT_OBEYED
from stations.reported_words import ERRORS, NO_ERROR, in_amperes, in_words, refusal_in_words

TRIES_ANOTHER_FORM = f"{NOT_OBEYED}:"  # of limit; where none is left, the remark says so instead of the colon


class Trouble(StrEnum):
    """What is wrong with a station, the gravest first."""

    DISOBEYS = "disobeys"
    REFUSES = "refuses"
    FAULT = "fault"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One trouble of one station; `drawn_a` where a car draws more than it was told."""

    trouble: Trouble
    place: Place
    drawn_a: float | None = None

    @property
    def level(self) -> str:
        """Give the look of its notice."""
        return "degraded" if self.trouble is Trouble.AWAY else "fault"

    @property
    def words(self) -> str:
        """Say what happened, what it means for charging and what to do, in the visitor's language."""
        row, name = self.place.row, self.place.name
        if self.trouble is Trouble.DISOBEYS and self.drawn_a is not None:
            sentence = _(
                "%(place)s does not obey: its car draws %(drawn)s A. The others get less instead. "
                "Stop this charging; if it happens again, restart the station."
            )
            return sentence % {"place": name, "drawn": in_amperes(self.drawn_a)}
        if self.trouble is Trouble.FAULT:
            return self._fault()
        if self.trouble is Trouble.AWAY:
            return self._absence()
        return _("%(subject)s: %(words)s") % {"subject": name, "words": refusal_in_words(row.refusal)}

    def _fault(self) -> str:
        row, name = self.place.row, self.place.name
        if row.error_code in ("", NO_ERROR):
            return _("%(place)s reports a fault. No car can charge there. Look at the station.") % {"place": name}
        sentence = _("%(place)s reports a fault: %(error)s. No car can charge there. Look at the station.")
        return sentence % {"place": name, "error": in_words(row.error_code, ERRORS)}

    def _absence(self) -> str:
        seen_at, name = self.place.row.station.last_seen_at, self.place.name
        if seen_at is None:
            return _(
                "%(place)s has not connected yet. It cannot be told what it may draw. Check its power and network."
            ) % {"place": name}
        sentence = _(
            "%(place)s is not connected, last heard %(moment)s. Current is kept free for a car that charges there. "
            "Check its power and network."
        )
        return sentence % {"place": name, "moment": date_format(timezone.localtime(seen_at), "j M H:i")}


def alarms_of(found: Occupancy) -> tuple[Alarm, ...]:
    """List what is wrong, the gravest first; a station with several connectors is away once."""
    order = list(Trouble)
    disobeying = list(_of_sessions(found.sessions))
    known = {alarm.place.row.pk for alarm in disobeying}
    others = [place for place in (*(row.at for row in found.sessions), *found.places) if place.row.pk not in known]
    return tuple(sorted([*disobeying, *_of_places(others)], key=lambda alarm: order.index(alarm.trouble)))


def _of_sessions(sessions: tuple[Session, ...]) -> Iterator[Alarm]:
    for session in sessions:
        if session.reason == ReasonCode.IGNORES_LIMIT:
            drawn_a = session.reason_params.get("drawn_a")
            yield Alarm(Trouble.DISOBEYS, session.at, float(drawn_a or 0))


def _of_places(places: Iterable[Place]) -> Iterator[Alarm]:
    away = set()
    for place in places:
        station = place.row.station
        if not station.is_connected:
            if station.pk not in away:
                yield Alarm(Trouble.AWAY, place)
            away.add(station.pk)
        elif place.condition is Condition.FAULT:
            yield Alarm(Trouble.FAULT, place)
        elif place.row.refusal and not place.row.refusal.startswith(TRIES_ANOTHER_FORM):
            yield Alarm(Trouble.REFUSES, place)
