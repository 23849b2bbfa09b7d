"""The lock-out: after some failures the next try has to wait, longer each time (docs/decisions/0008-sign-in.md).

A try is counted before its password is looked at, under a lock: tries sent at once cannot slip through together. What
counts is kept as keyed hashes, because people type passwords into the field for the name.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import SignInTries
from accounts.secrets import keyed_hash

FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_FOREIGN_PAUSE_S = 30, 3600, 60
QUIET = timedelta(days=1)  # without a try, after which failures are forgotten
KNOWN = timedelta(days=30)  # for how long who has come in counts as known there


@dataclass(frozen=True, slots=True)
class Count:
    """One thing that is counted: how many tries are free, and the longest pause after that."""

    scope: str
    free: int
    longest_s: int = LONGEST_PAUSE_S

    def key(self, *parts: str) -> str:
        """Name the row of this count."""
        return keyed_hash("\0".join((self.scope, *parts)))


PAIR = Count("name at address", 5)
ADDRESS = Count("address", 20)
NAME = Count("name", 50, LONGEST_FOREIGN_PAUSE_S)
TOKEN = Count("tokens from address", 5, LONGEST_FOREIGN_PAUSE_S)
KNOWN_TOKEN = Count("token at address", 0)


class TooManyTries(Exception):
    """The next try has to wait `wait_s` seconds; the message says so to people."""

    def __init__(self, wait_s: int) -> None:
        wait = (
            _("Too many attempts. Try again in %(seconds)s s.") % {"seconds": wait_s}
            if wait_s < 120
            else _("Too many attempts. Try again in %(minutes)s min.") % {"minutes": math.ceil(wait_s / 60)}
        )
        super().__init__(wait)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted as failed; `pair` is the row of this name at this address."""

    pair: str
    counted: dict[str, datetime | None]  # by key: until when it makes others wait


def pause_s(failures: int, count: Count) -> int:
    """Return how long (s) to wait after so many failures: none at first, then 30 s, 1 min, 2 min, …"""
    if failures < count.free:
        return 0
    return min(count.longest_s, FIRST_PAUSE_S << min(failures - count.free, 7))


def begin_try(*, username: str, address: str | None) -> Try:
    """Count one try of a name before its password or code is looked at. Raises TooManyTries; that try is not counted.

    A name that has come in from this address lately is held back by its own failures there alone: neither a guesser
    elsewhere nor one at the next desk locks it out.
    """
    network = _network(address)
    pair = PAIR.key(username, network)
    counts = {pair: PAIR}
    if not SignInTries.objects.filter(key=pair, succeeded_at__gt=timezone.now() - KNOWN).exists():
        counts |= {ADDRESS.key(network): ADDRESS, NAME.key(username): NAME}
    return Try(pair, _count(counts))


def pass_try(tried: Try) -> None:
    """Note that a try was right: this name's failures here are forgotten, those of other names from here are not."""
    _take_back(tried, is_right=True)


def return_try(tried: Try) -> None:
    """Uncount a try that was right so far: the second factor is still to come."""
    _take_back(tried, is_right=False)


def fail_token(*, address: str | None) -> None:
    """Count a wrong token. Raises TooManyTries."""
    _count({TOKEN.key(_network(address)): TOKEN})


def admit_token(*, token_hash: str, address: str | None) -> None:
    """Take a right token. Raises TooManyTries where wrong ones came from here, unless this one is known here."""
    now, network = timezone.now(), _network(address)
    known = KNOWN_TOKEN.key(token_hash, network)
    if SignInTries.objects.filter(key=known, succeeded_at__gt=now - KNOWN).exists():
        return
    _refuse_early(SignInTries.objects.filter(key=TOKEN.key(network)), now)
    SignInTries.objects.update_or_create(key=known, defaults={"tried_at": now, "succeeded_at": now})


def forget_old_tries() -> None:
    """Delete what holds nobody back and knows nobody any more."""
    now = timezone.now()
    quiet = SignInTries.objects.filter(tried_at__lt=now - QUIET)
    quiet.filter(succeeded_at=None).delete()
    quiet.filter(succeeded_at__lt=now - KNOWN).delete()


def _network(address: str | None) -> str:
    """Return what counts as one address: of IPv6 the /64, as one machine may take any address within it."""
    if address is None:
        return ""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _refuse_early(rows: Iterable[SignInTries], now: datetime) -> None:
    """Raise TooManyTries where one of the rows makes the next try wait.

    A pause that is longer than any began before the machine's clock was set back: it counts for nothing.
    """
    waits = [(row.paused_until - now).total_seconds() for row in rows if row.paused_until is not None]
    wait_s = max((wait for wait in waits if wait <= LONGEST_PAUSE_S), default=0)
    if wait_s > 0:
        raise TooManyTries(math.ceil(wait_s))


@transaction.atomic
def _count(counts: dict[str, Count]) -> dict[str, datetime | None]:
    """Add one failure to each count; return until when each makes the next try wait. Raises TooManyTries."""
    now = timezone.now()
    SignInTries.objects.bulk_create([SignInTries(key=key, tried_at=now) for key in counts], ignore_conflicts=True)
    rows = list(SignInTries.objects.select_for_update().filter(key__in=counts).order_by("key"))
    _refuse_early(rows, now)
    for row in rows:
        row.failures = 1 + (row.failures if row.tried_at > now - QUIET else 0)
        wait_s = pause_s(row.failures, counts[row.key])
        row.tried_at, row.paused_until = now, now + timedelta(seconds=wait_s) if wait_s else None
    SignInTries.objects.bulk_update(rows, ["failures", "tried_at", "paused_until"])
    return {row.key: row.paused_until for row in rows}


@transaction.atomic
def _take_back(tried: Try, *, is_right: bool) -> None:
    """Uncount a try, or all failures of its name at its address; a pause that it began itself ends."""
    rows = {
        row.key: row for row in SignInTries.objects.select_for_update().filter(key__in=tried.counted).order_by("key")
    }
    pair = rows[tried.pair]
    forgiven = pair.failures if is_right else 1
    for row in rows.values():
        row.failures = max(0, row.failures - forgiven)
        if row.paused_until == tried.counted[row.key]:
            row.paused_until = None
    if is_right:
        pair.succeeded_at = timezone.now()
    SignInTries.objects.bulk_update(rows.values(), ["failures", "paused_until", "succeeded_at"])
