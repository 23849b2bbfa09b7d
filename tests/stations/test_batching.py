"""Meter values of many stations share a commit, and none suffers from another."""

import asyncio
from datetime import UTC, datetime

import pytest
from channels.db import database_sync_to_async
from django.db import IntegrityError

from stations.models import Connector, MeterValue, Station
from stations.ocpp16 import batching
from stations.ocpp16.normalise import MeterValues, Sample

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def stations():
    made = [Station.objects.create(identity=f"CP{n}") for n in range(20)]
    for station in made:
        Connector.objects.create(station=station, number=1)
    return [station.pk for station in made]


def values(energy_wh):
    return MeterValues(1, None, (Sample(at=T0, energy_wh=energy_wh),))


@database_sync_to_async
def kept():
    return sorted(MeterValue.objects.values_list("connector__station_id", "energy_wh"))


async def test_reports_that_arrive_while_a_commit_runs_share_the_next(stations, monkeypatch):
    sizes = []
    record = batching.record_meter_values
    monkeypatch.setattr(
        batching, "record_meter_values", lambda *, reports: (sizes.append(len(reports)), record(reports=reports))[1]
    )
    first = asyncio.create_task(batching.keep_meter_values(stations[0], values(0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [batching.keep_meter_values(pk, values(n)) for n, pk in enumerate(stations[1:], start=1)]
    await asyncio.gather(first, *rest)
    assert sizes == [1, 19]
    assert await kept() == [(pk, n) for n, pk in enumerate(stations)]


async def test_a_report_that_cannot_be_kept_fails_alone(stations):
    unknown = max(stations) + 1
    tasks = [batching.keep_meter_values(pk, values(7)) for pk in [stations[0], unknown, stations[1]]]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), IntegrityError, type(None)]
    assert await kept() == [(stations[0], 7), (stations[1], 7)]
