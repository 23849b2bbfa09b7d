"""The name on the network, with a real browser of services; all of it over loopback."""

import asyncio
import gc
import os
from contextlib import asynccontextmanager

import pytest
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from llm_site.announce import SERVICE, announce

LOOPBACK = "127.0.0.1"
NAME = f"hager-llm-{os.getpid()}"  # others may test at the same time
WITHIN_S = 20


class Listener:
    """A program that looks for services, over loopback alone."""

    def __init__(self):
        self.zeroconf = AsyncZeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
        self.changes = asyncio.Queue()
        self.browser = AsyncServiceBrowser(self.zeroconf.zeroconf, SERVICE, handlers=[self._changed])

    def _changed(self, zeroconf, service_type, name, state_change):  # noqa: ARG002 (zeroconf's interface)
        if NAME in name:
            self.changes.put_nowait((name, state_change))

    async def next(self, wanted):
        async with asyncio.timeout(WITHIN_S):
            while True:
                name, change = await self.changes.get()
                if change == wanted:
                    return name

    async def close(self):
        await self.browser.async_cancel()
        await self.zeroconf.async_close()


@asynccontextmanager
async def announced(find_addresses=lambda: [LOOPBACK]):
    stopped = asyncio.Event()
    task = asyncio.create_task(announce(NAME, find_addresses, stopped))
    try:
        yield stopped
    finally:
        stopped.set()
        await task


@pytest.fixture
async def listener():
    found = Listener()
    yield found
    await found.close()


async def test_it_is_found_with_its_ports_and_says_goodbye(listener, settings):
    settings.PORT, settings.TLS_CERT = 8123, ""
    async with announced():
        name = await listener.next(ServiceStateChange.Added)
        info = AsyncServiceInfo(SERVICE, name)
        assert await info.async_request(listener.zeroconf.zeroconf, 3000)
        assert info.server == f"{NAME}.local."
        assert info.parsed_addresses() == [LOOPBACK]
        assert info.port == 8123
        assert info.decoded_properties["path"] == "/"
        assert info.decoded_properties["ocpp"] == "ws:8123/ocpp/"
        assert "ocpps" not in info.decoded_properties
    assert await listener.next(ServiceStateChange.Removed) == name


async def test_a_name_that_another_machine_has_is_numbered(listener, caplog, monkeypatch):
    monkeypatch.setattr("llm_site.announce.ASK_FOR_MS", 3000)  # the other one answers late where much else runs
    other = AsyncServiceInfo(
        SERVICE, f"other.{SERVICE}", parsed_addresses=["192.0.2.7"], port=80, server=f"{NAME}.local."
    )
    await (await listener.zeroconf.async_register_service(other))
    async with announced():
        name = await listener.next(ServiceStateChange.Added)
        info = AsyncServiceInfo(SERVICE, name)
        assert await info.async_request(listener.zeroconf.zeroconf, 3000)
        assert info.server == f"{NAME}-2.local."
    assert "192.0.2.7" in caplog.text


async def test_a_new_address_is_announced(listener, monkeypatch):
    monkeypatch.setattr("llm_site.announce.LOOK_EACH_S", 0.05)
    own = [LOOPBACK]
    async with announced(lambda: list(own)):
        name = await listener.next(ServiceStateChange.Added)
        own.append("2001:db8::9")
        await listener.next(ServiceStateChange.Removed)
        assert await listener.next(ServiceStateChange.Added) == name
        info = AsyncServiceInfo(SERVICE, name)
        assert await info.async_request(listener.zeroconf.zeroconf, 3000)
        assert set(info.parsed_addresses()) >= {LOOPBACK, "2001:db8::9"}


# zeroconf leaves the sockets of an attempt that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_where_it_cannot_announce_it_says_so_and_goes_on(caplog, monkeypatch):
    monkeypatch.setattr("llm_site.announce.AGAIN_AFTER_S", 0.01)
    tried = asyncio.Event()

    def nowhere():
        if "cannot be announced" in caplog.text:
            tried.set()
        return ["192.0.2.1"]  # an address this machine does not have

    async with announced(nowhere):
        async with asyncio.timeout(WITHIN_S):
            await tried.wait()
    caplog.clear()
    gc.collect()


async def test_without_an_address_it_waits_for_one(listener, monkeypatch):
    monkeypatch.setattr("llm_site.announce.LOOK_EACH_S", 0.01)
    answers = iter([[], []])
    async with announced(lambda: next(answers, [LOOPBACK])):
        assert NAME in await listener.next(ServiceStateChange.Added)
