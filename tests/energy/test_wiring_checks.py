"""Wiring checks in the loop and on their page: begun, followed, ended once, taken over."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Change
from accounts.services import save_user
from energy import balancing
from energy.admin.wiring import outcome_of
from energy.allocation import LinesFault
from energy.dashboard import compute_overview
from energy.general_settings import save_general_settings
from energy.lines_fault import keep_lines_fault, lines_alarm, look_again_at_lines
from energy.manager_state import Cause, current_state
from energy.models import Installation, Meter, Reading, WiringCheck
from energy.wiring import Finding
from energy.wiring_checks import Follower, UnfitForCheck, begin_wiring_check, end_wiring_check, swapped_lines
from stations.errors import UnfitForTest
from stations.fail_safe import begin_fail_safe_test
from stations.models import Connector, FailSafeTest, Station, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def connector():
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 63})
    Meter.objects.update_or_create(pk=1, defaults={"model": "eastron_sdm630", "url": "tcp://127.0.0.1:1"})
    return charging("CP1")


def charging(identity, **values):
    """Make a station with a car that draws 16 A on its phase 1."""
    station = Station.objects.create(identity=identity, state="configured", socket_id="web/1", **values)
    row = Connector.objects.create(
        station=station,
        number=1,
        status="Charging",
        accepted_limit_a=16,
        current_l1_a=15.97,
        current_l2_a=0,
        current_l3_a=0,
        measured_at=timezone.now(),
    )
    Transaction.objects.create(connector=row, id_tag="A1", meter_start_wh=0, started_at=timezone.now())
    return row


@pytest.fixture
def page(client, connector):
    client.force_login(save_user(username="boss", role="administrator", password="Garage-2026"))
    return reverse("admin:stations_station_check_wiring", args=[connector.station_id])


def shown(connector, line, **values):
    """Keep a check that has shown the car's line."""
    answers = [[1.0 if number == line else 0.0, 0.05] for number in range(3)]
    return WiringCheck.objects.create(
        station=connector.station, connector=connector, rotation=connector.station.phase_rotation, phases=[0],
        highest_a=15.9, finding="shown", ended_at=timezone.now(), steps=4, answers=answers, **values,
    )  # fmt: skip


# --- the page


def test_a_check_is_begun_followed_and_stopped(client, page):
    assert "The car draws 16.0 A; L1L2L3 is entered." in client.get(page).content.decode()
    assert client.post(page, {"connector": "1"}).status_code == 302
    check = WiringCheck.objects.get()
    assert (check.rotation, check.phases, check.highest_a, check.requester) == ("L1L2L3", [0], 15.9, "boss")
    assert Change.objects.filter(additional_data__note="Its wiring is checked.").exists()
    state = client.get(page, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" in state
    assert "<html" not in state
    client.post(page, {"stop": str(check.pk)})
    assert "stopped by hand" in client.get(page).content.decode()


def test_what_was_found_is_shown_by_phase_and_line_and_taken_over_once(client, page, connector):
    check = shown(connector, 1, proposed="L2L3L1")
    text = client.get(page).content.decode()
    assert "The car shows on L2" in text
    assert "4.0 A ± 0.2" in text
    assert "Take over L2L3L1" in text
    client.post(page, {"take": str(check.pk)})
    connector.station.refresh_from_db()
    assert connector.station.phase_rotation == "L2L3L1"
    assert Change.objects.order_by("-pk")[0].changes == {"phase_rotation": ["L1L2L3", "L2L3L1"]}
    client.post(page, {"take": str(check.pk)})
    assert "another phase rotation was entered since" in client.get(page).content.decode()
    assert "L2L3L1 was taken over." in client.get(page).content.decode()


def test_the_station_s_page_shows_what_was_found(client, page, connector):  # noqa: ARG001 (it signs in)
    shown(connector, 0)
    station = client.get(reverse("admin:stations_station_change", args=[connector.station_id])).content.decode()
    assert "as it must with L1L2L3" in station
    assert "Check wiring" in station


@pytest.mark.parametrize("asked", [{"connector": "7"}, {"connector": "x"}, {"stop": "99"}, {"take": "99"}, {}])
def test_what_is_no_connector_or_check_of_the_station_changes_nothing(client, page, asked):
    assert client.post(page, asked).status_code == 302
    assert not WiringCheck.objects.exists()


def test_an_advanced_user_cannot_check(client, page):
    client.force_login(save_user(username="anna", role="advanced", password="Garage-2026"))
    assert client.post(page, {"connector": "1"}).status_code == 403
    assert not WiringCheck.objects.exists()


@pytest.mark.parametrize("finding", [finding.value for finding in Finding])
def test_every_finding_has_its_words(connector, finding):
    row = WiringCheck(
        station=connector.station, connector=connector, rotation="L1L2L3", phases=[0], highest_a=16,
        finding=finding, ended_at=timezone.now(), answers=[[0, 0.1], [-1, 0.1], [0, 0.1]],
    )  # fmt: skip
    assert outcome_of(row).sentence
    assert ("seems to be the wrong way round" in outcome_of(row).sentence) == (finding == "shown")
    assert ("check once more at another time" in outcome_of(row).sentence) == (finding == "shown")


def test_only_what_accuses_the_wiring_asks_for_a_second_check(connector):
    assert "check once more" not in outcome_of(shown(connector, 0)).sentence
    check = shown(connector, 0)
    check.answers = [[1.0, 0.05], [1.0, 0.05], [0.0, 0.05]]
    assert "check once more at another time" in outcome_of(check).sentence


# --- what stands in its way


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: Meter.objects.update(model=""), "No meter is set up"),
        (lambda _: Installation.objects.update(phases=1), "one phase"),
        (lambda _: Station.objects.update(socket_id=""), "not connected"),
        (lambda _: Transaction.objects.update(stopped_at=timezone.now(), meter_stop_wh=0), "No car charges here"),
        (lambda _: Connector.objects.update(current_l1_a=9), "must draw at least 10.0 A"),
        (lambda _: Station.objects.update(min_current_a=13), "must draw at least 17.0 A"),
        (lambda _: Connector.objects.update(current_l1_a=None, current_l2_a=None, current_l3_a=None), "not report"),
        (
            lambda row: FailSafeTest.objects.create(
                station=row.station, connector=row, limit_a=16, standing_a=6, drawn_before_a=16
            ),
            "fail-safe test",
        ),
    ],
)
def test_what_stands_in_the_way_is_said(connector, change, words):
    change(connector)
    with pytest.raises(UnfitForCheck, match=words):
        begin_wiring_check(connector_id=connector.pk, user=None)


