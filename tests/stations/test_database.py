"""Calls of sockets share a commit, and none suffers from another."""

import asyncio
import sqlite3
from contextlib import closing
from zoneinfo import ZoneInfo

import pytest
from channels.db import database_sync_to_async
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.utils import timezone

from stations.models import Connector, Station
from stations.ocpp16 import database
from stations.ocpp16.database import close_database, in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


def create(identity):
    return Station.objects.create(identity=identity).identity


def create_then_fail(identity):
    Station.objects.create(identity=identity)
    raise ValueError(identity)


def connect_to_nothing():
    """Break a rule that the database checks at the commit."""
    Connector.objects.create(station_id=4711, number=1)


@database_sync_to_async
def identities():
    return sorted(Station.objects.values_list("identity", flat=True))


async def together(*calls):
    return await asyncio.gather(*(in_database(*call) for call in calls), return_exceptions=True)


async def test_calls_that_come_together_share_one_commit(monkeypatch):
    monkeypatch.setattr(database, "LONGEST_BATCH_S", 60)
    commits = []
    await together(
        *[(lambda: transaction.on_commit(lambda: commits.append(len(connection.savepoint_ids))),)] * 3,
        *[(create, f"CP{n}") for n in range(5)],
        (lambda: commits.append("done"),),
    )
    assert commits[0] == "done", "the first calls were committed before the last had run"
    assert await identities() == [f"CP{n}" for n in range(5)]


async def test_a_call_that_fails_undoes_its_own_work_only():
    answers = await together((create, "CP1"), (create_then_fail, "CP2"), (create, "CP1"), (create, "CP3"))
    assert [type(answer) for answer in answers] == [str, ValueError, IntegrityError, str]
    assert await identities() == ["CP1", "CP3"]


async def test_a_call_that_fails_only_at_the_commit_fails_alone():
    answers = await together((create, "CP1"), (connect_to_nothing,), (create, "CP2"))
    assert [type(answer) for answer in answers] == [str, IntegrityError, str]
    assert await identities() == ["CP1", "CP2"]


async def test_calls_are_run_again_when_the_connection_breaks():
    breaks = iter([True])

    def break_once():
        if next(breaks, False):
            connection.connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return "done"

    assert await together((create, "CP1"), (break_once,), (create, "CP2")) == ["CP1", "done", "CP2"]
    assert await identities() == ["CP1", "CP2"]


async def test_a_call_runs_in_the_time_zone_of_its_caller():
    asked = []
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with timezone.override(ZoneInfo(name)):
            asked.append(asyncio.create_task(in_database(timezone.get_current_timezone_name)))
    assert await asyncio.gather(*asked) == ["Pacific/Kiritimati", "Pacific/Pago_Pago"]


async def test_a_call_sees_what_the_one_before_it_wrote():
    _, count = await together((create, "CP1"), (Station.objects.count,))
    assert count == 1


@pytest.fixture
def locked(monkeypatch):
    """A database that another program has locked; rolled back, it is free."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has no lock of the whole database")
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0.01)
    monkeypatch.setattr(database, "AWAY_RETRY_S", 0.01)
    close_database()
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


async def test_what_comes_while_the_database_is_away_waits_for_it(locked, caplog):
    creating = [asyncio.create_task(in_database(create, f"CP{n}")) for n in range(3)]
    while "The database is away" not in caplog.text:
        await asyncio.sleep(0)
    assert not any(task.done() for task in creating)
    locked.rollback()
    assert await asyncio.gather(*creating) == ["CP0", "CP1", "CP2"]


async def test_when_it_stays_away_whoever_waits_is_told(locked, monkeypatch):
    monkeypatch.setattr(database, "AWAY_AT_MOST_S", 0)
    answers = await together((create, "CP1"), (create, "CP2"))
    assert [type(answer) for answer in answers] == [OperationalError, OperationalError]
    locked.rollback()
    assert await in_database(create, "CP3") == "CP3"
