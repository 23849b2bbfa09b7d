"""The simulator as a program, and its control port."""

import asyncio
import json
import signal
import sys

import pytest
from pymodbus.client import AsyncModbusTcpClient
from websockets.asyncio.server import serve

from simulator import SimulatorError, Station, World
from simulator.control import obey, serve_control

NOWHERE = "ws://127.0.0.1:9/ocpp"
PATIENCE_S = 10.0


@pytest.fixture
async def world():
    world = World(building_a=(10, 10, 10))
    world.add(Station("CP1", NOWHERE, backoff_s=(60, 60)))
    world.add_meter()
    async with world:
        yield world


async def status(world):
    return json.loads(await obey(world, "status"))


async def test_the_control_port_moves_the_building(world):
    assert await obey(world, "building 35 10 12\n") == "ok"
    assert await obey(world, "step -5") == "ok"
    assert (await status(world))["building_a"] == [30, 5, 7]
    assert await obey(world, "building 4") == "ok"
    assert (await status(world))["grid_a"] == [4, 4, 4]


async def test_the_control_port_is_the_hand_of_the_driver(world):
    assert await obey(world, "station CP1 plug BADGE 1 20") == "ok"
    assert (await obey(world, "station CP1 plug BADGE")).startswith("error: expected connector 1 to be free")
    await asyncio.sleep(0)
    (connector,) = (await status(world))["stations"]["CP1"]["connectors"]
    assert (connector["status"], connector["offered_a"]) == ("Charging", 32)
    assert await obey(world, "station CP1 stop") == "ok"
    assert await obey(world, "station CP1 unplug") == "ok"
    (connector,) = (await status(world))["stations"]["CP1"]["connectors"]
    assert (connector["status"], connector["car"]) == ("Available", False)


@pytest.mark.parametrize("fault", ["ignore", "reject", "late", "silent", "odd"])
async def test_the_control_port_breaks_and_mends_stations(world, fault):
    assert await obey(world, f"station CP1 {fault}") == "ok"
    assert (await status(world))["stations"]["CP1"]["fault"] == fault
    assert await obey(world, "station CP1 obey") == "ok"
    assert (await status(world))["stations"]["CP1"]["fault"] == "none"


async def test_the_control_port_breaks_and_mends_the_meter(world):
    for mode in ("nan", "off", "frozen", "on"):
        assert await obey(world, f"meter {mode}") == "ok"
        assert (await status(world))["meter"] == mode


@pytest.mark.parametrize(
    "line",
    [
        "fly",
        "building 1 2",
        "building warm",
        "meter loud",
        "station CP9 plug",
        "station CP1",
        "station CP1 dance",
        "station CP1 plug BADGE 4",
    ],
)
async def test_a_wrong_command_is_answered_with_what_was_expected(world, line):
    assert (await obey(world, line)).startswith("error: ")


async def test_the_control_port_answers_each_line_and_only_on_loopback(world):
    with pytest.raises(SimulatorError, match="loopback"):
        await serve_control(world, "0.0.0.0", 0)
    async with await serve_control(world, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"step 1\nnonsense\n")
        assert await reader.readline() == b"ok\n"
        assert (await reader.readline()).startswith(b"error: ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_the_program_runs_until_a_signal_and_ends_cleanly(tmp_path, ending):
    booted = asyncio.Event()

    async def central(socket):
        async for frame in socket:
            _, message_id, action, _ = json.loads(frame)
            answer = {"status": "Accepted", "interval": 60, "currentTime": "2026-01-01T00:00:00Z"}
            await socket.send(json.dumps([3, message_id, answer if action == "BootNotification" else {}]))
            booted.set()

    events = tmp_path / "events.jsonl"
    async with serve(central, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server, asyncio.timeout(PATIENCE_S):
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "simulator",
            "--url",
            f"ws://127.0.0.1:{port}/ocpp",
            "--stations",
            "2",
            "--meter",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--fuse",
            "5",
            "--curve",
            "demo",
            "--events",
            str(events),
            stderr=asyncio.subprocess.PIPE,
        )
        await booted.wait()
        process.send_signal(ending)
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert b"Traceback" not in log
    assert b"over the fuse" in log
    first = json.loads(events.read_text().splitlines()[0])
    assert (first["direction"], first["action"]) == ("out", "BootNotification")


async def test_the_meter_of_the_world_tells_its_grid_current(world):
    client = AsyncModbusTcpClient("127.0.0.1", port=world.meter.port, timeout=1, retries=0)
    assert await client.connect()
    answer = await client.read_input_registers(6, count=2, device_id=1)
    assert client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32) == 10
    client.close()
