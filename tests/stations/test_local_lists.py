"""Local lists on the wire and in the database: who is on them, when they go out, and what is kept of them."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from badges.models import Badge, BadgeSettings
from simulator import Model
from simulator.link import CallError
from stations import local_lists
from stations.commanding import request_command
from stations.local_lists import Badges, check_local_lists, forget_local_lists, progress_of
from stations.models import BadgeList, Command, Connector, LocalList, Preconfiguration, Station, Transaction
from stations.ocpp16 import charge_point, consumer, sockets
from stations.preconfiguration import restore_preconfiguration
from tests.stations.wire import Wire, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@pytest.fixture(autouse=True)
def published(monkeypatch):
    """Set up at once after a boot; what would be published is kept."""
    messages = []
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)
    for module in ("local_lists", "preconfiguration", "commanding"):
        monkeypatch.setattr(f"stations.{module}.publish", messages.append)
    return messages


def need_badges():
    BadgeSettings.objects.update_or_create(pk=1, defaults={"access_rule": "badge"})


def listed(station=None, most=1000):
    """The list of a station: badge → status, or (status, expiry) where there is one."""
    station = station or Station.objects.get_or_create(identity="CP1")[0]
    wanted = Badges([station.pk]).wanted_by(station.pk, station.takes_all_badges, most)
    return {e.id_tag: (e.status, e.expires_at) if e.expires_at else e.status for e in wanted.entries}


# --- who is on the list


def test_badges_that_may_charge_are_on_the_list_and_refused_ones_as_what_they_are():
    need_badges()
    for name, values in {
        "GOOD": {},
        "OFF": {"is_active": False},
        "OLD": {"expires_on": date(2026, 1, 1)},
        "NEW": {"type": "pending"},
        "ELSEWHERE": {"is_good_everywhere": False},
    }.items():
        Badge.objects.create(id_tag=name, **values)
    assert listed() == {"GOOD": "Accepted", "OFF": "Blocked", "OLD": "Expired"}


def test_an_expiry_is_the_end_of_that_day_in_the_garage():
    need_badges()
    Badge.objects.create(id_tag="A", expires_on=date(2030, 6, 30))
    Badge.objects.create(id_tag="B", expires_on=date.max)
    with timezone.override(ZoneInfo("Europe/Paris")):
        assert listed() == {"A": ("Accepted", "2030-06-30T22:00:00Z"), "B": "Accepted"}


def test_at_midnight_in_the_garage_a_badge_expires():
    need_badges()
    Badge.objects.create(id_tag="A", expires_on=date(2030, 6, 30))
    with timezone.override(ZoneInfo("Europe/Paris")):
        with time_machine.travel(datetime(2030, 6, 30, 21, 59, tzinfo=UTC), tick=False):
            assert listed()["A"][0] == "Accepted"
        with time_machine.travel(datetime(2030, 6, 30, 22, 0, tzinfo=UTC), tick=False):
            assert listed() == {"A": "Expired"}


def test_with_free_access_every_badge_that_is_known_may_charge():
    Badge.objects.create(id_tag="OLD", expires_on=date(2026, 1, 1), is_active=False)
    assert listed() == {"OLD": "Accepted"}


def test_station_and_badge_name_each_other():
    need_badges()
    choosy = Station.objects.create(identity="CP2", takes_all_badges=False)
    badges = [Badge.objects.create(id_tag=name) for name in "AB"]
    local = Badge.objects.create(id_tag="C", is_good_everywhere=False)
    choosy.badges.add(badges[1])
    first = Station.objects.create(identity="CP1")
    assert set(listed(first)) == {"A", "B"}
    assert set(listed(choosy)) == {"B"}
    first.badges.add(local)
    assert set(listed(first)) == {"A", "B", "C"}


def test_a_short_list_keeps_supervisors_and_those_who_charged_last_or_are_new():
    need_badges()
    now = timezone.now()
    station = Station.objects.create(identity="CP1")
    connector = Connector.objects.create(station=station, number=1)
    made = {"RARE": 90, "OFTEN": 80, "BOSS": 99, "OFF": 0, "FRESH": 1}
    for name, days in made.items():
        badge = Badge.objects.create(
            id_tag=name, type="supervisor" if name == "BOSS" else "standard", is_active=name != "OFF"
        )
        Badge.objects.filter(pk=badge.pk).update(created_at=now - timedelta(days=days))
    used = Badge.objects.get(id_tag="OFTEN")
    Transaction.objects.create(
        connector=connector, id_tag="OFTEN", badge=used, meter_start_wh=0, started_at=now - timedelta(days=2)
    )
    by_need = ["BOSS", "FRESH", "OFTEN", "RARE", "OFF"]
    for most in range(6):
        assert set(listed(station, most)) == set(by_need[:most])


# --- on the wire


def row():
    return LocalList.objects.filter(preconfiguration__station__identity="CP1").first()


def is_learned():
    return Preconfiguration.objects.filter(read_at__isnull=False).first()


async def learned(wire):
    await wire.boot()
    await until(is_learned)
    await set_up()


async def set_up():
    """Wait until each station that is connected has been set up."""
    while any(socket._onboarding is None for socket in sockets._sockets.values()) or not sockets._sockets:
        await asyncio.sleep(0)
    await asyncio.gather(*[task for task in asyncio.all_tasks() if "onboard" in str(task.get_coro())])


async def check(published):
    """Check, and hand on what that publishes; returns whether anything was to be said."""
    published.clear()
    await in_database(check_local_lists)
    for message in published:
        sockets.deliver(message)
    sending = [task for task in asyncio.all_tasks() if "bring_up_to_date" in str(task.get_coro())]
    await asyncio.gather(*sending, return_exceptions=True)
    return bool(published)


def sent(wire):
    """What was sent: (kind, version, badges)."""
    return [
        (payload["updateType"], payload["listVersion"], [line["idTag"] for line in payload["localAuthorizationList"]])
        for payload, _ in wire.asked("SendLocalList")
    ]


def make(*names):
    need_badges()
    return [Badge.objects.create(id_tag=name) for name in names]


async def test_after_the_set_up_the_list_goes_out_and_a_check_later_nothing(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        await learned(wire)
        assert await check(published)
        assert not await check(published)
    assert len(wire.asked("GetLocalListVersion")) == 1
    assert sent(wire) == [("Full", 1, ["A"])]
    kept = await in_database(row)
    assert (kept.version, kept.held_id, kept.left_out) == (1, kept.wanted_id, 0)
    assert kept.held_at is not None


async def test_a_change_of_badges_goes_out_as_the_difference_however_many_changed(published):
    await in_database(lambda: make("A", "B"))
    async with Wire() as wire:
        await learned(wire)
        await check(published)
        await in_database(lambda: [Badge.objects.filter(id_tag="B").delete(), make("C", "D")])
        await check(published)
    assert sent(wire)[1:] == [("Differential", 2, ["B", "C", "D"])]


async def test_lists_that_no_station_holds_are_forgotten(published):
    async with Wire() as wire:
        await learned(wire)
        for name in "ABCD":
            await in_database(lambda name=name: make(name))
            await check(published)
    kept = await in_database(lambda: {row.digest: row.size for row in BadgeList.objects.all()})
    assert sorted(kept.values()) == [0, 3, 4], "the empty one, that before, and that of now"


async def test_a_list_goes_out_in_pieces_and_as_long_as_the_station_holds(published):
    await in_database(lambda: make(*(f"B{number}" for number in range(9))))
    async with Wire() as wire:
        wire.simulated.configuration.put("LocalAuthListMaxLength", "7")
        wire.simulated.configuration.put("SendLocalListMaxLength", "3")
        await learned(wire)
        await check(published)
    assert [(kind, version, len(badges)) for kind, version, badges in sent(wire)] == [
        ("Full", 1, 3),
        ("Differential", 2, 3),
        ("Differential", 3, 1),
    ]
    assert (await in_database(row)).left_out == 2


async def test_a_station_that_holds_no_badges_is_sent_none(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.simulated.configuration.put("LocalAuthListMaxLength", "0")
        await learned(wire)
        await check(published)
        assert not await check(published)
    assert sent(wire) == []
    assert (await in_database(row)).left_out == 1


async def test_a_limit_waits_for_one_piece_at_most(published):
    await in_database(lambda: make(*"ABCDEF"))
    async with Wire() as wire:
        wire.simulated.configuration.put("SendLocalListMaxLength", "2")
        await learned(wire)
        number = await wire.begin()
        connector = await in_database(Connector.objects.get)
        own = wire.simulated.local_list.update

        def take(payload):
            if payload["listVersion"] == 1:
                limit = [wire.station_id, connector.pk, 1, number, 13.0]
                sockets.deliver({"type": "stations.limits", "limits": [limit]})
            return {"status": own(payload, most=10, most_at_once=2)}

        wire.replies["SendLocalList"] = take
        await check(published)
        asked = [action for action, _, _ in wire.calls if action in ("SendLocalList", "SetChargingProfile")]
    assert sorted(asked) == ["SendLocalList"] * 3 + ["SetChargingProfile"]
    assert asked.index("SetChargingProfile") < 3


async def test_a_broken_push_goes_on_where_it_was(monkeypatch, published):
    await in_database(lambda: make(*"ABCDE"))
    async with Wire() as wire:
        wire.simulated.configuration.put("SendLocalListMaxLength", "2")
        await learned(wire)
        simulated, silent = wire.simulated, asyncio.Event()

        def stop_at_the_second(payload):
            if payload["listVersion"] == 2:
                silent.set()
                return None
            return {"status": simulated.local_list.update(payload, most=10, most_at_once=2)}

        wire.replies["SendLocalList"] = stop_at_the_second
        await in_database(check_local_lists)
        sockets.deliver(published[-1])
        await silent.wait()
    assert (await in_database(row)).taken == 2
    monkeypatch.setattr(consumer, "QUIET_S", 0)
    async with Wire() as again:
        await set_up()
        again.simulated.local_list = simulated.local_list
        again.simulated.configuration.put("SendLocalListMaxLength", "2")
        await check(published)
    assert [kind for kind, _, _ in sent(again)] == ["Differential", "Differential"]
    assert set(again.simulated.local_list.entries) == set("ABCDE")
    assert not await check(published), "it is away"


async def test_a_station_that_lost_its_list_gets_it_whole_after_a_boot(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        await learned(wire)
        await check(published)
    async with Wire() as other:
        assert not await check(published)
        await learned(other)
        await check(published)
        assert sent(other) == [("Full", 2, ["A"])]


async def test_a_station_without_the_profile_is_sent_nothing(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.simulated.configuration.put("SupportedFeatureProfiles", "Core,SmartCharging")
        await learned(wire)
        assert not await check(published)
    assert await in_database(row) is None


async def test_a_station_that_does_not_support_it_after_all_is_not_asked_until_it_is_restored(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.simulated.configuration.put("LocalAuthListEnabled", "false")
        wire.replies["ChangeConfiguration"] = lambda _: {"status": "Rejected"}
        await learned(wire)
        assert await check(published)
        assert not await check(published)
        assert not (await in_database(row)).is_supported
        wire.simulated.configuration.put("LocalAuthListEnabled", "true")
        await in_database(lambda: restore_preconfiguration(station_ids=[wire.station_id]))
        await learned(wire)
        assert await check(published)
        assert set(wire.simulated.local_list.entries) == {"A"}


async def test_a_list_that_is_refused_is_tried_again_an_hour_later(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.replies["SendLocalList"] = lambda _: {"status": "Failed"}
        await learned(wire)
        await check(published)
        assert not await check(published)
        assert len(sent(wire)) == 2
        assert (await in_database(row)).error == "Full: Failed"
        del wire.replies["SendLocalList"]
        await in_database(lambda: LocalList.objects.update(tried_at=timezone.now() - timedelta(hours=2)))
        assert await check(published)
        assert (await in_database(row)).error == ""


async def test_a_change_of_badges_is_a_new_chance(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.replies["SendLocalList"] = lambda _: {"status": "Failed"}
        await learned(wire)
        await check(published)
        del wire.replies["SendLocalList"]
        await in_database(lambda: make("B"))
        await check(published)
        assert set(wire.simulated.local_list.entries) == {"A", "B"}


async def test_a_station_that_answers_with_an_error_is_left_alone(published):
    def refuse(_payload):
        raise CallError("InternalError", "no\x00room")

    await in_database(lambda: make("A"))
    async with Wire() as wire:
        wire.replies["GetLocalListVersion"] = refuse
        await learned(wire)
        await check(published)
        assert not await check(published)
    assert (await in_database(row)).error == "GetLocalListVersion: InternalError"


async def test_a_silent_station_is_asked_three_times_and_keeps_its_socket(monkeypatch, published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        await learned(wire)
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.01)
        monkeypatch.setattr(consumer, "MOST_UNANSWERED", 9)
        wire.replies["GetLocalListVersion"] = lambda _: None
        for _ in range(5):
            await check(published)
        assert len(wire.asked("GetLocalListVersion")) == 3
        await wire.ask("Heartbeat")
        await in_database(lambda: LocalList.objects.update(tried_at=timezone.now() - timedelta(days=2)))
        for _ in range(3):
            await check(published)
        assert len(wire.asked("GetLocalListVersion")) == 4


async def test_a_station_that_restarts_when_asked_is_asked_three_times_and_then_left_alone(published):
    await in_database(lambda: make("A"))
    questions = 0
    for _ in range(5):
        async with Wire() as wire:
            asked = asyncio.Event()
            wire.replies["GetLocalListVersion"] = lambda _, asked=asked: asked.set()
            await learned(wire)
            published.clear()
            await in_database(check_local_lists)
            for message in published:
                sockets.deliver(message)
                await asked.wait()
            questions += asked.is_set()
    assert questions == 3


async def test_sending_anew_sends_the_whole(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        await learned(wire)
        await check(published)
        wire.simulated.local_list.entries.clear()
        await in_database(lambda: forget_local_lists(station_ids=[wire.station_id]))
        await check(published)
        assert set(wire.simulated.local_list.entries) == {"A"}


async def test_a_list_that_a_person_sent_by_hand_is_replaced(published):
    await in_database(lambda: make("A"))
    async with Wire() as wire:
        await learned(wire)
        await check(published)
        station = await in_database(Station.objects.get)
        payload = {"listVersion": 9, "updateType": "Full", "localAuthorizationList": []}
        published.clear()
        await in_database(lambda: request_command(station=station, action="SendLocalList", payload=payload, user=None))
        sockets.deliver(published[-1])
        await until(lambda: Command.objects.filter(state="accepted").exists())
        await check(published)
        assert set(wire.simulated.local_list.entries) == {"A"}


async def test_a_list_that_was_set_back_while_a_piece_was_under_way_is_asked_for_anew():
    await in_database(lambda: make("A"))
    await in_database(lambda: Station.objects.create(identity="CP1", state="configured"))

    def lie():
        station = Station.objects.get()
        kept = Preconfiguration.objects.create(
            station=station,
            read_at=timezone.now(),
            reported={"SupportedFeatureProfiles": ["LocalAuthListManagement", True]},
        )
        Station.objects.update(socket_id="x")
        check_local_lists()
        LocalList.objects.update(is_checked=True)
        step = local_lists.take_step(station_id=station.pk)
        forget_local_lists(station_ids=[station.pk])
        following = local_lists.take_step(station_id=station.pk, last=step, answer={"status": "Accepted"})
        return following.call.action, progress_of(kept.local_list).held

    assert await in_database(lie) == ("GetLocalListVersion", None)


async def test_the_list_is_switched_on_where_it_is_off(published):
    await in_database(lambda: make("A"))
    async with Wire(Model()) as wire:
        wire.simulated.configuration.put("LocalAuthListEnabled", "false")
        wire.simulated.configuration.put("LocalAuthorizeOffline", "false")
        await learned(wire)
        await check(published)
        assert wire.written() == [
            ("LocalAuthListEnabled", "true", "Accepted"),
            ("LocalAuthorizeOffline", "true", "Accepted"),
        ]
        assert set(wire.simulated.local_list.entries) == {"A"}
