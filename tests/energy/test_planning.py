"""Scenarios: played in pieces by the worker, stopped, calculated again; and their pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse
from kombu.exceptions import OperationalError

from accounts.models import Role, User
from accounts.services import save_user
from energy import planning
from energy.models import PlayState, Reading, Scenario
from energy.planner import DAY_S
from energy.planning import (
    VARIANTS,
    begin_play,
    is_stalled,
    make_garage,
    plan_of,
    play,
    play_on,
    recorded_curve,
    start_play,
    stop_play,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few_decisions(monkeypatch):
    """Decide each five minutes: what a day comes to is tested with the planner's own garage."""
    monkeypatch.setattr(planning, "BEAT_S", 300.0)


def scenario(**more):
    usual = {"name": "North", "fuse_a": 32, "stations": 2, "cars": 3, "curve": "flat", "building_peak_a": 5}
    return Scenario(**{**usual, **more})


def begun(**more):
    found = scenario(**more)
    begin_play(scenario=found)
    return found


def played(one):
    while play_on(pk=one.pk, run=one.run):
        pass
    one.refresh_from_db()
    return one


@pytest.fixture
def administrator(client):
    client.force_login(User.objects.create_superuser("ada", role=Role.ADMINISTRATOR))
    return client


def test_the_worker_plays_each_variant_and_comes_to_what_one_go_comes_to(monkeypatch):
    monkeypatch.setattr(planning, "SLICE_S", 0.0)
    monkeypatch.setattr(planning, "PIECE_S", DAY_S / 4)
    one = begun()
    assert play_on(pk=one.pk, run=one.run)
    one.refresh_from_db()
    assert (one.state, one.done_percent, one.results) == (PlayState.RUNNING, 8, [])
    played(one)
    assert (one.state, one.done_percent, one.work_done) == (PlayState.FINISHED, 100, {})
    assert [result["variant"] for result in one.results] == list(VARIANTS)
    assert one.results[0] == play(plan_of(one), VARIANTS[0])


def test_one_more_station_and_a_larger_fuse_are_what_they_say():
    one = begun()
    assert [plan_of(one, variant).stations for variant in VARIANTS] == [2, 3, 2]
    assert [plan_of(one, variant).fuse_a for variant in VARIANTS] == [32, 32, 35]
    assert plan_of(begun(fuse_a=6000), VARIANTS[2]).fuse_a == 6000


def test_a_calculation_that_was_stopped_goes_no_further_and_an_older_one_changes_nothing():
    one = begun()
    stop_play(pk=one.pk, run=one.run)
    assert not play_on(pk=one.pk, run=one.run)
    one.refresh_from_db()
    assert one.state == PlayState.STOPPED
    begin_play(scenario=one)
    assert not play_on(pk=one.pk, run=one.run - 1)
    one.refresh_from_db()
    assert (one.state, one.done_percent) == (PlayState.RUNNING, 0)


def test_a_broker_that_does_not_answer_is_said_and_nothing_is_left_running(monkeypatch):
    def refuse(*_arguments, **_options):
        raise OperationalError

    monkeypatch.setattr(planning.current_app, "send_task", refuse)
    one = scenario()
    with pytest.raises(ValidationError, match="broker does not answer"):
        start_play(scenario=one)
    one.refresh_from_db()
    assert one.state == PlayState.STOPPED


def test_a_calculation_that_nobody_goes_on_with_stands_still():
    one = begun()
    assert not is_stalled(one)
    one.heard_at -= timedelta(minutes=2)
    assert is_stalled(one)
    one.state = PlayState.FINISHED
    assert not is_stalled(one)


def test_a_recorded_building_is_the_mean_of_each_hour_without_the_cars():
    assert recorded_curve() == ()
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for minute, grid in ((0, 20.0), (1, 30.0)):
        Reading.objects.create(
            at=noon + timedelta(minutes=minute), state="operational",
            grid_l1_a=grid, grid_l2_a=10.0, grid_l3_a=0.0, charging_l1_a=5.0, charging_l2_a=0.0, charging_l3_a=0.0,
            limit_l1_a=0.0, limit_l2_a=0.0, limit_l3_a=0.0,
        )  # fmt: skip
    assert recorded_curve() == ((20.0, 10.0, 0.0),) * 24


