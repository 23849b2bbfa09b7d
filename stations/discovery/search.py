"""The search for stations (SPEC S14): rounds of calling, asking and listening, a second at a time; other work goes on.

A station that starts while the search runs needs 60 to 90 s until it has an address: so long it goes on looking.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from ipaddress import IPv4Address

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from stations.discovery import lan, mdns
from stations.discovery.asking import ask
from stations.discovery.hosts import Host
from stations.discovery.joining import found_hosts, join_stations
from stations.models import StationSearch, StationSearchState, StationSearchStep

LASTS = timedelta(seconds=150)
STALLED_AFTER_S = 30.0
SLICE_S = 0.8
CALL_FOR_S = 0.6  # of a slice; the rest is for the answers
ASKED_AT_ONCE = 5
LISTENS = 8  # slices of a round
SEEN_MAX = 3000  # sightings; nobody in the building makes as many without meaning to


def is_stalled(search: StationSearch) -> bool:
    """Say whether a search that runs has not been heard of: what carried it is gone."""
    if search.state != StationSearchState.RUNNING:
        return False
    return search.heard_at is None or (timezone.now() - search.heard_at).total_seconds() > STALLED_AFTER_S


def elapsed_s(search: StationSearch) -> float:
    """Return how long a search has run."""
    return (timezone.now() - search.begun_at).total_seconds() if search.begun_at else 0.0


def start_search(*, others: str) -> None:
    """Begin a new search and have the worker do it; raises ValidationError with what keeps it from beginning."""
    run = begin_search(others=others)
    if run is None:
        return
    try:
        current_app.send_task("stations.tasks.search_stations", args=(run,), retry=False)
    except OperationalError:
        stop_search(run=run)
        message = _("The search could not begin: the broker does not answer. Try again in a minute.")
        raise ValidationError(message) from None


@transaction.atomic
def begin_search(*, others: str) -> int | None:
    """Keep that a search runs; returns its number, None while another one does. Raises ValidationError."""
    if not networks_of(others):
        message = _(
            "This machine is in no private network: connect it to that of the stations, or name other networks."
        )
        raise ValidationError(message)
    search = StationSearch.get_solo()
    if search.state == StationSearchState.RUNNING and not is_stalled(search):
        return None
    run, now = search.run + 1, timezone.now()
    begun = StationSearch.objects.filter(pk=search.pk, run=search.run).update(
        run=run,
        state=StationSearchState.RUNNING,
        others=others,
        step=StationSearchStep.CALL,
        place=0,
        seen=[],
        asked=[],
        has_multicast=True,
        begun_at=now,
        heard_at=now,
    )
    return run if begun else None


def networks_of(others: str) -> list[lan.Network]:
    """List the networks that are searched: the machine's own, then the others. Raises ValidationError."""
    own = lan.own_networks()
    known = {network.network for network in own}
    return own + [network for network in lan.other_networks(others) if network.network not in known]


def stop_search(*, run: int) -> None:
    """End this search, if it is the one that runs; what it found stays."""
    StationSearch.objects.filter(run=run, state=StationSearchState.RUNNING).update(state=StationSearchState.STOPPED)


def search_on(*, run: int) -> bool:
    """Go on with a search for about a second; False when it is over or was stopped."""
    running = StationSearch.objects.filter(run=run, state=StationSearchState.RUNNING)
    search = running.first()
    if search is None:
        return False
    networks = networks_of(search.others)
    seen = asyncio.run(_look(search, networks)) if networks else []
    known = {str(entry) for entry in search.seen}
    fresh = [entry for host in dict.fromkeys(seen) if str(entry := host.dump()) not in known]
    search.seen = (search.seen + fresh)[:SEEN_MAX]
    go_on(search, networks)
    is_over = not 0 <= elapsed_s(search) < LASTS.total_seconds()
    is_wanted = running.update(
        state=StationSearchState.FINISHED if is_over else StationSearchState.RUNNING,
        step=search.step,
        place=search.place,
        seen=search.seen,
        asked=search.asked,
        has_multicast=search.has_multicast,
        heard_at=timezone.now(),
    )
    if fresh:
        join_stations()
    return bool(is_wanted) and not is_over


# --- a slice


async def _look(search: StationSearch, networks: Sequence[lan.Network]) -> list[Host]:
    """Do what is next for one slice, and hear meanwhile what announces itself; returns what was seen."""
    seen: list[Host] = []
    own = [network for network in networks if network.own_ip]
    until_s = asyncio.get_running_loop().time() + SLICE_S
    async with AsyncExitStack() as stack:
        opened = stack.enter_context(lan.ears(own, seen))
        if own:
            try:
                await stack.enter_async_context(mdns.listening([network.own_ip for network in own], seen))
            except OSError:
                search.has_multicast = False
        if search.step == StationSearchStep.CALL:
            search.place = await _call(search.place, networks, opened, seen)
        elif search.step == StationSearchStep.ASK:
            ips = to_ask(search, networks)[:ASKED_AT_ONCE]
            pace = lan.Pace()
            seen += await asyncio.gather(*(ask(ip, pace) for ip in ips))
            search.asked += ips
        if search.step != StationSearchStep.ASK:
            await asyncio.sleep(until_s - asyncio.get_running_loop().time())
    with suppress(OSError):
        seen += lan.neighbours(network.interface for network in own)
    return seen


async def _call(
    place: int, networks: Sequence[lan.Network], opened: dict[lan.Network, lan.ArpEar], seen: list[Host]
) -> int:
    """Call addresses from this place of the list on, as many as the pace allows; returns the next place."""
    loop, pace = asyncio.get_running_loop(), lan.Pace()
    until_s = loop.time() + CALL_FOR_S
    addresses = _addresses(networks)
    if place == 0:
        lan.call_all_nodes(network.interface for network in networks if network.own_ip)
    touches = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        while place < len(addresses) and loop.time() < until_s:
            network, ip = addresses[place]
            place += 1
            if not network.own_ip:
                touches.append(asyncio.create_task(lan.touch(ip, pace)))
                await pace.take(0)
            elif network in opened:
                await pace.take(lan.ARP_COST)
                opened[network].ask(ip)
            else:
                await pace.take(lan.POKE_COST)
                lan.poke(sock, ip)
    seen += [host for host in await asyncio.gather(*touches) if host is not None]
    return place


def _addresses(networks: Sequence[lan.Network]) -> list[tuple[lan.Network, str]]:
    return [(network, ip) for network in networks for ip in network.addresses()]


def to_ask(search: StationSearch, networks: Sequence[lan.Network]) -> list[str]:
    """List the IPv4 addresses of hosts that were not asked in this round, and of which name or ports are not known.

    Addresses elsewhere are left out: anybody may announce any.
    """
    return [
        ip
        for host in found_hosts(search)
        for ip in host.ips
        if ":" not in ip
        and ip not in search.asked
        and not (host.names and host.ports)
        and any(IPv4Address(ip) in network.network for network in networks)
    ]


def go_on(search: StationSearch, networks: Sequence[lan.Network]) -> None:
    """Go over to the next step where this one is through."""
    if search.step == StationSearchStep.CALL and search.place >= len(_addresses(networks)):
        search.step, search.place, search.asked = StationSearchStep.ASK, 0, []
    elif search.step == StationSearchStep.LISTEN:
        search.place += 1
        if search.place >= LISTENS:
            search.step, search.place = StationSearchStep.CALL, 0
    if search.step == StationSearchStep.ASK and not to_ask(search, networks):
        search.step, search.place = StationSearchStep.LISTEN, 0
