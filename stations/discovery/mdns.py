"""Ask what announces itself on the network (mDNS and DNS-SD, RFC 6762 and 6763)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from zeroconf import DNSQuestionType, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from stations.discovery.hosts import Host, first_label
from stations.discovery.lan import Pace
from stations.discovery.makers import SERVICES

RESOLVE_MS = 500
QUESTIONS_PER_S = 20.0  # of the 200 packets that a search may send, what `lan.PACKETS_PER_S` leaves
RESOLVE_COST = 2  # who is asked whose a service is may be asked again
MOST_ADDRESSES = 8  # of one host


@asynccontextmanager
async def listening(own_ips: Sequence[str], seen: list[Host]) -> AsyncIterator[None]:
    """Browse while this lasts, over the interfaces that have these addresses; what answers is added to `seen`.

    Answers are asked for by multicast: a unicast one might go to the process that announces the load manager, which
    listens on the same port. Raises OSError where multicast is not possible.
    """
    zeroconf = AsyncZeroconf(interfaces=list(own_ips), ip_version=IPVersion.V4Only)
    resolving: set[asyncio.Task[None]] = set()
    pace = Pace(QUESTIONS_PER_S)

    def changed(service_type: str, name: str, state_change: ServiceStateChange, **_others: Any) -> None:
        if state_change != ServiceStateChange.Removed:
            task = asyncio.create_task(_resolve(zeroconf, service_type, name, seen, pace))
            resolving.add(task)
            task.add_done_callback(resolving.discard)

    browser = AsyncServiceBrowser(
        zeroconf.zeroconf, list(SERVICES), handlers=[changed], question_type=DNSQuestionType.QM
    )
    try:
        yield
    finally:
        await browser.async_cancel()
        for task in resolving:
            task.cancel()
        await asyncio.gather(*resolving, return_exceptions=True)
        await zeroconf.async_close()


async def _resolve(zeroconf: AsyncZeroconf, service_type: str, name: str, seen: list[Host], pace: Pace) -> None:
    """Find out whose service it is; asks only where the announcement did not say."""
    info = AsyncServiceInfo(service_type, name)
    is_known = info.load_from_cache(zeroconf.zeroconf)
    if not is_known:
        await pace.take(RESOLVE_COST)
        is_known = await info.async_request(zeroconf.zeroconf, RESOLVE_MS)
    if is_known and info.server:
        ips = tuple(text.partition("%")[0] for text in info.parsed_addresses()[:MOST_ADDRESSES])
        seen.append(Host(ips=ips, names=(first_label(info.server),), services=(service_type,)))
