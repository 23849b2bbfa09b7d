"""A garage in the data folder of LLM_DATA_DIR, driven line by line from standard input by the browser tests."""

import json
import math
import os
import random
import sys
from datetime import datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")
django.setup()

from asgiref.sync import async_to_sync  # noqa: E402 (needs the apps loaded)
from channels.layers import get_channel_layer  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import AccessSettings, Role, SignInTries, User  # noqa: E402
from accounts.services import create_first_user  # noqa: E402
from badges.import_models import BadgeImport, ImportedRow  # noqa: E402
from badges.importing import begin_import, check_on, write_import  # noqa: E402
from badges.models import Badge, BadgeSettings, Refusal, Scan  # noqa: E402
from badges.refusals import keep_refusal  # noqa: E402
from badges.scanning import note_scanned, start_scan  # noqa: E402
from energy.balancing import balance  # noqa: E402
from energy.means import CURRENTS, MINUTE_S, QUARTER_S  # noqa: E402
from energy.models import Allocation, Installation, Meter, MeterSearch, Reading, ReadingMean, TimeTableRow  # noqa: E402
from exports.models import ExportSettings, HistoryImport, ImportedTransaction, MonthlyMail  # noqa: E402
from stations.commanding import note_sent, request_command, settle_command  # noqa: E402
from stations.discovery.hosts import Host  # noqa: E402
from stations.models import (  # noqa: E402
    Certificate,
    Circuit,
    Command,
    CommandState,
    Connector,
    CpoLink,
    CpoMessage,
    CpoServer,
    Frame,
    MeterValue,
    SecurityEvent,
    Station,
    StationSearch,
    StationSearchState,
    StationState,
    StopRequest,
    StrayMessage,
    Transaction,
)

# name, rotation, status, drawn on the station's phases, limit, reason with its figures, holder, minutes since, energy
L1_FULL = ("line_full", {"line": "L1", "shared_by": 3})
PLACES = [
    ("Place 01", "L1L2L3", "Charging", (6.9, 6.9, 7.0), 7.0, L1_FULL, "Anna Weber", 94, 6420),
    ("Place 02", "L2L3L1", "Charging", (7.0, 6.8, 6.9), 7.0, L1_FULL, "Fleet 2", 61, 4380),
    ("Place 03", "L1", "Charging", (13.8, 0.0, 0.0), 14.0, L1_FULL, "Luc Martin", 38, 1960),
    ("Place 04", "L3L1L2", "SuspendedEV", (0.0, 0.0, 0.0), 6.0, ("car_takes_no_more", {}), "Fleet 1", 412, 31870),
    ("Place 05", "L1L2L3", "SuspendedEVSE", (0.0, 0.0, 0.0), 0.0, ("waiting", {"ahead": 0}), "Emma Petit", 6, 0),
    ("Place 06", "L1L2L3", "Available", None, None, None, "", 0, 0),
    ("Place 07", "L2", "Available", None, None, None, "", 0, 0),
    ("Place 08", "L1L2L3", "Faulted", None, None, None, "", 0, 0),
]


def turn(
    at: datetime,
    building: list[float],
    charging: list[float],
    usable: float = 50.4,
    state: str = "operational",
) -> None:
    """Write what one turn of the loop leaves: one reading."""
    currents = {}
    for line in range(3):
        currents[f"grid_l{line + 1}_a"] = building[line] + charging[line]
        currents[f"charging_l{line + 1}_a"] = charging[line]
        currents[f"limit_l{line + 1}_a"] = max(0.0, usable - building[line])
    Reading.objects.create(at=at, state=state, **currents)


def announce() -> None:
    """Tell the pages that something changed."""
    async_to_sync(get_channel_layer().group_send)("dashboard", {"type": "dashboard.changed"})


def seed() -> None:
    """Fill an empty database with a working garage and a quarter of an hour of readings."""
    now = timezone.now()
    dice = random.Random(7)
    Installation.objects.update_or_create(
        pk=1, defaults={"name": "Résidence du Parc", "fuse_a": 63, "measurement": "direct"}
    )
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": "tcp://192.168.1.20:502"})
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"})
    add_users()
    for number, place in enumerate(PLACES, start=1):
        add_place(number, place, now)
    building = [24.0, 19.5, 22.0]
    for second in range(-880, 1):
        bump = 9.0 if -520 < second < -300 else 0.0
        building = [min(30.0, max(16.0, amps + dice.gauss(0, 0.25))) for amps in building]
        seen = [amps + bump for amps in building]
        wanted = [27.6, 13.8, 13.8] if second > -660 else [20.7, 6.9, 6.9]
        turn(now + timedelta(seconds=second), seen, [min(wanted[line], 50.4 - seen[line]) for line in range(3)])


