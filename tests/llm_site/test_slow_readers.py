"""What is sent in pieces waits for whoever reads slowly."""

import asyncio

import pytest

from llm_site.slow_readers import patiently

START = {"type": "http.response.start", "status": 200}
PIECE = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST = {"type": "http.response.body", "body": b"z"}


class Request:
    """What Twisted's request does with a producer."""

    def __init__(self):
        self.channel, self.producer = object(), None

    def registerProducer(self, producer, streaming):  # noqa: N802
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self):  # noqa: N802
        assert self.producer
        self.producer = None


@pytest.fixture
def request_():
    return Request()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def send(request_, sent):
    async def keep(message):
        sent.append(message)

    return patiently(request_, keep)


async def test_a_page_in_one_piece_is_sent_as_it_is(request_, send, sent):
    for message in (START, LAST):
        await send(message)
    assert sent == [START, LAST]
    assert request_.producer is None


async def test_a_piece_is_held_until_those_before_it_are_sent(request_, send, sent):
    await send(START)
    await send(PIECE)
    request_.producer.pauseProducing()
    waiting = asyncio.create_task(send(PIECE))
    await asyncio.sleep(0)
    assert not waiting.done()
    request_.producer.resumeProducing()
    await waiting
    await send(LAST)
    assert sent == [START, PIECE, PIECE, LAST]
    assert request_.producer is None


async def test_nobody_waits_for_a_reader_who_left(request_, send):
    await send(PIECE)
    request_.producer.pauseProducing()
    waiting = asyncio.create_task(send(PIECE))
    await asyncio.sleep(0)
    request_.producer.stopProducing()
    request_.channel = None
    await waiting
    await send(LAST)
