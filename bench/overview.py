"""Measure how fast the overview comes: `make bench-overview`.

The product with its real processes, the loop at work, and a database as a site has it after a year: 1,000 sessions a
week, a day of readings by the second, a month by the minute. At 20 stations and at 1,000, a third of them charging.
Printed are the medians of the time to the first byte and to the last, of the page and of the curve, for a visitor and
for an administrator. Then a station says each second whether it is free, 50 pages are open, and printed is how long its
message takes to the pages.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta

import websockets
from websockets.typing import Subprotocol

from tests.e2e.open_pages import OpenPages
from tests.e2e.product import ROOT, Product

WEEKS, SESSIONS_A_WEEK = 52, 1000
SECONDS, MINUTES, QUARTERS = 86_400, 31 * 1440, 366 * 96
GOALS_MS = {20: 100, 1000: 300}
CHARGING_EACH = 3
OPEN_PAGES, MESSAGES = 50, 21
PAGES = ("/", "/live/history?span=quarter", "/live/history?span=day", "/live/history?span=week", "/history/?span=day")


def fill(stations: int) -> None:
    """Fill the database of LLM_DATA_DIR, and print an administrator's session key; in a process of its own."""
    import django

    django.setup()
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.base import SessionBase
    from django.core.management import call_command
    from django.db import transaction
    from django.utils import timezone
    from django.utils.module_loading import import_string

    from accounts.models import AccessSettings, User
    from energy.models import Installation

    call_command("migrate", verbosity=0)
    now = timezone.now()
    with transaction.atomic():
        Installation.objects.create(mode="static", fuse_a=63, static_limit_a=50, measurement="direct")
        AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": now})
        user = User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True)
        _fill_garage(stations)
        _fill_curve()
    store: SessionBase = import_string("accounts.sessions.SessionStore")()
    store.update(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "accounts.permissions.RoleBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
    )
    store.save()
    print(store.session_key)


def _fill_garage(stations: int) -> None:
    """Write the stations with a year of sessions, and every third with one that runs."""
    from django.utils import timezone

    from badges.models import Badge
    from energy.models import Allocation
    from stations.models import Connector, Station, Transaction

    now, dice = timezone.now(), random.Random(1)
    Badge.objects.bulk_create(Badge(id_tag=f"04A1{number:04X}", comment=f"Car {number}") for number in range(200))
    badges = list(Badge.objects.all())
    Station.objects.bulk_create(
        Station(identity=f"CP{n}", name=f"Place {n}", state="configured", socket_id="elsewhere/1", last_seen_at=now)
        for n in range(stations)
    )
    rows = list(Station.objects.order_by("pk"))
    Connector.objects.bulk_create(
        Connector(station=row, number=1, status="Available" if n % CHARGING_EACH else "Charging", energy_wh=10**6)
        for n, row in enumerate(rows)
    )
    connectors = list(Connector.objects.order_by("pk"))
    Transaction.objects.bulk_create(
        (
            Transaction(
                connector=dice.choice(connectors),
                badge=dice.choice(badges),
                id_tag=f"T{number}",
                meter_start_wh=number,
                meter_stop_wh=number + 9000,
                started_at=now - timedelta(weeks=WEEKS) * (1 - number / (WEEKS * SESSIONS_A_WEEK)) - timedelta(hours=9),
                stopped_at=now - timedelta(weeks=WEEKS) * (1 - number / (WEEKS * SESSIONS_A_WEEK)) - timedelta(hours=6),
            )
            for number in range(WEEKS * SESSIONS_A_WEEK)
        ),
        batch_size=2000,
    )
    charging = connectors[::CHARGING_EACH]
    Transaction.objects.bulk_create(
        Transaction(connector=row, badge=dice.choice(badges), id_tag="R", meter_start_wh=0, started_at=now)
        for row in charging
    )
    Allocation.objects.bulk_create(
        Allocation(connector=row, decided_at=now - timedelta(minutes=n), limit_a=6, reason="station_maximum")
        for row in charging
        for n in range(50)
    )


