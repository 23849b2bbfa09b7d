"""Services called from sockets: one thread with one kept connection, so that a message costs no new connection.

Django's own bridge closes the connection round each call and shares its thread with every page.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocpp-database")


async def in_database(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a service in the database thread and return what it returns."""
    context = contextvars.copy_context()
    run = partial(context.run, _call, partial(service, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_thread, run)


def _call(service: Callable[[], T]) -> T:
    """Call a service, once more on a fresh connection where the kept one broke: services may be repeated."""
    try:
        return service()
    except (InterfaceError, OperationalError):
        connection.close()
        return service()


def close_database() -> None:
    """Close the kept connection."""
    _thread.submit(lambda: connection.close()).result()