def test_a_recorded_building_without_any_record_is_refused_at_its_field(administrator):
    with pytest.raises(ValidationError) as refusal:
        begin_play(scenario=scenario(curve="recorded"))
    assert list(refusal.value.message_dict) == ["curve"]
    answer = administrator.post(reverse("admin:energy_scenario_add"), form(curve="recorded"))
    assert "Nothing was recorded here yet" in answer.text
    assert not Scenario.objects.exists()


def test_a_day_without_cars_is_refused():
    with pytest.raises(ValidationError) as refusal:
        scenario(three_16=0, three_32=0, one_32=0, one_16=0, work=0).full_clean()
    assert {"three_16", "work"} <= refusal.value.message_dict.keys()


def outcome(variant):
    return {
        "variant": variant, "fuse_a": 32.0, "usable_a": 25.6, "stations": 2, "cars": 2, "turned_away": 1, "full": 1,
        "wanted_wh": 50_000, "served_wh": 40_000, "most_wh": 45_000, "longest_wait_min": 12,
        "peak_a": 25.5, "building": [[5.0, 5.0, 5.0]] * 3, "charging": [[0.0, 20.0, 0.0]] * 3,
    }  # fmt: skip


def form(**more):
    usual = {
        "name": "North", "fuse_a": 32, "derating_percent": 20, "curve": "flat", "building_peak_a": 5, "stations": 2,
        "cars": 3, "three_16": 1, "three_32": 0, "one_32": 0, "one_16": 0, "work": 1, "home": 0, "visit": 0, "seed": 1,
    }  # fmt: skip
    return {**usual, **more}


def test_a_new_scenario_is_begun_and_its_page_shows_how_far_it_is_then_what_came_out(administrator, monkeypatch):
    sent = []
    monkeypatch.setattr(planning.current_app, "send_task", lambda name, args, **_: sent.append((name, args)))
    answer = administrator.post(reverse("admin:energy_scenario_add"), form(), follow=True)
    one = Scenario.objects.get()
    assert sent == [("energy.tasks.play_scenario", (one.pk, 1))]
    assert "Calculated: 0 %" in answer.text
    assert "Stop" in answer.text
    Scenario.objects.update(state=PlayState.FINISHED, results=[outcome(variant) for variant in VARIANTS])
    page = administrator.get(reverse("admin:energy_scenario_change", args=[one.pk])).text
    assert "One more station" in page
    assert page.count('<path class="charging"') == 3
    assert "hx-trigger" not in page
    fragment = administrator.get(reverse("admin:energy_scenario_change", args=[one.pk]), headers={"HX-Request": "true"})
    assert "<html" not in fragment.text


def test_the_page_stops_it_and_calculates_it_again(administrator, monkeypatch):
    monkeypatch.setattr(planning.current_app, "send_task", lambda *_args, **_options: None)
    one = begun()
    url = reverse("admin:energy_scenario_change", args=[one.pk])
    assert "was stopped" in administrator.post(url, {"stop": "1"}, follow=True).text
    assert "Calculated: 0 %" in administrator.post(url, {"again": "1"}, follow=True).text
    one.refresh_from_db()
    assert one.run == 2


def test_who_manages_badges_sees_no_planner(client):
    client.force_login(save_user(username="bo", role=Role.ADVANCED))
    one = begun()
    assert client.get(reverse("admin:energy_scenario_change", args=[one.pk])).status_code == 403
    assert client.get(reverse("admin:energy_scenario_add")).status_code == 403


def test_the_command_prints_a_row_for_each_variant_and_keeps_nothing(capsys):
    call_command("plan", "--stations", "1", "--cars", "1", "--fuse", "20", "--building", "flat", "--peak", "2")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:18].strip() for line in lines] == ["", "as planned", "one more station", "larger fuse"]
    assert not Scenario.objects.exists()
    with pytest.raises(CommandError, match="greater than or equal to 10"):
        call_command("plan", "--fuse", "1")


def test_the_garage_of_a_scenario_is_decided_by_the_controller_in_dynamic_mode():
    garage, turned_away = make_garage(plan_of(begun(cars=9)))
    assert garage.decider.dynamic
    assert len(garage.sessions) + turned_away == 9
