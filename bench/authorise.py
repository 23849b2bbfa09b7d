"""Measure what it costs to decide on a badge: `make bench-authorise`.

A database of its own (LLM_DATABASE_URL chooses another than SQLite) with 50,000 badges, half of them good at chosen
stations alone. Printed are the CPU time and the median of an answer to a reader, by what comes of it, without the
commit: that is shared by all stations that wait (`make bench-ocpp`).
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

GOAL_MS = 2.0
BADGES, STATIONS, CHARGING = 50_000, 200, 100


def fill() -> None:
    """Make the badges, and stations of which half charge."""
    from django.utils import timezone

    from badges.models import Badge, BadgeSettings
    from stations.models import Connector, Station, Transaction

    BadgeSettings.objects.create(access_rule="badge")
    Badge.objects.bulk_create(
        Badge(id_tag=f"04{number:012x}", is_good_everywhere=number % 2 == 0) for number in range(BADGES)
    )
    badges = list(Badge.objects.order_by("pk"))
    stations = Station.objects.bulk_create(Station(identity=f"CP{number}", socket_id="b") for number in range(STATIONS))
    connectors = Connector.objects.bulk_create(Connector(station=station, number=1) for station in stations)
    through = Station.badges.through
    through.objects.bulk_create(
        through(station=stations[number % STATIONS], badge=badge) for number, badge in enumerate(badges) if number % 2
    )
    Transaction.objects.bulk_create(
        Transaction(connector=connector, badge=badge, id_tag=badge.id_tag, meter_start_wh=0, started_at=timezone.now())
        for connector, badge in zip(connectors[:CHARGING], badges[:CHARGING], strict=True)
    )


def measure(name: str, ask: Callable[[int], object], rounds: int) -> bool:
    """Print one line of the table; returns whether the goal is met."""
    from django.db import transaction

    times_ms = []
    with transaction.atomic():
        cpu_s = time.process_time()
        for number in range(rounds):
            started = time.perf_counter()
            ask(number)
            times_ms.append((time.perf_counter() - started) * 1000)
        cpu_ms = (time.process_time() - cpu_s) * 1000 / rounds
    print(f"{name:<42} {cpu_ms:>7.2f} {median(times_ms):>10.2f} {GOAL_MS:>8.1f}")
    return max(cpu_ms, median(times_ms)) <= GOAL_MS


def run(rounds: int) -> bool:
    """Measure each kind of answer; returns whether all meet the goal."""
    from badges.models import BadgeSettings
    from badges.scanning import start_scan
    from stations.authorising import present_badge
    from stations.models import Station

    chance, station_ids = random.Random(1), list(Station.objects.order_by("pk").values_list("pk", flat=True))
    idle = station_ids[CHARGING:]

    def ask_good(number: int) -> bool:
        badge = chance.randrange(CHARGING // 2, BADGES // 2) * 2
        return present_badge(station_id=idle[number % len(idle)], id_tag=f"04{badge:012X}").decision.is_accepted

    def ask_chosen(number: int) -> bool:
        badge = number * 2 + 1 + STATIONS
        return present_badge(station_id=station_ids[badge % STATIONS], id_tag=f"04{badge:012X}").decision.is_accepted

    def ask_busy(number: int) -> bool:
        badge = number % CHARGING
        return present_badge(station_id=idle[number % len(idle)], id_tag=f"04{badge:012X}").decision.is_accepted

    def ask_unknown(number: int) -> bool:
        return present_badge(station_id=idle[number % len(idle)], id_tag=f"FF{number}").decision.is_accepted

    print(f"{f'{BADGES:,} badges':<42} {'CPU ms':>7} {'median ms':>10} {'goal':>8}")
    met = [
        measure("accepted, good for all stations", ask_good, rounds),
        measure("accepted, linked to the station", ask_chosen, rounds),
        measure("refused: unknown (written)", ask_unknown, rounds),
    ]
    start_scan(station_ids=[station_ids[0]], user=None)
    BadgeSettings.objects.update(allows_concurrent_use=False)
    met += [
        measure("accepted, one car a badge, others scanned", ask_good, rounds),
        measure("refused: charges elsewhere (written)", ask_busy, rounds),
    ]
    return all(met)


def main() -> None:
    """Measure in a folder of its own, and end with 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500, help="answers of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llm-bench-") as folder:
        os.environ.update(LLM_DATA_DIR=folder, DJANGO_SETTINGS_MODULE="llm_site.settings")
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        fill()
        is_met = run(arguments.rounds)
        connection.close()
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
