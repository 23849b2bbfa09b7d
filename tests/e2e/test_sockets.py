"""Sockets against the real server: what an ASGI test harness forgives, Daphne may not."""

import asyncio
import json

import pytest
import websockets

pytestmark = pytest.mark.e2e


async def heartbeat(socket):
    await socket.send('[2,"1","Heartbeat",{}]')
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


async def test_the_newest_socket_wins_and_the_older_ones_are_closed(product):
    sockets = [await websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp1.6"]) for _ in range(4)]
    for older in sockets[:-1]:
        await asyncio.wait_for(older.wait_closed(), 10)
    assert "currentTime" in (await heartbeat(sockets[-1]))[2]
    await sockets[-1].close()
    await asyncio.to_thread(
        product.wait_for, lambda: product.query("SELECT socket_id FROM stations_station") == [("",)]
    )


@pytest.mark.parametrize(("path", "status"), [("%20", 404), ("a%0Ab", 404)])
async def test_a_refusal_has_a_status_that_says_why(product, path, status):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(f"{product.url}/{path}", subprotocols=["ocpp1.6"])
    assert refusal.value.response.status_code == status
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp2.0.1"])
    assert refusal.value.response.status_code == 400
