"""Sockets against the real server: what an ASGI test harness forgives, Daphne may not."""

import asyncio
import json

import pytest
import websockets

from tests.e2e.open_pages import OpenPages

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


def report_of(size):
    """A MeterValues of so many bytes."""
    payload = {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "7"}]}], "extra": ""}
    payload["extra"] = "x" * (size - len(json.dumps([2, "1", "MeterValues", payload])))
    return json.dumps([2, "1", "MeterValues", payload])


async def closed_by(socket, content):
    """Send a text frame and return the code with which the socket is closed for it."""
    await socket.send(content, text=True)
    await asyncio.wait_for(socket.wait_closed(), 20)
    return socket.close_code


async def test_a_frame_may_be_2_mib_long_and_a_longer_one_closes_the_socket_with_a_code_that_says_so(product):
    async with websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp1.6"]) as socket:
        await socket.send(report_of(2 * 2**20))
        assert json.loads(await asyncio.wait_for(socket.recv(), 20)) == [3, "1", {}]
        assert await closed_by(socket, report_of(2 * 2**20 + 1)) == 1009
    async with websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp1.6"]) as socket:
        assert await closed_by(socket, b"[2,\xff]") == 1007
    async with websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp1.6"]) as socket:
        assert "currentTime" in (await heartbeat(socket))[2]


async def test_a_station_that_does_not_read_its_answers_is_read_no_further_until_it_does(product):
    most, ids = 40, []
    async with websockets.connect(
        f"{product.url}/CP1", subprotocols=["ocpp1.6"], max_size=None, max_queue=1, ping_interval=None
    ) as socket:
        sending = None
        while len(ids) < most and (sending is None or sending.done()):
            ids.append(f"{len(ids)}-" + "x" * 2**20)
            sending = asyncio.create_task(socket.send(json.dumps([2, ids[-1], "Heartbeat", {}])))
            await asyncio.wait([sending], timeout=3)
        assert len(ids) < most
        heard = []
        async with asyncio.timeout(60):
            while len(heard) < len(ids):
                frame = json.loads(await socket.recv())
                heard += [frame[1]] if frame[0] == 3 else []
        assert heard == ids
        await sending


async def test_a_call_in_thousands_of_fragments_is_read(product):
    async with websockets.connect(f"{product.url}/CP1", subprotocols=["ocpp1.6"]) as socket:
        for number in range(1000):
            await socket.ping(f"{number}")
        await socket.send([*[""] * 2000, *'[2,"1","Heartbeat",{}]', *[""] * 1000])
        assert json.loads(await asyncio.wait_for(socket.recv(), 20))[:2] == [3, "1"]


async def test_what_a_station_says_appears_on_fifty_open_pages(product):
    async with (
        OpenPages(product.port, 50) as pages,
        websockets.connect(f"{product.url}/CP50", subprotocols=["ocpp1.6"]) as socket,
    ):
        await socket.send('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
        for status in ("Available", "Faulted"):
            message = {"connectorId": 1, "status": status, "errorCode": "NoError"}
            await socket.send(json.dumps([2, status, "StatusNotification", message]))
            await pages.show("CP50" if status == "Available" else "Nobody is charging, and no place is free.")
