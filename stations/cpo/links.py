"""The relays of this process, one for each link that it speaks for: begun and ended as the database has it.

It looks every two seconds: whoever changed something, also a site file, need not say so.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cryptography.fernet import InvalidToken
from django.conf import settings

from accounts.secrets import unseal
from stations.cpo.relay import Relay, Terms
from stations.cpo.standing import links_to_serve
from stations.models import CpoLink
from stations.ocpp16.database import in_database
from stations.ocpp16.sockets import socket_of, stations_here

logger = logging.getLogger(__name__)

LOOK_EACH_S = 2.0


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
    _keeper[:] = [asyncio.get_running_loop().create_task(_keep())]


async def _keep() -> None:
    while True:
        try:
            await look()
        except Exception:
            logger.exception("Could not look which stations have an operator")
        await asyncio.sleep(LOOK_EACH_S)


async def look() -> None:
    """Begin and end relays so that they are those the database asks for."""
    links = await in_database(links_to_serve, web_id=settings.WEB_ID, station_ids=stations_here())
    wanted = {link.pk: link for link in links}
    for link_id in [pk for pk, served in _served.items() if pk not in wanted or served.task.done()]:
        await _end(link_id)
    for link in links:
        terms = terms_of(link)
        if link.pk in _served and _served[link.pk].relay.terms != terms:
            await _end(link.pk)
        if link.pk not in _served:
            relay = Relay(terms, partial(socket_of, link.station_id))
            _served[link.pk] = _Served(relay, asyncio.get_running_loop().create_task(relay.run()))
        _served[link.pk].relay.is_in_force = is_in_force(link)
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
    for link_id in list(_served):
        await _end(link_id)


async def _end(link_id: int) -> None:
    served = _served.pop(link_id)
    _by_station.pop(served.relay.terms.station_id, None)
    served.task.cancel()
    (outcome,) = await asyncio.gather(served.task, return_exceptions=True)
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


def is_in_force(link: CpoLink) -> bool:
    """Say whether the station's next transaction belongs to this link."""
    station = link.station
    identity = station.cpo_identity or station.identity
    return station.is_cpo_enabled and (station.cpo_server_id, identity) == (link.server_id, link.identity)


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
