"""The overview as server-sent events: one computation a second for all visitors of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import orjson
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.sessions import is_open
from energy.dashboard import GROUP, Overview, compute_overview
from stations.addresses import addresses_to_enter

PERIOD_S = 1.0
SILENCE_S = 15.0
RIGHT_CHECK_S = 5.0  # a restricted page closes at most that long after its session has ended
STREAM_LIFE_S = 600.0  # the browser comes back by itself, and its right to look is checked again


@dataclass(frozen=True, slots=True)
class Viewer:
    """What makes the page of one visitor different from another's."""

    language: str
    host: str
    is_secure: bool
    is_signed_in: bool
    may_approve: bool
    may_configure: bool
    may_command: bool = False
    wired_otherwise: int = 0

    @property
    def ocpp_addresses(self) -> list[str]:
        """List the addresses of which a station is to be set to one, without its identity."""
        return addresses_to_enter(self.host, is_secure=self.is_secure)


@dataclass(slots=True)
class Frame:
    """The overview of one second: computed once, rendered once for each kind of visitor."""

    taken_at: float
    overview: asyncio.Task[Overview]
    html: dict[Viewer, asyncio.Task[str]] = field(default_factory=dict)


_is_open = database_sync_to_async(is_open, thread_sensitive=False)
_newest: WeakKeyDictionary[asyncio.AbstractEventLoop, Frame] = WeakKeyDictionary()


def newest_frame() -> Frame:
    """Give the frame of this second, starting its computation where nobody has."""
    loop = asyncio.get_running_loop()
    frame = _newest.get(loop)
    if frame is None or loop.time() - frame.taken_at >= PERIOD_S:
        # A thread of its own: the one of the request that happens to come first would end with that request.
        compute = database_sync_to_async(compute_overview, thread_sensitive=False)
        frame = _newest[loop] = Frame(loop.time(), asyncio.create_task(compute(timezone.now())))
    return frame


def render(overview: Overview, viewer: Viewer) -> str:
    """Render the fragment that the page itself contains."""
    with translation.override(viewer.language), timezone.override(overview.time_zone):
        return render_to_string("energy/_overview.html", {"overview": overview, "viewer": viewer, "is_update": True})


async def overview_events(viewer: Viewer, session_key: str | None = None) -> AsyncIterator[bytes]:
    """Stream `overview` (HTML) and `point` (JSON) at connect and after each change, at most once a second.

    A restricted dashboard is streamed only while the session is open; `ended` says that it is no longer.
    """
    loop = asyncio.get_running_loop()
    check_right_at = loop.time()
    ends_at = check_right_at + STREAM_LIFE_S
    layer = get_channel_layer()
    channel = await layer.new_channel()
    changed = asyncio.Event()
    listening = asyncio.create_task(_listen(channel, changed))
    try:
        await layer.group_add(GROUP, channel)
        sent_point_at = None
        while loop.time() < ends_at:
            frame = newest_frame()
            overview = await asyncio.shield(frame.overview)
            if (overview.is_restricted or viewer.is_signed_in) and loop.time() >= check_right_at:
                if not (viewer.is_signed_in and await _is_open(session_key)):
                    if overview.is_restricted:
                        yield _event("ended", "restricted")
                    return  # of a public one the browser comes back by itself, and sees what everyone sees
                check_right_at = loop.time() + RIGHT_CHECK_S
            if viewer not in frame.html:  # in a thread: the sockets of the stations are served meanwhile
                rendering = sync_to_async(render, thread_sensitive=False)(overview, viewer)
                frame.html[viewer] = asyncio.create_task(rendering)
            yield _event("overview", await asyncio.shield(frame.html[viewer]))
            if overview.point and overview.point[0] != sent_point_at:
                sent_point_at = overview.point[0]
                yield _event("point", orjson.dumps(overview.point).decode())
            with suppress(TimeoutError):
                async with asyncio.timeout(RIGHT_CHECK_S if overview.is_restricted else SILENCE_S):
                    await changed.wait()
            await asyncio.sleep(max(0.0, frame.taken_at + PERIOD_S - loop.time()))
            changed.clear()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await layer.group_discard(GROUP, channel)


async def _listen(channel: str, changed: asyncio.Event) -> None:
    """Note every message; a task of its own, because a cancelled `receive` gives up the channel."""
    layer = get_channel_layer()
    while True:
        await layer.receive(channel)
        changed.set()


def _event(name: str, data: str) -> bytes:
    """Write one event; every line of the data is a field of its own (HTML standard, server-sent events)."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n".encode()