def test_one_check_runs_at_a_time_in_the_whole_installation(connector):
    begin_wiring_check(connector_id=connector.pk, user=None)
    with pytest.raises(UnfitForCheck, match="The wiring of CP1 is being checked"):
        begin_wiring_check(connector_id=charging("CP2").pk, user=None)


def test_no_fail_safe_test_begins_while_the_wiring_of_the_same_station_is_checked(connector, sent):  # noqa: ARG001
    Station.objects.update(fail_safe_a=6, standing_fail_safe_a=6)
    check = begin_wiring_check(connector_id=connector.pk, user=None)
    with pytest.raises(UnfitForTest, match="The wiring of this station is being checked"):
        begin_fail_safe_test(connector_id=connector.pk, user=None)
    other = charging("CP2")
    Station.objects.filter(pk=other.station_id).update(standing_fail_safe_a=6)
    begin_fail_safe_test(connector_id=other.pk, user=None)
    end_wiring_check(check_id=check.pk, finding=Finding.STOPPED)
    begin_fail_safe_test(connector_id=connector.pk, user=None)
    assert FailSafeTest.objects.count() == 2


# --- the loop


@pytest.fixture
def turn(sent):  # noqa: ARG001 (nothing goes to a broker)
    """Let the loop take a turn; nobody listens where its meter should be."""
    Installation.objects.update(mode="static", static_limit_a=32)
    return balancing.balance


def test_the_loop_takes_a_check_up_and_caps_its_car(turn, connector):
    Connector.objects.filter(pk=connector.pk).update(accepted_limit_a=32)
    check = begin_wiring_check(connector_id=connector.pk, user=None)
    decision = turn()
    assert decision.allocations[connector.pk] == 15.9
    check.refresh_from_db()
    assert check.heard_at is not None


def test_a_check_that_another_life_of_the_loop_began_ends_with_it(turn, connector, monkeypatch):
    check = begin_wiring_check(connector_id=connector.pk, user=None)
    turn()
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    turn()
    check.refresh_from_db()
    assert check.finding == Finding.RESTARTED
    turn()
    assert balancing._loop.follower.check is None


