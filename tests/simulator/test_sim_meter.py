"""The meter, read with the real client over loopback."""

import struct

import pytest
from pymodbus.client import AsyncModbusTcpClient

from simulator import Meter


@pytest.fixture
async def grid():
    return [10.0, 20.0, -5.0]


@pytest.fixture
async def meter(grid):
    meter = Meter(lambda: (grid[0], grid[1], grid[2]), slow_s=5.0)
    await meter.start()
    yield meter
    await meter.stop()


@pytest.fixture
async def client(meter):
    client = AsyncModbusTcpClient("127.0.0.1", port=meter.port, timeout=0.3, retries=0, reconnect_delay=0)
    assert await client.connect()
    yield client
    client.close()


async def floats(client, address, count):
    answer = await client.read_input_registers(address, count=2 * count, device_id=1)
    assert not answer.isError()
    return struct.unpack(f">{count}f", struct.pack(f">{2 * count}H", *answer.registers))


async def test_it_reads_like_an_sdm630(client):
    values = await floats(client, 0x00, 9)
    assert values == pytest.approx((230, 230, 230, 10, 20, 5, 2300, 4600, -1150))
    assert await floats(client, 0x34, 1) == pytest.approx((5750,))
    assert (await floats(client, 0x46, 3))[0] == 50
    model = await client.read_holding_registers(0xFC03, count=1, device_id=1)
    assert model.registers == [0x0070]


async def test_a_value_is_as_new_as_its_read(client, grid):
    assert (await floats(client, 0x06, 1))[0] == 10
    grid[0] = 35.0
    assert (await floats(client, 0x06, 1))[0] == 35


@pytest.mark.parametrize(("address", "count"), [(1, 2), (0, 3), (0, 82), (0x200, 2)])
async def test_odd_long_and_foreign_reads_get_an_exception(client, address, count):
    assert (await client.read_input_registers(address, count=count, device_id=1)).isError()


async def test_a_frozen_meter_repeats_its_last_values(client, grid, meter):
    await meter.set_mode("frozen")
    grid[0] = 35.0
    assert (await floats(client, 0x06, 1))[0] == 10
    await meter.set_mode("on")
    assert (await floats(client, 0x06, 1))[0] == 35


async def test_a_meter_can_answer_nan(client, meter):
    await meter.set_mode("nan")
    values = await floats(client, 0x06, 3)
    assert all(value != value for value in values)


async def test_a_slow_meter_outlasts_the_patience_of_its_reader(client, meter):
    await meter.set_mode("slow")
    with pytest.raises(Exception, match=r"[Nn]o response"):
        await client.read_input_registers(6, count=2, device_id=1)


async def test_a_meter_that_is_off_drops_connections_and_comes_back_at_the_same_port(client, meter):
    port = meter.port
    await meter.set_mode("off")
    with pytest.raises(Exception, match=r"[Cc]onnect|[Nn]o response"):
        await client.read_input_registers(6, count=2, device_id=1)
    assert not await client.connect()
    await meter.set_mode("on")
    assert meter.port == port
    assert await client.connect()
    assert (await floats(client, 0x06, 1))[0] == 10


async def test_a_meter_can_have_its_transformers_swapped_or_the_wrong_way_round(client, meter):
    await meter.set_mode("swapped")
    assert await floats(client, 0x0C, 3) == pytest.approx((2300, -1150, 4600))
    await meter.set_mode("turned")
    assert await floats(client, 0x0C, 3) == pytest.approx((2300, -4600, -1150))
