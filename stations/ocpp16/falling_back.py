"""Whether a station falls back to its standing current by itself when a limit runs out, by what is drawn; pure."""

from enum import StrEnum

from stations.ocpp16.obeying import TOLERANCE, TOLERANCE_A

ROOM_A = 3.0  # what a car must draw above the standing current, so that a fall shows


class Finding(StrEnum):
    """How a test ended; only the first two say something about the station."""

    PASSED = "passed"
    STAYED = "stayed"  # it went on above the standing current
    NO_ROOM = "no_room"  # its form of limit has no end below which the standing current lies
    REFUSED = "refused"  # it does not take a limit with an end
    NOT_MEASURED = "not_measured"  # it said nothing in time
    NOT_BACK = "not_back"  # the car drew no more afterwards: it may have stopped by itself
    NEEDED = "needed"  # the building needed the current
    ENDED = "ended"  # the charging or the connection ended
    STOPPED = "stopped"  # a person ended it


def least_draw(standing_a: float) -> float:
    """Return what a car must draw, A, for a fall to the standing current to be seen."""
    return standing_a + ROOM_A


def has_fallen(drawn_a: float, standing_a: float) -> bool:
    """Say whether what is drawn, A on the highest phase, is the standing current or less."""
    return drawn_a <= standing_a * (1 + TOLERANCE) + TOLERANCE_A


def is_back(drawn_a: float, standing_a: float) -> bool:
    """Say whether more is drawn again than the standing current explains."""
    return not has_fallen(drawn_a, standing_a)
