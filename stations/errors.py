"""Errors of this app."""

from collections.abc import Sequence


class StationsError(Exception):
    """The base of them."""


class StationRefused(StationsError):
    """A station may not connect; `status` is the HTTP status of the handshake."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StationPaused(StationRefused):
    """A station may not connect yet: it came with wrong passwords. It may again in `pause_s`."""

    def __init__(self, pause_s: float, message: str) -> None:
        super().__init__(429, message)
        self.pause_s = pause_s


class EditionFull(StationsError):
    """The edition has no room for as many stations."""


class StillCharging(StationsError):
    """A station is not deleted while a transaction runs there and nobody has said that it may end."""


class StationAway(StationsError):
    """A station cannot be told anything: no socket is open, or it closed before the answer."""


class CommandUnfit(StationsError):
    """A command cannot be asked of a station: no such operation, or a payload that its schema does not allow.

    `path` names the place in the payload; empty where none is to blame.
    """

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.path = path


class CommandGivenUp(StationsError):
    """Nobody waits for a command any longer: it must not be sent."""


class UnfitForTest(StationsError):
    """A station cannot be tested now; the message says what to do first."""


class CertificateRefused(StationsError):
    """A certificate is not signed; the message says what is wrong with the request."""


class NoAnswer(StationsError):
    """A station did not answer in time."""
