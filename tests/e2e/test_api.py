"""The REST API of the running product: a command reaches a station, and its answer comes back."""

import asyncio
import json

import pytest

from simulator import Station, World

pytestmark = pytest.mark.e2e


async def test_a_command_reaches_a_station_and_its_answer_comes_back(product):
    token = product.token("admin")

    async def command(identity, action, **payload):
        order = {"action": action, "payload": payload}
        path = f"/api/stations/{identity}/commands"
        status, body = await asyncio.to_thread(product.request, path, token=token, payload=order)
        return status, json.loads(body)

    world = World()
    world.add(Station("garage/CP1", product.url))
    async with world:
        connected = "SELECT count(*) FROM stations_station WHERE identity = 'garage/CP1' AND socket_id != ''"
        await asyncio.to_thread(product.wait_for, lambda: product.query(connected)[0][0])
        status, said = await command("garage%2FCP1", "GetConfiguration", key=["HeartbeatInterval"])
        assert (status, said["status"]) == (200, "accepted")
        assert said["answer"]["configurationKey"][0]["key"] == "HeartbeatInterval"
        assert (await command("garage%2FCP1", "Reset", type="Gently"))[0] == 422
        assert (await command("garage%2FCP2", "ClearCache"))[0] == 404
    gone = "SELECT count(*) FROM stations_station WHERE socket_id = ''"
    await asyncio.to_thread(product.wait_for, lambda: product.query(gone)[0][0])
    assert (await command("garage%2FCP1", "ClearCache"))[0] == 409


def test_the_page_to_try_it_and_all_it_needs_are_served(product):
    status, page = product.request("/api/docs")
    assert (status, b"swagger-ui-bundle" in page) == (200, True)
    for part in page.decode().split('"')[1::2]:
        if part.startswith("/static/"):
            assert product.request(part)[0] == 200, part
    assert product.request("/api/stations")[0] == 401