def test_a_check_that_is_stopped_gives_the_car_its_limit_again(turn, connector):
    Connector.objects.filter(pk=connector.pk).update(accepted_limit_a=32)
    check = begin_wiring_check(connector_id=connector.pk, user=None)
    turn()
    assert end_wiring_check(check_id=check.pk, finding=Finding.STOPPED)
    assert not end_wiring_check(check_id=check.pk, finding=Finding.ENDED)
    turn()
    assert balancing._loop.follower.check is None


def test_a_check_that_fails_keeps_no_station_from_its_limit(turn, connector, monkeypatch):
    monkeypatch.setattr(Follower, "before", lambda *_anything, **_more: 1 / 0)
    assert turn().allocations[connector.pk] == 32


# --- the lines of the meter


def test_stations_that_show_the_same_lines_crossed_accuse_the_transformers(client, page, connector):
    shown(connector, 1)
    assert swapped_lines() == ()
    shown(charging("CP2", phase_rotation="L2L3L1"), 0)
    assert swapped_lines() == (0, 1)
    assert "most likely it is the current transformers" in client.get(page).content.decode()


def test_swapped_transformers_are_an_alarm_on_the_overview_and_the_manager_is_degraded(connector):
    Reading.objects.create(
        at=timezone.now(), state="fail_safe", charging_l1_a=0, charging_l2_a=0, charging_l3_a=0,
        limit_l1_a=0, limit_l2_a=0, limit_l3_a=0,
    )  # fmt: skip
    keep_lines_fault(fault=LinesFault(((0, 1), (1, 0)), (), (connector.pk,), True))
    (alarm,) = [alarm for alarm in compute_overview(timezone.now()).alarms if "shows on another line" in alarm.words]
    assert "L1 on L2, L2 on L1 (seen at CP1)" in alarm.words
    assert "its readings count for nothing" in alarm.words
    assert alarm.level == "fault"
    assert current_state(timezone.now() + timedelta(seconds=1)).cause is Cause.LINES_WRONG


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (LinesFault((), (2,), (), True), "The meter falls on L3 whenever"),
        (LinesFault(((0, 1),), (), (), False), "Check the wiring of this station"),
    ],
)
@pytest.mark.usefixtures("connector")
def test_each_fault_says_what_to_do(fault, words):
    keep_lines_fault(fault=fault)
    assert words in lines_alarm(Meter.get_solo()).words


def find_swapped_lines():
    """Let the loop find that L1 and L2 are swapped."""
    found = balancing._loop.controller.transformers
    found.restore({"doubts": [80.0, 0.0, 80.0, 80.0, 80.0, 80.0], "turns": [0.0, 0.0, 0.0], "keys": [1, 2]})
    return found


@pytest.mark.usefixtures("connector")
def test_the_loop_keeps_what_it_finds_and_forgets_it_when_it_is_mended(turn, client, page):  # noqa: ARG001
    turn()
    found = find_swapped_lines()
    turn()
    assert Meter.objects.get().lines_fault["shifted"] == [[0, 1], [1, 0]]
    assert "look again" in client.get(reverse("admin:energy_installation_changelist")).content.decode()
    client.post(reverse("admin:energy_installation_look_again"))
    assert "mended" in Change.objects.order_by("-pk")[0].additional_data["note"]
    turn()
    assert found.fault is None
    assert Meter.objects.get().lines_fault is None


def say_it_is_mended():
    look_again_at_lines()


def enter_another_meter():
    meter = Meter.get_solo()
    meter.unit = (meter.unit or 0) + 1
    save_general_settings(installation=Installation.get_solo(), meter=meter)


@pytest.mark.parametrize("mend", [say_it_is_mended, enter_another_meter])
@pytest.mark.usefixtures("connector")
def test_lines_that_are_mended_while_the_loop_is_down_are_no_fault_when_it_is_back(turn, monkeypatch, mend):
    turn()
    find_swapped_lines()
    monkeypatch.setattr(balancing, "SAVE_STATE_EACH_S", 0.0)
    turn()
    mend()
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    turn()
    assert Meter.objects.get().lines_fault is None
    assert balancing._loop.controller.transformers.fault is None


@pytest.mark.usefixtures("connector")
def test_lines_that_nobody_mended_are_a_fault_still_when_the_loop_is_back(turn, monkeypatch):
    turn()
    find_swapped_lines()
    monkeypatch.setattr(balancing, "SAVE_STATE_EACH_S", 0.0)
    turn()
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    turn()
    assert Meter.objects.get().lines_fault is not None
    assert balancing._loop.controller.transformers.fault is not None


def test_nothing_to_mend_is_no_change():
    look_again_at_lines()
    assert not Change.objects.exists()
