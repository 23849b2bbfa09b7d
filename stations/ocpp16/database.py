"""Services called from sockets: one thread with one kept connection, and one commit for all that wait.

Django's own bridge closes the connection round each call and shares its thread with every page. A commit costs
milliseconds of disk, and a thousand stations may come back at once: calls that arrive while a commit runs share the
next. Each keeps a savepoint of its own, so none suffers from another, and returns when it is on disk.
"""

import asyncio
import contextvars
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from functools import partial
from itertools import islice
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_AT_ONCE = 100
LONGEST_BATCH_S = 0.025
AWAY_RETRY_S, AWAY_AT_MOST_S = 0.5, 60.0

Service = Callable[[], Any]
Outcome = tuple[Any, Exception | None]

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocpp-database")
_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, deque[tuple[Service, asyncio.Future[Any]]]] = WeakKeyDictionary()
_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


async def in_database(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a service in the database thread, in the caller's time zone; return what it returns once that is on disk."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    waiting = _waiting.setdefault(loop, deque())
    in_zone = partial(_in_zone, timezone.get_current_timezone(), partial(service, *args, **kwargs))
    waiting.append((partial(contextvars.copy_context().run, in_zone), done))
    if loop not in _writers or _writers[loop].done():
        _writers[loop] = loop.create_task(_write(waiting))
    return await done


def _in_zone(zone: tzinfo, service: Callable[[], T]) -> T:
    """Run a service in a time zone: Django keeps the current one per thread, whatever the context brings along."""
    with timezone.override(zone):
        return service()


async def _write(waiting: deque[tuple[Service, asyncio.Future[Any]]]) -> None:
    """Run what waits, as much at once as has gathered, until nothing does; while the database is away, it waits on."""
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    while waiting:
        services = [service for service, _ in islice(waiting, MOST_AT_ONCE)]
        outcomes = await loop.run_in_executor(_thread, _run, services)
        if outcomes:
            away_since = None
        elif away_since is None:
            away_since = loop.time()
            logger.error("The database is away: what stations say waits for it")
        elif loop.time() - away_since > AWAY_AT_MOST_S:
            outcomes = [(None, OperationalError("the database is away"))] * len(waiting)
        if not outcomes:
            await asyncio.sleep(AWAY_RETRY_S)
        for value, error in outcomes:
            _, done = waiting.popleft()
            if done.done():
                continue
            if error is None:
                done.set_result(value)
            else:
                done.set_exception(error)


def _run(services: list[Service]) -> list[Outcome]:
    """Run services, the first at least, in one transaction; each alone where that breaks: services may be repeated.

    Returns fewer outcomes, or none, where the database is away.
    """
    try:
        return _together(services)
    except (InterfaceError, OperationalError):
        connection.close()
    except Exception:
        logger.exception("A commit of up to %d calls failed; each is tried alone", len(services))
    outcomes: list[Outcome] = []
    for service in services:
        outcome = _alone(service)
        if isinstance(outcome[1], InterfaceError | OperationalError) and _is_away():
            break
        outcomes.append(outcome)
    return outcomes


def _is_away() -> bool:
    """Say whether the database takes no writes now, whoever asks."""
    connection.close()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (InterfaceError, OperationalError):
        return True
    return False


def _together(services: list[Service]) -> list[Outcome]:
    """Run services in one transaction, as many as fit into its time."""
    outcomes: list[Outcome] = []
    until = time.monotonic() + LONGEST_BATCH_S
    with transaction.atomic():
        for service in services:
            outcomes.append(_within(service))
            if time.monotonic() > until:
                break
    return outcomes


def _within(service: Service) -> Outcome:
    """Run one service of a batch; what it raises undoes its own work only. Raises what says that the database broke."""
    try:
        with transaction.atomic():
            return service(), None
    except (InterfaceError, OperationalError):
        raise
    except Exception as error:  # whatever it is, it is for whoever asked
        return None, error


def _alone(service: Service) -> Outcome:
    """Run one service in its own transaction."""
    try:
        return service(), None
    except Exception as error:
        return None, error


def close_database() -> None:
    """Close the kept connection."""
    _thread.submit(lambda: connection.close()).result()
