"""What a station says that the schemas do not know: understood as well as it can be, and logged once.

A message that fits costs 2 µs. One action of one station that goes on not to fit in ways that are known already is
looked at no more, so that an odd station costs nothing either.
"""

import logging
from dataclasses import dataclass, field

from stations.ocpp16 import schemas
from stations.ocpp16.blanking import frame_without_secrets

logger = logging.getLogger(__name__)

MOST_KINDS = 10
LOOKS = 20


@dataclass(slots=True)
class _Known:
    """The complaints about one action of one station, and how many more messages that do not fit are looked at."""

    kinds: set[str] = field(default_factory=set)
    looks_left: int = LOOKS


_known: dict[tuple[int, str], _Known] = {}


def note(station_id: int, identity: str, action: str, payload: object) -> None:
    """Log what is odd about a message, once for each station, action and part of the schema."""
    known = _known.get((station_id, action))
    if (known is not None and not known.looks_left) or schemas.fits(action, payload):
        return
    if known is None:
        known = _known[station_id, action] = _Known()
    known.looks_left -= 1
    for kind, complaint in schemas.complaints(action, payload):
        if kind not in known.kinds and len(known.kinds) < MOST_KINDS:
            known.kinds.add(kind)
            known.looks_left = LOOKS
            said = frame_without_secrets(complaint)
            logger.info("%s: %s: %.200s (said once; read as well as it can be)", identity, action, said)
