"""Messages of more measurements than are written at once are kept whole and once, also where they break off."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from stations.models import MeterValue, Transaction
from stations.ocpp16 import database
from stations.ocpp16.normalise import MOST_AT_A_TIME
from tests.stations.test_consumer import Line, in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

BEGUN = datetime(2026, 1, 5, 10, tzinfo=UTC)
MOMENTS = 2 * MOST_AT_A_TIME + 100


def measured(number, **values):
    """One moment after the start; every second one also says the current, in an entry of its own."""
    entry = {
        "timestamp": (BEGUN + timedelta(seconds=number)).isoformat(),
        "sampledValue": [{"value": str(1000 + number)}],
    }
    return entry | values


LONG = [measured(number) for number in range(MOMENTS)]


class Disk:
    """What the database thread writes: `breaks_at` counts the writes of measurements from which on they fail."""

    def __init__(self):
        self.breaks_at, self.writes = None, 0

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(f'INSERT INTO "{MeterValue._meta.db_table}"'):
            self.writes += 1
            if self.breaks_at is not None and self.writes >= self.breaks_at:
                raise DatabaseError("the disk is full")
        return execute(sql, params, many, context)


@pytest.fixture
async def disk():
    disk = Disk()
    await database.in_database(lambda: connection.execute_wrappers.append(disk))
    yield disk
    await database.in_database(lambda: connection.execute_wrappers.remove(disk))


async def send(line, action, payload):
    await line.socket.send_to(json.dumps([2, action, action, payload]))


async def gets_no_reply(line):
    """Say whether the next to be answered is a Heartbeat that was sent later."""
    await send(line, "Heartbeat", {})
    return (await line.hear())[1] == "Heartbeat"


async def kept():
    return await in_database(lambda: list(MeterValue.objects.order_by("energy_wh").values_list("energy_wh", flat=True)))


WHOLE = [1000 + number for number in range(MOMENTS)]


async def test_meter_values_that_break_off_in_the_middle_and_come_again_are_kept_once(disk):
    async with Line("/ocpp/CP1") as line:
        begun = await line.begin()
        values = {"connectorId": 1, "transactionId": begun["transactionId"], "meterValue": LONG}
        disk.breaks_at = 2
        await send(line, "MeterValues", values)
        assert await gets_no_reply(line)
        assert 0 < len(await kept()) < MOMENTS
        disk.breaks_at = None
        assert await line.ask("MeterValues", **values) == {}
        assert await kept() == WHOLE
        assert await line.ask("MeterValues", **values) == {}
    assert await kept() == WHOLE


@pytest.mark.parametrize("breaks_at", [2, 3])
async def test_a_stop_that_breaks_off_in_the_middle_and_comes_again_is_kept_once(disk, breaks_at):
    async with Line("/ocpp/CP1") as line:
        begun = await line.begin()
        stop = {
            "transactionId": begun["transactionId"],
            "meterStop": 1000 + MOMENTS,
            "timestamp": (BEGUN + timedelta(hours=1)).isoformat(),
            "transactionData": LONG,
        }
        disk.breaks_at = breaks_at
        await send(line, "StopTransaction", stop)
        assert await gets_no_reply(line)
        assert 0 < len(await kept()) < MOMENTS
        assert (await in_database(Transaction.objects.get)).stopped_at is None
        disk.breaks_at = None
        assert await line.ask("StopTransaction", **stop) == {}
        assert await kept() == WHOLE
        assert await line.ask("StopTransaction", **stop) == {}
    assert await kept() == WHOLE
    assert (await in_database(Transaction.objects.get)).energy_wh == 900 + MOMENTS


async def test_what_is_said_of_one_moment_in_two_portions_is_kept_of_both():
    """A moment whose measurements are more than a portion takes; the second half says another energy."""
    twice = [measured(0, sampledValue=[{"value": str(value)} for value in (5, 6) for _ in range(MOST_AT_A_TIME)])]
    async with Line("/ocpp/CP1") as line:
        for _ in range(2):
            assert await line.ask("MeterValues", connectorId=1, meterValue=twice) == {}
    assert await kept() == [5, 6]
