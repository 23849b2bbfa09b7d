"""The message log holds what went over a station's socket, and no secret."""

import json
from datetime import timedelta

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from stations.message_log import TRIM_EACH, Heard, as_json_lines, keep_frames, old_frames
from stations.models import FRAMES_KEPT, Frame, Station
from stations.ocpp16 import frame_buffer, sockets
from stations.ocpp16.blanking import HIDDEN
from tests.stations.wire import Wire

NOON = 1_790_000_000.0
DEEP = [
    f'[2,"1","DataTransfer",{{"vendorId":"{vendor}","data":{"[" * levels}{"]" * levels}}}]'
    for vendor in ("x", "token")
    for levels in (200, 300, 900)
]


@pytest.fixture
def station(db):  # noqa: ARG001 (the fixture opens the database)
    return Station.objects.create(identity="garage/CP1")


def heard(station, number=0, *, action="Heartbeat", text='[2,"1","Heartbeat",{}]', is_incoming=True):
    return Heard(station.pk, NOON + number, is_incoming, action, text)


def texts(station):
    return list(station.frames.order_by("number").values_list("text", flat=True))


def test_the_last_thousand_frames_are_kept(station):
    for begin in range(0, 2 * FRAMES_KEPT, 30):
        keep_frames(frames=[heard(station, n, text=str(n)) for n in range(begin, begin + 30)])
    kept = texts(station)
    assert kept[-1] == str(begin + 29)
    assert FRAMES_KEPT <= len(kept) < FRAMES_KEPT + TRIM_EACH
    assert kept == [str(n) for n in range(begin + 30 - len(kept), begin + 30)]


def test_each_station_has_a_log_of_its_own(station):
    other = Station.objects.create(identity="CP2")
    keep_frames(frames=[heard(other, n, text="other") for n in range(FRAMES_KEPT + TRIM_EACH)] + [heard(station)])
    assert station.frames.count() == 1
    assert other.frames.count() == FRAMES_KEPT


def test_frames_of_a_station_that_is_gone_do_not_cost_the_others(station):
    gone = Station.objects.create(identity="CP2")
    frames = [heard(gone), heard(station)]
    gone.delete()
    keep_frames(frames=frames)
    assert Frame.objects.count() == 1


def test_frames_older_than_so_many_days_are_found(station):
    now = timezone.now().timestamp()
    old = now - timedelta(days=7, minutes=1).total_seconds()
    keep_frames(frames=[Heard(station.pk, old, True, "", "old"), Heard(station.pk, now, True, "", "new")])
    assert [frame.text for frame in old_frames(days=7)] == ["old"]
    assert not old_frames(days=8)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("ChangeConfiguration", '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0a1b2c3d"}]'),
        ("GetConfiguration", '[3,"1",{"configurationKey":[{"key":"WifiPassword","value":"0a1b2c3d"}]}]'),
        ("GetConfiguration", r'[3,"1",{"configurationKey":[{"key":"URL","value":"wss:\/\/cp:0a1b2c3d@host"}]}]'),
        ("GetDiagnostics", '[2,"1","GetDiagnostics",{"location":"ftp://eve:0a1b2c3d@192.168.1.2/"}]'),
        ("GetDiagnostics", '[2,"1","GetDiagnostics",{"location":"ftp://eve:0a1b2c3d/x@192.168.1.2/"}]'),
        ("DataTransfer", '[2,"1","DataTransfer",{"vendorId":"x","password":"0a1b2c3d"}]'),
        ("DataTransfer", r'[2,"1","DataTransfer",{"vendorId":"x","data":"{\"password\":\"0a1b2c3d\"}"}]'),
        ("", '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0a1b2c3d"'),
    ],
)
def test_secrets_are_blanked(station, action, text):
    keep_frames(frames=[heard(station, action=action, text=text)])
    (kept,) = texts(station)
    assert HIDDEN in kept
    assert "0a1b2c3d" not in kept


def test_a_very_long_frame_is_cut():
    frame_buffer.take()
    frame_buffer.note(1, "x" * 1_000_000, action="", is_incoming=True)
    (kept,) = frame_buffer.take()
    assert kept.text == "x" * frame_buffer.LONGEST


def test_what_no_database_keeps_is_left_out(station):
    keep_frames(frames=[heard(station, text="a\x00b", action="x\x00y")])
    (frame,) = Frame.objects.all()
    assert (frame.text, frame.action) == ("ab", "xy")


def test_the_download_has_one_object_a_line_and_frames_as_json(station):
    answer = heard(station, 1, text='[3,"1",{}]', is_incoming=False)
    keep_frames(frames=[heard(station), answer, heard(station, 2, action="", text="no JSON\n")])
    lines = [orjson.loads(line) for line in b"".join(as_json_lines(station)).splitlines()]
    assert [(line["from"], line["frame"]) for line in lines] == [
        ("station", [2, "1", "Heartbeat", {}]),
        ("llm", [3, "1", {}]),
        ("station", "no JSON\n"),
    ]
    assert lines[0]["at"] == "2026-09-21T14:13:20Z"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
async def test_a_call_and_its_answer_stand_in_the_log_whoever_began():
    frame_buffer.take()
    async with Wire() as wire:
        await wire.boot()
        await sockets._sockets[wire.station_id].call("ClearCache", {})
        noted = frame_buffer.take()
    assert [(frame.is_incoming, frame.action, json.loads(frame.text)[0]) for frame in noted] == [
        (True, "BootNotification", 2),
        (False, "BootNotification", 3),
        (False, "ClearCache", 2),
        (True, "ClearCache", 3),
    ]


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def test_the_log_is_searched_by_any_part_of_a_message(station, admin):
    keep_frames(frames=[heard(station), heard(station, 1, action="DataTransfer", text='[2,"7","DataTransfer",{}]')])
    page = admin.get(reverse("admin:stations_frame_changelist"), {"q": '"7"'}).content.decode()
    assert "DataTransfer" in page
    assert "[2,&quot;1&quot;" not in page


def test_a_station_s_page_leads_to_its_messages_and_their_download(station, admin):
    keep_frames(frames=[heard(station)])
    page = admin.get(reverse("admin:stations_station_change", args=[station.pk])).content.decode()
    shown = reverse("admin:stations_station_show_messages", args=[station.pk])
    download = reverse("admin:stations_station_download_messages", args=[station.pk])
    assert shown in page
    assert download in page
    assert "Heartbeat" in admin.get(shown, follow=True).content.decode()
    answer = admin.get(download)
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''garage%2FCP1.jsonl"
    assert orjson.loads(answer.content)["frame"] == [2, "1", "Heartbeat", {}]


def test_the_log_is_not_for_who_may_not_see_it(station, client):
    client.force_login(User.objects.create(username="joe", is_staff=True, role="standard"))
    for name in ("show_messages", "download_messages"):
        answer = client.get(reverse(f"admin:stations_station_{name}", args=[station.pk]))
        assert answer.status_code in (302, 403)
        assert "frame" not in answer.get("Location", "")


@pytest.mark.parametrize("text", DEEP)
def test_a_frame_nested_deeper_than_can_be_written_costs_the_others_nothing(station, text):
    other = Station.objects.create(identity="CP2")
    keep_frames(frames=[heard(other), heard(station, action="DataTransfer", text=text)])
    assert Frame.objects.count() == 2


@pytest.mark.parametrize("text", DEEP)
def test_a_frame_nested_deeper_than_can_be_written_is_downloaded_all_the_same(station, text):
    keep_frames(frames=[heard(station, action="DataTransfer", text=text), heard(station, 1)])
    assert len(list(as_json_lines(station))) == 2
