"""Keep what the loop finds out about the lines of the meter (`energy.allocation.transformers`), and say it in words."""

import logging
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from energy.allocation import LinesFault
from energy.circuits import LINES
from energy.models import Meter
from stations.models import Connector
from stations.services import ask_to_decide

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinesAlarm:
    """What is wrong with the lines of the meter, for people; `stations` names whose cars showed it."""

    shifted: tuple[tuple[int, int], ...]
    turned: tuple[int, ...]
    stations: tuple[str, ...]
    is_certain: bool

    @property
    def level(self) -> str:
        """Give the look of its notice."""
        return "fault" if self.is_certain else "degraded"

    @property
    def words(self) -> str:
        """Say what happened, what it means for charging and what to do, in the visitor's language."""
        return " ".join([self._what(), self._meaning(), self._advice()])

    def _what(self) -> str:
        if self.turned:
            sentence = _("The meter falls on %(lines)s whenever the cars there take more (seen at %(stations)s).")
            return sentence % {"lines": _joined(LINES[line] for line in self.turned), "stations": self._stations()}
        moved = [_("%(line)s on %(shown)s") % {"line": LINES[a], "shown": LINES[b]} for a, b in self.shifted]
        sentence = _("What cars draw shows on another line of the meter: %(moved)s (seen at %(stations)s).")
        return sentence % {"moved": _joined(moved), "stations": self._stations()}

    def _meaning(self) -> str:
        if self.is_certain:
            return _("The meter cannot protect the fuse like this: its readings count for nothing.")
        return _("That current counts on the wrong line, which may carry too much.")

    def _advice(self) -> str:
        if self.turned:
            return _(
                "The current transformer there is the wrong way round: turn it, or swap its two wires, then say in the "
                "general settings that it is mended."
            )
        if self.is_certain:
            return _(
                "Current transformers are swapped: put each on its line, then say in the general settings that it is "
                "mended."
            )
        return _("Check the wiring of this station on its page, and the current transformers.")

    def _stations(self) -> str:
        return _joined(self.stations) or "–"


def _joined(words: Any) -> str:
    return ", ".join(words)


@transaction.atomic
def keep_lines_fault(*, fault: LinesFault | None) -> None:
    """Keep what the loop found, for people; None: all is well again."""
    kept = None
    if fault is not None:
        logger.warning("The lines of the meter do not fit what cars draw: %s", fault)
        kept = {
            "shifted": [list(pair) for pair in fault.shifted],
            "turned": list(fault.turned),
            "keys": list(fault.keys),
            "is_certain": fault.is_certain,
        }
    Meter.objects.update(lines_fault=kept)


@transaction.atomic
def look_again_at_lines() -> None:
    """Begin anew: somebody mended the transformers. The loop forgets what it found."""
    meter = Meter.get_solo()
    if meter.lines_fault is not None:
        Meter.objects.update(lines_fault=None)
        audit.record(meter, {}, note=gettext_noop("Its current transformers are said to be mended."))
        ask_to_decide()


def lines_alarm(meter: Meter) -> LinesAlarm | None:
    """Return what is wrong with the lines of the meter; None: nothing that is known."""
    kept = meter.lines_fault
    if not kept:
        return None
    connectors = Connector.objects.filter(pk__in=kept["keys"]).select_related("station")
    names = sorted({str(connector.station) for connector in connectors})
    shifted = tuple((int(line), int(shown)) for line, shown in kept["shifted"])
    return LinesAlarm(shifted, tuple(kept["turned"]), tuple(names), kept["is_certain"])