def _fill_curve() -> None:
    """Write readings by the second and their means."""
    from django.utils import timezone

    from energy.means import CURRENTS, MINUTE_S, QUARTER_S
    from energy.models import Reading, ReadingMean

    now = timezone.now().replace(second=0, microsecond=0)
    currents = dict.fromkeys(CURRENTS, 12.3)
    Reading.objects.bulk_create(
        (Reading(at=now - timedelta(seconds=n + 1), state="operational", **currents) for n in range(SECONDS)),
        batch_size=5000,
    )
    for span_s, count in ((MINUTE_S, MINUTES), (QUARTER_S, QUARTERS)):
        begin = now - timedelta(seconds=now.timestamp() % span_s)
        ReadingMean.objects.bulk_create(
            (
                ReadingMean(
                    begins_at=begin - timedelta(seconds=span_s * (n + 1)), span_s=span_s, readings=1, **currents
                )
                for n in range(count)
            ),
            batch_size=5000,
        )


def times_ms(port: int, path: str, cookie: str, rounds: int) -> tuple[float, float, int]:
    """Ask for a page some times; returns the medians to its first and its last byte (ms) and its size (bytes)."""
    first, last, size = [], [], 0
    for _round in range(rounds):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        began_at = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        first.append((time.perf_counter() - began_at) * 1000)
        size = len(answer.read())
        last.append((time.perf_counter() - began_at) * 1000)
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: expected 200, came {answer.status}")
    return statistics.median(first), statistics.median(last), size


def measure(stations: int, rounds: int) -> None:
    """Fill a database, start the product on it, and print what it takes."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        environment = {**os.environ, "LLM_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "llm_site.settings"}
        filled = subprocess.run(
            [sys.executable, "-m", "bench.overview", "--fill", str(stations)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        product = Product(folder)
        product.start()
        try:
            for who, cookie in (("visitor", ""), ("administrator", f"sessionid={filled.stdout.split()[-1]}")):
                for path in PAGES:
                    times_ms(product.port, path, cookie, 3)
                    first, last, size = times_ms(product.port, path, cookie, rounds)
                    goal = f"≤ {GOALS_MS[stations]}" if path == "/" and stations in GOALS_MS else ""
                    print(f"{stations:8} {who:14} {path:28} {first:8.0f} {last:8.0f} {size / 1000:7.0f}   {goal}")
        finally:
            product.stop()


async def listen(product: Product) -> list[float]:
    """Return the seconds from a station's messages to each open page."""
    took: list[float] = []
    async with (
        OpenPages(product.port, OPEN_PAGES) as pages,
        websockets.connect(f"{product.url}/CP1", subprotocols=[Subprotocol("ocpp1.6")]) as socket,
    ):
        await socket.send('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
        for number in range(MESSAGES):
            status, shown = ("Available", "Plug a car") if number % 2 == 0 else ("Faulted", "no place is free")
            payload = {"connectorId": 1, "status": status, "errorCode": "NoError"}
            said_at = time.time()
            await socket.send(json.dumps([2, str(number), "StatusNotification", payload]))
            took += [at - said_at for at in await pages.show(shown)]
            await asyncio.sleep(random.random())
    return took[OPEN_PAGES:]  # the first opens the station's way


def measure_pages() -> None:
    """Start an empty product, and print how long what a station says takes to the pages."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        product.start()
        try:
            took = sorted(asyncio.run(listen(product)))
        finally:
            product.stop()
    p99 = took[int(len(took) * 0.99)]
    print(f"station's message → {OPEN_PAGES} open pages: median {statistics.median(took):.2f} s, p99 {p99:.2f} s   ≤ 2")


def main() -> None:
    """Measure both sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--stations", type=int, nargs="*", default=list(GOALS_MS))
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill)
        return
    print(f"{'stations':>8} {'who':14} {'page':28} {'first ms':>8} {'last ms':>8} {'kB':>7}   goal of the first byte")
    for stations in options.stations:
        measure(stations, options.rounds)
    measure_pages()


if __name__ == "__main__":
    main()
