"""Wrong passwords of stations: who comes with several in a row has to wait before the next is looked at.

Counted for one identity from one address: whoever guesses keeps out neither the station itself, which comes from
elsewhere, nor those behind the same address. A connection without a password is no guess: some stations send theirs
only when they are asked for it. Each web process counts by itself.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from stations.connections import note_guessing
from stations.errors import StationPaused, StationRefused
from stations.models import Station
from stations.ocpp16.database import in_database
from stations.ocpp16.handshake import Offer
from stations.services import admit_station

WRONG_IN_A_ROW = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
FORGOTTEN_AFTER_S = 600.0
MOST_KEPT = 10_000

Source = tuple[str, str | None]
"""An identity, in one case, and the address it came from."""


@dataclass(slots=True)
class _Record:
    """What came from one source: wrong passwords in a row, the last of them when, tries under way, end of the pause."""

    wrong: int = 0
    wrong_at: float = 0.0
    trying: int = 0
    paused_until: float = 0.0


class Guesses:
    """Counts the wrong passwords of each source; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[Source, _Record] = OrderedDict()

    def begin(self, source: Source) -> float:
        """Let a password be looked at, and return 0; else the seconds to wait. What was begun is to be ended.

        Those under way count as wrong until they have ended: many at once are no way round.
        """
        record = self._records.get(source)
        now = self._clock()
        if record is None or (not record.trying and now - record.wrong_at > FORGOTTEN_AFTER_S):
            record = self._records[source] = _Record()
            if len(self._records) > MOST_KEPT:
                self._records.popitem(last=False)
        may_try = now >= record.paused_until and not record.trying
        if record.wrong + record.trying < WRONG_IN_A_ROW or may_try:
            record.trying += 1
            return 0.0
        return max(record.paused_until - now, 1.0)

    def end(self, source: Source, *, is_wrong: bool | None) -> tuple[int, float]:
        """Note what came of a password, None: nothing; returns how many were wrong in a row, and the pause, s."""
        record = self._records.get(source)
        if record is None:
            return 0, 0.0
        record.trying = max(0, record.trying - 1)
        if not is_wrong:
            record.wrong = 0 if is_wrong is False else record.wrong
            if not record.trying and not record.wrong:
                del self._records[source]
            return 0, 0.0
        record.wrong, record.wrong_at = record.wrong + 1, self._clock()
        if record.wrong < WRONG_IN_A_ROW:
            return record.wrong, 0.0
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(record.wrong - WRONG_IN_A_ROW, 10), LONGEST_PAUSE_S)
        record.paused_until = record.wrong_at + pause_s
        return record.wrong, pause_s


_guesses = Guesses()


async def admit(identity: str, offer: Offer, socket_id: str) -> Station:
    """Let a station in as `admit_station` does, but look at no password while its source has to wait.

    Raises StationPaused then, and StationRefused.
    """
    if offer.password is None:
        return await in_database(admit_station, identity=identity, offer=offer, socket_id=socket_id)
    source = identity.casefold(), offer.ip_address
    wait_s = _guesses.begin(source)
    if wait_s:
        raise StationPaused(wait_s, f"{identity}: too many wrong passwords: try again in {wait_s:.0f} s")
    try:
        station = await in_database(admit_station, identity=identity, offer=offer, socket_id=socket_id)
    except BaseException as error:
        is_wrong = isinstance(error, StationRefused) and error.status == 401
        count, pause_s = _guesses.end(source, is_wrong=is_wrong or None)
        if not pause_s:
            raise
        if count == WRONG_IN_A_ROW:
            await in_database(note_guessing, identity=identity, address=offer.ip_address, count=count)
        begun = f"{count} times in a row from {offer.ip_address}, no other is looked at for {pause_s:.0f} s"
        raise StationRefused(401, f"{error}: {begun}") from None
    _guesses.end(source, is_wrong=False)
    return station
