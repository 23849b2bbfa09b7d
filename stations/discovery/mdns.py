"""Ask what announces itself on the network (mDNS and DNS-SD, RFC 6762 and 6763)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from zeroconf import DNSQuestionType, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from stations.discovery.hosts import Host, first_label
from stations.discovery.makers import SERVICES

RESOLVE_MS = 500


@asynccontextmanager
async def listening(own_ips: Sequence[str], seen: list[Host]) -> AsyncIterator[None]:
    """Browse while this lasts, over the interfaces that have these addresses; what answers is added to `seen`.

    Answers are asked for by multicast: a unicast one might go to the process that announces the load manager, which
    listens on the same port. Raises OSError where multicast is not possible.
    """
    zeroconf = AsyncZeroconf(interfaces=list(own_ips), ip_version=IPVersion.V4Only)
    resolving: set[asyncio.Task[None]] = set()

    def changed(service_type: str, name: str, state_change: ServiceStateChange, **_others: Any) -> None:
        if state_change != ServiceStateChange.Removed:
            task = asyncio.create_task(_resolve(zeroconf, service_type, name, seen))
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


async def _resolve(zeroconf: AsyncZeroconf, service_type: str, name: str, seen: list[Host]) -> None:
    """Find out whose service it is."""
    info = AsyncServiceInfo(service_type, name)
    if await info.async_request(zeroconf.zeroconf, RESOLVE_MS) and info.server:
        ips = tuple(text.partition("%")[0] for text in info.parsed_addresses())
        seen.append(Host(ips=ips, names=(first_label(info.server),), services=(service_type,)))