def add_users() -> None:
    """Let an administrator and a user in; the first start is behind them."""
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})
    for name, role in (("admin", Role.ADMINISTRATOR), ("marie", Role.STANDARD)):
        user = User(username=name, role=role, is_staff=role != Role.STANDARD, is_superuser=role == Role.ADMINISTRATOR)
        user.set_password(os.environ["GARAGE_PASSWORD"])
        user.save()


def add_place(number: int, place: tuple[Any, ...], now: datetime) -> None:
    """Set up one station, with its session where a car is plugged in."""
    name, rotation, status, drawn, limit_a, why, holder, minutes, energy_wh = place
    station = Station.objects.create(
        identity=f"EV-{number:02}",
        name=name,
        state=StationState.CONFIGURED,
        phase_rotation=rotation,
        socket_id="open",
        connected_at=now,
    )
    connector = Connector(station=station, number=1, status=status, energy_wh=120_000 + energy_wh, measured_at=now)
    if drawn is not None:
        connector.current_l1_a, connector.current_l2_a, connector.current_l3_a = drawn
    connector.save()
    if why is None:
        return
    badge = Badge.objects.create(id_tag=f"04A1{number:08X}", comment=holder)
    Transaction.objects.create(
        connector=connector,
        id_tag=badge.id_tag,
        badge=badge,
        meter_start_wh=120_000,
        started_at=now - timedelta(minutes=minutes),
    )
    Allocation.objects.create(connector=connector, decided_at=now, limit_a=limit_a, reason=why[0], reason_params=why[1])


def add_curve() -> None:
    """Write a week of quarters of an hour and a day of minutes: the building takes most at noon."""
    now = timezone.now()
    for span_s, count in ((QUARTER_S, 672), (MINUTE_S, 1440)):
        end = now - timedelta(seconds=now.timestamp() % span_s)
        begins = [end - timedelta(seconds=span_s * (number + 1)) for number in range(count)]
        rows = [ReadingMean(span_s=span_s, begins_at=begin, readings=span_s) for begin in begins]
        for row in rows:
            building = 20 - 10 * math.cos(row.begins_at.timestamp() / 86_400 * math.tau)
            for name, current in zip(
                CURRENTS, [building + 9.0] * 3 + [9.0, 12.0, 6.0] + [50.4 - building] * 3, strict=True
            ):
                setattr(row, name, current)
        ReadingMean.objects.bulk_create(rows)


def make_trouble() -> None:
    """Have a station disobey, one refuse its limit, one away, and a car wait for free current to stay."""
    Allocation.objects.filter(connector__station__name="Place 03").update(
        reason="ignores_limit", reason_params={"drawn_a": 17.2}, limit_a=6
    )
    Connector.objects.filter(station__name="Place 02").update(refusal="Rejected")
    Station.objects.filter(name="Place 07").update(socket_id="", last_seen_at=timezone.now())
    turn(timezone.now(), [12.0, 12.0, 12.0], [17.0, 10.0, 10.0])


