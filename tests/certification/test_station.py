"""The strict station against central systems that break the protocol: it must notice every breach."""

import json

import pytest
from websockets.asyncio.server import serve

from tests.certification.station import SUBPROTOCOL, WITHIN_S, Breach, Station, check, wire_time

NOW = {"currentTime": wire_time()}


async def heartbeat(*frames, subprotocol=SUBPROTOCOL):
    """Ask a central system that answers a Heartbeat with these frames; N in them is the number of the call."""

    async def answer(socket):
        async for text in socket:
            call = json.loads(text)
            if call[0] == 2:
                for frame in frames:
                    await socket.send(frame.replace("N", call[1]) if isinstance(frame, str) else frame)

    async with serve(answer, "127.0.0.1", 0, subprotocols=[subprotocol]) as server:
        port = server.sockets[0].getsockname()[1]
        station = Station("CP1", url=f"ws://127.0.0.1:{port}", tls_url="", authority=None)
        await station.connect(SUBPROTOCOL, subprotocol)
        try:
            told = await station.ask("Heartbeat")
            await station.until_asked("ClearCache")
        finally:
            await station.leave()
        return told


GOOD = json.dumps([3, "N", NOW])
CLEAR_CACHE = '[2,"1","ClearCache",{}]'


async def test_what_is_right_is_taken():
    assert await heartbeat(CLEAR_CACHE, GOOD) == NOW


BREACHES = {
    "no JSON": ["nonsense"],
    "no array": ["{}"],
    "an unknown message type": ['[5,"N",{}]'],
    "bytes": [b"[3]"],
    "a CALLRESULT that is too short": ['[3,"N"]'],
    "a CALLERROR without details": ['[4,"N","GenericError",""]'],
    "an error code that does not exist": ['[4,"N","Whatever","",{}]'],
    "a CALLERROR to a good call": ['[4,"N","GenericError","",{}]'],
    "an answer to another call": [GOOD.replace("N", "other")],
    "an answer without what the schema needs": ['[3,"N",{}]'],
    "an answer with more than the schema has": [GOOD.replace("}", ', "more": 1}')],
    "a time that is none": ['[3,"N",{"currentTime":"today"}]'],
    "two answers": [GOOD, GOOD],
    "a call with a number as its id": ['[2,1,"ClearCache",{}]', GOOD],
    "a call with an id that is too long": [f'[2,"{"1" * 37}","ClearCache",{{}}]', GOOD],
    "a call without a name": ['[2,"1",[],{}]', GOOD],
    "a call that does not exist": ['[2,"1","Dance",{}]', GOOD],
    "a call that the schema does not allow": ['[2,"1","Reset",{"type":"Gently"}]', GOOD],
    "two calls at a time": ['[2,"1","ClearCache",{}]', '[2,"2","ClearCache",{}]', GOOD],
    "an id twice": ['[2,"1","ClearCache",{}]', '[2,"1","ClearCache",{}]', GOOD],
}


@pytest.mark.parametrize("frames", BREACHES.values(), ids=BREACHES.keys())
async def test_what_is_wrong_is_noticed(frames):
    with pytest.raises(Breach) as breach:
        await heartbeat(*frames)
    assert f"in {WITHIN_S} s" not in str(breach.value), "noticed for what it is, not for what did not come"


async def test_another_sub_protocol_than_ocpp_1_6_is_noticed():
    with pytest.raises(Breach, match="sub-protocol"):
        await heartbeat(CLEAR_CACHE, GOOD, subprotocol="ocpp2.0.1")


def test_its_own_frames_are_checked_too():
    with pytest.raises(Breach, match="Heartbeat"):
        check("Heartbeat", {"more": 1})
