"""Days begin in tasks, and for stations, where they do in the garage."""

import asyncio

import pytest
from celery.signals import task_prerun
from channels.db import database_sync_to_async
from django.utils import timezone

from energy.models import Installation
from llm_site import clock
from llm_site.celery import app
from llm_site.clock import InstallationTimeZone
from stations.ocpp16.database import in_database


def garage_in(zone):
    Installation.objects.update_or_create(pk=1, defaults={"time_zone": zone})


@pytest.mark.django_db
def test_a_task_runs_in_the_installation_s_time_zone():
    garage_in("Pacific/Auckland")
    task_prerun.send(sender=app)
    assert timezone.get_current_timezone_name() == "Pacific/Auckland"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
async def test_a_socket_that_stays_open_learns_of_another_time_zone(monkeypatch):
    monkeypatch.setattr(clock, "READ_EVERY_S", 0)
    seen = []

    async def judge(_scope, receive, _send):
        for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
            await database_sync_to_async(garage_in)(zone)
            while await in_database(timezone.get_current_timezone_name) != zone:
                await receive()
            seen.append(zone)

    async def heartbeat():
        await asyncio.sleep(0)

    await asyncio.wait_for(InstallationTimeZone(judge)({}, heartbeat, None), 10)
    assert seen == ["Pacific/Kiritimati", "Pacific/Pago_Pago"]
