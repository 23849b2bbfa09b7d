"""The frames of one socket that nobody has taken yet: bounded, and taken fairly."""

import asyncio

import pytest

from llm_site import inbox as inbox_module
from llm_site.inbox import MOST_BYTES, MOST_FRAMES, Inbox


class Socket:
    """A socket with so many frames waiting, whose clock stands still but for what a frame takes and its pauses."""

    def __init__(self, monkeypatch):
        self.rooms, self.pauses, self.now = 0, [], 0.0
        self.queue = asyncio.Queue()
        self.inbox = Inbox(self.make_room)
        self.take = self.inbox.watching(self.queue.get)
        monkeypatch.setattr(inbox_module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(inbox_module.asyncio, "sleep", self.sleep)

    def make_room(self):
        self.rooms += 1

    async def sleep(self, pause_s):
        self.pauses.append(pause_s)
        self.now += pause_s

    def arrive(self, size=10):
        self.inbox.arrived(size)
        self.queue.put_nowait({"type": "websocket.receive", "text": "x" * size})

    async def serve(self, took_s):
        await self.take()
        self.now += took_s


@pytest.fixture
def socket(monkeypatch):
    return Socket(monkeypatch)


async def test_it_is_full_of_many_frames_and_has_room_again_when_half_are_taken(socket):
    for _ in range(MOST_FRAMES - 1):
        socket.arrive()
    assert not socket.inbox.is_full
    socket.arrive()
    assert socket.inbox.is_full
    for _ in range(MOST_FRAMES // 2 - 1):
        await socket.take()
    assert socket.rooms == 0
    await socket.take()
    assert socket.rooms == 1
    assert not socket.inbox.is_full


async def test_it_is_full_of_one_long_frame(socket):
    socket.arrive(MOST_BYTES)
    assert socket.inbox.is_full
    await socket.take()
    assert (socket.rooms, socket.inbox.is_full) == (1, False)


async def test_after_a_frame_with_others_behind_it_the_socket_pauses_twice_as_long_as_it_took(socket):
    socket.arrive()
    socket.arrive()
    await socket.serve(took_s=0.25)
    await socket.serve(took_s=0.25)
    assert socket.pauses == [0.5]


async def test_who_waits_for_the_answer_is_never_paused(socket):
    for _ in range(3):
        taking = asyncio.create_task(socket.serve(took_s=0.25))
        await asyncio.wait([taking], timeout=0)
        socket.arrive()
        await taking
    assert socket.pauses == []


async def test_short_pauses_are_saved_up_and_long_ones_cut(socket):
    for _ in range(5):
        socket.arrive()
    await socket.serve(took_s=0.00075)
    await socket.serve(took_s=0.00075)
    assert socket.pauses == []
    await socket.serve(took_s=60)
    await socket.serve(took_s=0)
    assert socket.pauses == [pytest.approx(0.003), 2.0]


async def test_what_a_closed_socket_had_sent_is_taken_without_a_pause(socket):
    socket.arrive()
    socket.arrive()
    await socket.serve(took_s=0.25)
    socket.inbox.is_closed = True
    await socket.take()
    assert socket.pauses == []


async def test_its_end_is_handed_on(socket):
    socket.queue.put_nowait({"type": "websocket.disconnect", "code": 1000})
    assert (await socket.take())["type"] == "websocket.disconnect"
