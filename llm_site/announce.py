"""Announce the load manager's name on the network (mDNS, RFC 6762; SPEC S2): `python -m llm_site.announce`.

A process of its own: where multicast is not possible it says so, tries again each minute, and nothing else suffers.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import django
from zeroconf import AddressResolver, Error, IPVersion, ServiceInfo  # type: ignore[attr-defined]  # not in __all__
from zeroconf.asyncio import AsyncZeroconf

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
django.setup()

from django.conf import settings  # noqa: E402 (needs the apps loaded)

from llm_site.system.identity import host_name  # noqa: E402
from stations.addresses import addresses  # noqa: E402

logger = logging.getLogger(__name__)

SERVICE = "_http._tcp.local."
LOOK_EACH_S, AGAIN_AFTER_S = 10.0, 60.0
ASK_FOR_MS = 1000
MOST_NAMES = 20


async def announce(name: str, find_addresses: Callable[[], list[str]], stopped: asyncio.Event) -> None:
    """Announce a host name, anew when the addresses change; say goodbye when it is stopped."""
    while not stopped.is_set():
        own = find_addresses()
        try:
            await _announce_until_changed(name, own, find_addresses, stopped)
        except (OSError, Error) as error:
            logger.warning("The name cannot be announced on the network (%s); by address all goes on", error)
            await _wait(stopped, AGAIN_AFTER_S)


async def _announce_until_changed(
    name: str, own: list[str], find_addresses: Callable[[], list[str]], stopped: asyncio.Event
) -> None:
    over = [address for address in own if ip_address(address).version == 4]
    if not over:
        await _wait(stopped, LOOK_EACH_S)
        return
    zeroconf = AsyncZeroconf(interfaces=over, ip_version=IPVersion.V4Only)
    try:
        free = await _free_name(zeroconf, name, own)
        info = _service(free, own)
        await (await zeroconf.async_register_service(info, allow_name_change=True))
        logger.info("Announced as %s.local at %s", free, ", ".join(own))
        while not stopped.is_set() and find_addresses() == own:
            await _wait(stopped, LOOK_EACH_S)
    finally:
        await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()


async def _free_name(zeroconf: AsyncZeroconf, name: str, own: list[str]) -> str:
    """Return the name, or one with a number where another machine answers to it."""
    for number in range(1, MOST_NAMES):
        wanted = name if number == 1 else f"{name}-{number}"
        asked = AddressResolver(f"{wanted}.local.")
        await asked.async_request(zeroconf.zeroconf, ASK_FOR_MS)
        others = set(asked.parsed_addresses()) - set(own)
        if not others:
            return wanted
        logger.warning("%s.local is the name of %s already: another is taken", wanted, ", ".join(sorted(others)))
    raise OSError(f"{MOST_NAMES} names beginning with {name} are taken")


def _service(name: str, own: list[str]) -> ServiceInfo:
    """Describe the pages, and in the text record where stations connect."""
    text = {"path": "/", "version": settings.VERSION, "ocpp": f"ws:{settings.PORT}/ocpp/"}
    if settings.TLS_CERT:
        text["ocpps"] = f"wss:{settings.TLS_PORT}/ocpp/"
    return ServiceInfo(
        SERVICE,
        f"Local Load Manager {name}.{SERVICE}",
        parsed_addresses=own,
        port=settings.PORT,
        properties=text,
        server=f"{name}.local.",
    )


async def _wait(stopped: asyncio.Event, longest_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await stopped.wait()


async def _main(name: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await announce(name, lambda: [known.ip for known in addresses()], stopped)


if __name__ == "__main__":
    asyncio.run(_main(host_name()))
