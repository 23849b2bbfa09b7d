"""The REST API of the running product: a command reaches a station, and its answer comes back."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from simulator import Station, World
from tests.e2e.product import ROOT

pytestmark = pytest.mark.e2e


def token_of(product, username):
    command = [sys.executable, "manage.py", "api_token", username]
    done = subprocess.run(command, cwd=ROOT, env=product.environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def ask(product, path, *, token=None, payload=None):
    """Return status and body of one request."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{product.port}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def test_a_command_reaches_a_station_and_its_answer_comes_back(product):
    token = token_of(product, "admin")

    async def command(identity, action, **payload):
        order = {"action": action, "payload": payload}
        path = f"/api/stations/{identity}/commands"
        status, body = await asyncio.to_thread(ask, product, path, token=token, payload=order)
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
    status, page = ask(product, "/api/docs")
    assert (status, b"swagger-ui-bundle" in page) == (200, True)
    for part in page.decode().split('"')[1::2]:
        if part.startswith("/static/"):
            assert ask(product, part)[0] == 200, part
    assert ask(product, "/api/stations")[0] == 401