def add_records() -> None:
    """Give every page of the admin something to show."""
    now = timezone.now()
    station = Station.objects.order_by("pk").first()
    basement = Circuit.objects.create(name="Basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    deeper = Circuit.objects.create(name="Second basement", limit_l1_a=8, limit_l2_a=40, limit_l3_a=20, parent=basement)
    Station.objects.filter(name__in=["Place 01", "Place 03"]).update(circuit=basement)
    Station.objects.filter(name__in=["Place 02", "Place 05", "Place 06"]).update(circuit=deeper)
    waiting = Allocation.objects.filter(connector__station__circuit=deeper, reason="waiting")
    waiting.update(reason_params={"ahead": 0, "circuit": deeper.name})
    TimeTableRow.objects.create(days=[0, 1, 2, 3, 4], begins="06:00", ends="22:00", limit_a=40)
    Station.objects.create(identity="EV-99", state=StationState.PENDING)
    text = json.dumps([2, "19223201", "StatusNotification", {"connectorId": 1, "status": "Charging"}]) * 5
    Frame.objects.create(station=station, number=1, at_s=now.timestamp(), is_incoming=True, action="Boot", text=text)
    StrayMessage.objects.create(station=station, action="StopTransaction", payload={}, reason="unknown transaction")
    SecurityEvent.objects.create(station=station, type="InvalidTLSVersion", at=now, received_at=now)
    Certificate.objects.create(
        station=station,
        common_name="EV-01",
        serial_number="1f" * 16,
        fingerprint="2e" * 32,
        request_hash="3d" * 32,
        pem="-----BEGIN CERTIFICATE-----",
        not_before=now,
        not_after=now + timedelta(days=365),
    )
    request_command(station=station, action="GetConfiguration", payload={}, user=None)
    note_scanned(scans=[start_scan(station_ids=[], user=None)], id_tag="010000A104", station="Place 01")
    keep_refusal(id_tag="CAFE02", station="Place 01", reason="unknown")
    supervisor, later = Badge.objects.create(id_tag="5AFE", type="supervisor"), now + timedelta(minutes=10)
    StopRequest.objects.create(station=station, badge=supervisor, asked_at=now, open_until=later)
    StopRequest.objects.create(station=station, badge=supervisor, asked_at=now, transaction=Transaction.objects.first())
    add_history(station, now)
    add_operator(station, now)


def add_operator(station: Station, now: datetime) -> None:
    """Let an operator with long names be out of reach, while messages wait for it."""
    server = CpoServer.objects.create(
        name="Charging of the old harbour Ltd & Co. KG", url="wss://op.example/" + 80 * "x"
    )
    Station.objects.filter(pk=station.pk).update(cpo_server=server, is_cpo_enabled=True)
    link = CpoLink.objects.create(
        station=station, server=server, identity=station.identity, state="unreachable", cause="refused"
    )
    waiting = {"link": link, "action": "StartTransaction", "payload": "{}", "queued_at": now}
    CpoMessage.objects.create(**waiting)
    CpoMessage.objects.create(**waiting, set_aside_at=now, error="no answer: closed 1001 going away", losses=20)


def add_history(station: Station, now: datetime) -> None:
    """Add what was charged: a session with its course, an imported one, a month that could not be sent."""
    running = Transaction.objects.filter(connector__station=station).first()
    begun = now - timedelta(hours=30)
    charged = {"meter_start_wh": 100_000, "meter_stop_wh": 117_250, "flags": ["clock"], "stop_reason": "EVDisconnected"}
    ended = Transaction.objects.create(
        connector=running.connector,
        badge=running.badge,
        id_tag=running.id_tag,
        started_at=begun,
        stopped_at=begun + timedelta(hours=3),
        **charged,
    )
    for minute in range(0, 181, 5):
        current_a = 15.8 if minute < 130 else max(0.0, 15.8 - (minute - 130) / 4)
        MeterValue.objects.create(
            connector=running.connector,
            transaction=ended,
            measured_at=begun + timedelta(minutes=minute),
            power_w=current_a * 690,
            energy_wh=100_000 + min(17_250, minute * 110),
            current_l1_a=current_a,
            current_l2_a=current_a * 0.97,
            current_l3_a=current_a * 1.02,
        )
    brought_by = HistoryImport.objects.create(
        file_name="chargements-2022.csv",
        time_zone="Europe/Paris",
        is_wh=True,
        state="finished",
        done=1,
        total=1,
        added=1,
    )
    ImportedTransaction.objects.create(
        number=12,
        station_mac_address="a0:02:4a:e0:a3:c5",
        started_at=begun,
        id_tag="34f5db32",
        flags=["not_ended", "energy_wrapped"],
        brought_by=brought_by,
    )
    month = now.date().replace(day=1)
    MonthlyMail.objects.create(month=month, state="failed", error="450 mailbox busy", tried_at=now, retry_at=now)
    ExportSettings.objects.update_or_create(
        pk=1, defaults={"price": "0.2516", "off_peak_price": "0.2068", "off_peak_times": "22:00-06:00"}
    )


def add_import() -> None:
    """Check a file with a row of each kind."""
    Badge.objects.create(id_tag="A1", comment="Anna")
    Badge.objects.create(id_tag="A2")
    raw = b"badgeId;type;comment\nA1;SUPERVISOR;Anna\nA2;;\n0012;;with zeros\n12;;\n1,2E+09;VIP;\n"
    check_on(run=begin_import(file_name="badges.csv", raw=raw, user=None, address=None))


def work_on_import() -> None:
    """Do what the worker was asked."""
    run = BadgeImport.get_solo().run
    check_on(run=run)
    write_import(run=run)


def see() -> None:
    """Let the last search have seen six stations, two of which are connected, and what is none."""
    six = [("hager-evcs-cPW7zN", "a0:02:4a:e0:a1:04"), ("ace-ACE0870096", "54:9a:11:90:00:96")]
    six += [(f"hager-evcs-aB0{number}xY", f"a0:02:4a:e0:00:0{number}") for number in (1, 2)]
    six += [("TeslaWallConnector_9A2B", "98:ed:5c:00:00:01"), ("go-echarger_123456", "98:fc:84:10:00:01")]
    hosts = [Host(mac, (f"192.168.1.{50 + at}",), (name,), (), (80,)) for at, (name, mac) in enumerate(six)]
    hosts += [Host("90:98:77:00:00:01", ("192.168.1.33",)), Host("02:00:00:00:00:01", ("192.168.1.1",), ("router",))]
    hosts += [Host("02:00:00:00:60:01", ("192.168.1.51",))]
    seen = [host.dump() for host in hosts]
    StationSearch.objects.update_or_create(
        pk=1, defaults={"seen": seen, "state": StationSearchState.FINISHED, "begun_at": timezone.now()}
    )
    at_hager = {"ip_address": "192.168.1.52", "called_address": "192.168.1.10"}
    Station.objects.filter(identity="EV-01").update(**at_hager)
    Station.objects.filter(identity="EV-02").update(ip_address="192.168.1.50")
    lost = {"socket_id": "", "called_address": "192.168.1.9"}
    Station.objects.filter(identity__in=["EV-06", "EV-07"]).update(**lost)


def obey(command: str, words: list[str]) -> None:
    """Carry out one line."""
    match command:
        case "seed":
            seed()
        case "deliver":
            create_first_user()
        case "seed-empty":  # a fixed current to share, and no station yet
            Installation.objects.update_or_create(
                pk=1, defaults={"mode": "static", "fuse_a": 63, "static_limit_a": 48, "measurement": "direct"}
            )
            add_users()
            turn(timezone.now(), [0.0] * 3, [0.0] * 3)
        case "history":
            add_curve()
        case "trouble":
            make_trouble()
        case "wait":
            Allocation.objects.update(limit_a=0, reason="waiting", reason_params={"ahead": 0})
            turn(timezone.now(), [12.0] * 3, [0.0] * 3)
        case "balance":
            balance()
        case "records":
            add_records()
            add_import()
        case "work-on-import":
            work_on_import()
        case "see":  # what a search sees, and is over then
            see()
        case "turn":
            building, charging = float(words[0]), float(words[1])
            turn(timezone.now(), [building, building - 4.5, building - 2.0], [charging] * 3)
        case "found-meter":
            found = {"model": "", "label": "", "url": words[0], "unit": 1, "is_in_use": False}
            MeterSearch.objects.update_or_create(pk=1, defaults={"state": "finished", "found": [found]})
        case "pause":
            now, begin, end = timezone.now(), float(words[0]), float(words[1])
            stopped = (now - timedelta(seconds=begin), now - timedelta(seconds=end))
            Reading.objects.filter(at__range=stopped).delete()
        case "meter-silent":
            Meter.objects.update(failing_since=timezone.now() - timedelta(minutes=1), last_error=" ".join(words))
            turn(timezone.now(), [0.0] * 3, [18.0] * 3, state="fail_safe")
        case "restricted" | "public":
            AccessSettings.objects.update_or_create(pk=1, defaults={"dashboard_access": command})
        case "answer":
            for asked in Command.objects.filter(state=CommandState.QUEUED):
                note_sent(command_id=asked.pk)
                settle_command(command_id=asked.pk, state=CommandState.ACCEPTED, answer=json.loads(" ".join(words)))
        case "clear":
            Circuit.objects.update(parent=None)
            for model in (
                MeterValue,
                TimeTableRow,
                ImportedTransaction,
                HistoryImport,
                MonthlyMail,
                ExportSettings,
                Scan,
                Refusal,
                Transaction,
                Allocation,
                Reading,
                ReadingMean,
                Connector,
                Station,
                CpoServer,
                Badge,
                Circuit,
                User,
                SignInTries,
            ):
                model.objects.all().delete()
            for model in (
                Installation,
                Meter,
                MeterSearch,
                BadgeSettings,
                AccessSettings,
                BadgeImport,
                ImportedRow,
                StationSearch,
            ):
                model.objects.all().delete()
    announce()


if __name__ == "__main__":
    for line in sys.stdin:
        command, *words = line.split()
        obey(command, words)
        print("done", flush=True)
