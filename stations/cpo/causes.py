"""Why an operator cannot be reached: from an error to a word that can be shown in any language; pure."""

import socket
import ssl
from enum import StrEnum

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from stations.errors import NoAnswer

LONGEST_DETAIL = 200


class Cause(StrEnum):
    """What stands between the load manager and an operator."""

    NONE = ""
    NOT_HEARD = "not_heard"  # the station itself never connected
    NAME = "name"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    TLS = "tls"
    REDIRECT = "redirect"
    PASSWORD = "password"
    IDENTITY = "identity"
    HTTP = "http"
    PROTOCOL = "protocol"
    CLOSED = "closed"
    SILENT = "silent"
    NONSENSE = "nonsense"
    ADDRESS = "address"
    AUTHORITY = "authority"
    KEY = "key"
    NETWORK = "network"


class StationNotHeard(Exception):
    """The station never connected: nobody knows what it is."""


class OperatorAway(Exception):
    """The operator cannot be asked now."""


class Nonsense(Exception):
    """An operator answered what OCPP does not know."""


class BadAuthority(Exception):
    """The certificate authority of an operator's server cannot be read."""


class BadKey(Exception):
    """The password of an operator's server was sealed with another key than this installation has."""


CAUSES: tuple[tuple[type[BaseException], Cause], ...] = (  # the first that fits counts
    (ssl.SSLCertVerificationError, Cause.CERTIFICATE),
    (ssl.SSLError, Cause.TLS),
    (socket.gaierror, Cause.NAME),
    (ConnectionRefusedError, Cause.REFUSED),
    (TimeoutError, Cause.TIMEOUT),
    (InvalidURI, Cause.ADDRESS),
    (InvalidHandshake, Cause.PROTOCOL),
    (ConnectionClosed, Cause.CLOSED),
    (OperatorAway, Cause.CLOSED),
    (StationNotHeard, Cause.NOT_HEARD),
    (NoAnswer, Cause.SILENT),
    (Nonsense, Cause.NONSENSE),
    (BadAuthority, Cause.AUTHORITY),
    (BadKey, Cause.KEY),
)
# Those whose words say all that the error does.
SAY_ALL = frozenset({Cause.NAME, Cause.REFUSED, Cause.TIMEOUT, Cause.NOT_HEARD, Cause.AUTHORITY, Cause.KEY})


def cause_of(error: BaseException) -> tuple[Cause, str]:
    """Say why, with what goes with it."""
    if isinstance(error, OperatorAway) and error.__cause__ is not None:
        return cause_of(error.__cause__)
    if isinstance(error, InvalidStatus):
        return _cause_of_status(error.response.status_code)
    cause = next((cause for kind, cause in CAUSES if isinstance(error, kind)), Cause.NETWORK)
    return cause, "" if cause in SAY_ALL else _detail_of(error)[:LONGEST_DETAIL]


def _detail_of(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or ""
    if isinstance(error, ConnectionClosed):
        return f"{error.rcvd.code} {error.rcvd.reason}".strip() if error.rcvd is not None else ""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _cause_of_status(status: int) -> tuple[Cause, str]:
    if 300 <= status < 400:
        return Cause.REDIRECT, str(status)
    known = {401: Cause.PASSWORD, 403: Cause.PASSWORD, 404: Cause.IDENTITY}
    return known.get(status, Cause.HTTP), str(status)
