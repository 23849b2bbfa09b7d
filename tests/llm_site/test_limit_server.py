"""The limit from outside over Modbus TCP, as a real client writes and reads it."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core.checks import run_checks
from django.utils import timezone
from pymodbus.client import AsyncModbusTcpClient

from energy.external_limit import give_limit
from energy.models import ExternalLimit
from llm_site import limit_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

NONE = 65535


@pytest.fixture
async def client():
    server = await limit_server.start("127.0.0.1", 0)
    port = server.transport.sockets[0].getsockname()[1]
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    assert await client.connect()
    yield client
    client.close()
    await server.shutdown()


async def read(client):
    return (await client.read_holding_registers(0, count=5)).registers


async def row():
    return await sync_to_async(ExternalLimit.get_solo)()


async def test_before_anything_was_written_nothing_holds(client):
    assert await read(client) == [NONE, 900, NONE, 0, 0]


async def test_a_limit_and_its_time_are_written_together_and_read_back(client):
    assert not (await client.write_registers(0, [165, 120])).isError()
    limit, valid_for, in_force, state, left = await read(client)
    assert (limit, valid_for, in_force, state) == (165, 120, 165, 1)
    assert 115 <= left <= 120
    assert (await row()).limit_a == 16.5


async def test_a_limit_alone_holds_for_the_time_that_was_written_before(client):
    await client.write_register(1, 60)
    assert (await row()).limit_a is None
    answer = await client.write_register(0, 100)
    assert (answer.isError(), answer.registers) == (False, [100])
    given = await row()
    assert (given.limit_a, round((given.valid_until - given.given_at).total_seconds())) == (10, 60)


async def test_a_limit_that_ran_out_shows_what_holds_in_its_place(client):
    await client.write_registers(0, [320, 120])
    await sync_to_async(ExternalLimit.objects.update)(valid_until=timezone.now())
    assert await read(client) == [320, 120, 60, 2, 0]
    await sync_to_async(ExternalLimit.objects.update)(after_expiry="nothing")
    assert await read(client) == [320, 120, NONE, 3, 0]


async def test_the_highest_number_lifts_the_limit(client):
    await client.write_registers(0, [100, 120])
    assert not (await client.write_register(0, NONE)).isError()
    assert await read(client) == [NONE, 120, NONE, 0, 0]


@pytest.mark.parametrize(
    ("address", "values", "exception_code"),
    [(0, [60001], 3), (0, [100, 0], 3), (1, [0], 3), (2, [100], 2), (1, [60, 100], 2), (4, [1], 2), (5, [1], 2)],
)
async def test_a_write_outside_the_ranges_is_refused_whole(client, address, values, exception_code):
    await client.write_registers(0, [200, 300])
    answer = await client.write_registers(address, values)
    assert (answer.isError(), answer.exception_code) == (True, exception_code)
    assert (await read(client))[:2] == [200, 300]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.read_coils(0, count=1),
        lambda client: client.read_discrete_inputs(0, count=1),
        lambda client: client.read_input_registers(0, count=5),
        lambda client: client.write_coil(0, True),
        lambda client: client.write_coil(0, False),
        lambda client: client.write_coils(0, [True]),
        lambda client: client.mask_write_register(address=0, and_mask=0, or_mask=50),
        lambda client: client.readwrite_registers(read_address=0, read_count=2, write_address=0, values=[60]),
    ],
    ids=["1", "2", "4", "5 on", "5 off", "15", "22", "23"],
)
async def test_a_function_that_is_none_of_the_three_is_refused_and_sets_no_limit(client, ask):
    await client.write_registers(0, [200, 300])
    answer = await ask(client)
    assert (answer.isError(), answer.exception_code) == (True, 1)
    assert (await read(client))[:2] == [200, 300]


async def test_a_limit_of_the_rest_api_is_read_rounded_down(client):
    await sync_to_async(give_limit)(limit_a=6.0869, valid_for_s=604800, given_by="REST API")
    limit, _valid_for, in_force, _state, left = await read(client)
    assert (limit, in_force, left) == (60, 60, 65535)


@pytest.mark.parametrize("of_rest_s", [1, 604800])
async def test_the_time_of_a_limit_of_the_rest_api_is_not_that_of_the_next_over_modbus(client, of_rest_s):
    await client.write_register(1, 60)
    await sync_to_async(give_limit)(limit_a=40, valid_for_s=of_rest_s, given_by="REST API")
    assert not (await client.write_register(0, 320)).isError()
    limit, valid_for, in_force, state, left = await read(client)
    assert (limit, valid_for, in_force, state) == (320, 60, 320, 1)
    assert 55 <= left <= 60


async def test_a_limit_that_was_given_by_a_clock_ahead_of_this_one_has_run_out(client):
    await client.write_registers(0, [320, 120])
    ahead = timezone.now() + timedelta(hours=4)
    await sync_to_async(ExternalLimit.objects.update)(given_at=ahead, valid_until=ahead + timedelta(seconds=120))
    assert await read(client) == [320, 120, 60, 2, 0]


@pytest.mark.parametrize(
    ("port", "address", "ids"),
    [
        (0, "anything", []),
        (1502, "0.0.0.0", []),
        (8000, "127.0.0.1", ["llm.E007"]),
        (70000, "::1", ["llm.E007"]),
        (1502, "garage", ["llm.E008"]),
    ],
)
def test_a_server_that_could_not_listen_is_refused_at_the_start(settings, port, address, ids):
    settings.PORT, settings.MODBUS_PORT, settings.MODBUS_ADDRESS = 8000, port, address
    assert [problem.id for problem in run_checks() if problem.id in ("llm.E007", "llm.E008")] == ids
