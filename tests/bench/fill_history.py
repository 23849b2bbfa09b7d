"""Fill the database of LLM_DATA_DIR with transactions of the year 2024, and print the session of an administrator.

Energy has two prices, and the off-peak energy of each transaction is kept: the dearest summary.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
django.setup()

from django.test import Client  # noqa: E402 (needs the apps loaded)
from django.utils import timezone  # noqa: E402

from accounts.models import AccessSettings, Role  # noqa: E402
from accounts.services import save_user  # noqa: E402
from badges.models import Badge  # noqa: E402
from energy.models import Installation  # noqa: E402
from exports.models import ExportSettings, OffPeakEnergy  # noqa: E402
from exports.off_peak import tariff  # noqa: E402
from stations.models import Connector, Station, Transaction  # noqa: E402

STATIONS, BADGES, BATCH = 20, 100, 5000
BEGIN, YEAR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=365)


def fill(rows):
    stations = [
        Station(identity=f"CP{i}", name=f"Place {i}", mac_address=f"a0:02:4a:e0:a3:{i:02x}") for i in range(STATIONS)
    ]
    Station.objects.bulk_create(stations)
    connectors = Connector.objects.bulk_create(Connector(station=station, number=1) for station in stations)
    badges = Badge.objects.bulk_create(Badge(id_tag=f"04A1{i:08X}", comment=f"Driver {i}") for i in range(BADGES))
    ExportSettings.objects.create(pk=1, price="0.27", off_peak_price="0.2", off_peak_times="22:00-06:00")
    hours = tariff().off_peak.hours_in(ZoneInfo(Installation.get_solo().time_zone))
    for first in range(0, rows, BATCH):
        made = Transaction.objects.bulk_create(
            Transaction(
                connector=connectors[i % STATIONS],
                id_tag=badges[i % BADGES].id_tag,
                badge=badges[i % BADGES],
                meter_start_wh=0,
                started_at=BEGIN + YEAR * i / rows,
                stopped_at=BEGIN + YEAR * i / rows + timedelta(minutes=5),
                meter_stop_wh=i % 50_000,
            )
            for i in range(first, min(first + BATCH, rows))
        )
        OffPeakEnergy.objects.bulk_create(
            OffPeakEnergy(
                transaction=one,
                energy_wh=one.meter_stop_wh,
                stopped_at=one.stopped_at,
                hours=hours,
                off_peak_wh=one.meter_stop_wh // 3,
                is_estimated=True,
            )
            for one in made
        )


def session():
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})
    client = Client()
    client.force_login(save_user(username="bench", role=Role.ADMINISTRATOR))
    return client.cookies["sessionid"].value


fill(int(sys.argv[1]))
print(session())
