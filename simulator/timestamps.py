"""Turn unix seconds into the timestamps of OCPP and back."""

from datetime import UTC, datetime


def format_time(unix_s: float) -> str:
    """Write a time as OCPP 1.6 wants it: ISO 8601 in UTC, with milliseconds and a Z."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Read an ISO 8601 time as unix seconds; without a zone it is UTC.

    Raises ValueError for anything else.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
