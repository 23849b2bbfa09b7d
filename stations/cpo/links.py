"""The relays of this process, one for each link that it speaks for: begun and ended as the database has it.

It looks every two seconds: whoever changed something, also a site file, need not say so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography.fernet import InvalidToken
from django.conf import settings

from accounts.secrets import unseal
from stations.cpo.outbox import thin_out
from stations.cpo.relay import Relay, Terms
from stations.cpo.standing import links_to_serve
from stations.models import CpoLink
from stations.ocpp16.database import in_database
from stations.ocpp16.sockets import socket_of, stations_here

logger = logging.getLogger(__name__)

LOOK_EACH_S, THIN_OUT_EACH_S = 2.0, 60.0


@dataclass
class _Served:
    """A relay with its task."""

    relay: Relay
    task: asyncio.Task[None]


_served: dict[int, _Served] = {}
_by_station: dict[int, list[Relay]] = {}
_keeper: list[asyncio.Task[None]] = []


def start_relays() -> None:
    """Keep the relays of this process on this event loop."""
    loop = asyncio.get_running_loop()
    _keeper[:] = [loop.create_task(_keep(look, LOOK_EACH_S)), loop.create_task(_keep(thin_out_all, THIN_OUT_EACH_S))]


async def _keep(work: Callable[[], Awaitable[None]], each_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            logger.exception("The links to operators could not be kept; it is tried again")
        await asyncio.sleep(each_s)


async def thin_out_all() -> None:
    """Thin out the queues that are full: also of an operator that is connected and takes nothing."""
    for link_id in list(_served):
        dropped = await in_database(thin_out, link_id=link_id)
        if dropped:
            logger.warning("Link %s: %d MeterValues were dropped, for too many messages wait", link_id, dropped)


async def look() -> None:
    """Begin and end relays so that they are those the database asks for."""
    links = await in_database(links_to_serve, web_id=settings.WEB_ID, station_ids=stations_here())
    terms = {link.pk: terms_of(link) for link in links}
    await _end([pk for pk, served in _served.items() if served.task.done() or served.relay.terms != terms.get(pk)])
    for link in links:
        if link.pk not in _served:
            relay = Relay(terms[link.pk], partial(socket_of, link.station_id))
            _served[link.pk] = _Served(relay, asyncio.get_running_loop().create_task(relay.run()))
        _served[link.pk].relay.is_in_force = link.is_in_force
    _by_station.clear()
    for served in _served.values():
        _by_station.setdefault(served.relay.terms.station_id, []).append(served.relay)
    for link in links:
        socket = socket_of(link.station_id)
        if socket is not None:
            socket.tells_operator = True


async def end_relays() -> None:
    """End all of them."""
    for task in _keeper:
        task.cancel()
    await asyncio.gather(*_keeper, return_exceptions=True)
    await _end(list(_served))


async def _end(link_ids: list[int]) -> None:
    """End relays all at once: an operator that does not take leave holds up nobody but itself."""
    ending = [_served.pop(link_id) for link_id in link_ids]
    for served in ending:
        _by_station.pop(served.relay.terms.station_id, None)
        served.task.cancel()
    outcomes = await asyncio.gather(*(served.task for served in ending), return_exceptions=True)
    for served, outcome in zip(ending, outcomes, strict=True):
        if isinstance(outcome, Exception):
            logger.error("%s broke off; it begins again", served.relay.terms, exc_info=outcome)


def terms_of(link: CpoLink) -> Terms:
    """Put a link into the words of its relay."""
    server = link.server
    try:
        password = unseal(server.password_sealed) if server.password_sealed else ""
    except InvalidToken:
        password = None
    return Terms(
        link_id=link.pk,
        station_id=link.station_id,
        server_id=server.pk,
        url=server.url,
        identity=link.identity,
        password=password,
        ca_pem=server.ca_pem,
        barred=tuple(server.barred),
    )


def relay_of(station_id: int) -> Relay | None:
    """Return the relay of the operator who decides at a station now; None: no operator, or not in this process."""
    return next((relay for relay in relays_of(station_id) if relay.is_in_force), None)


def relays_of(station_id: int) -> Sequence[Relay]:
    """Return the relays of a station: besides the one in force those that still have something to tell."""
    return _by_station.get(station_id, ())


def station_changed(station_id: int) -> None:
    """Say that a station came or went."""
    for relay in relays_of(station_id):
        relay.station_changed()


def wake(station_id: int) -> None:
    """Say that something of a station waits to be told."""
    for relay in relays_of(station_id):
        relay.wake()
