"""Test fail-safe: a limit runs out, and what the car draws then says whether the station falls back by itself."""

from datetime import timedelta

import pytest
import time_machine

from simulator import Model
from simulator.profiles import DEFAULT, MAXIMUM
from stations.errors import UnfitForTest
from stations.fail_safe import (
    begin_fail_safe_test,
    catch_up_on_test,
    end_lost_tests,
    end_tests_of_last_life,
    stop_fail_safe_test,
)
from stations.models import Connector, FailSafeTest, Station
from stations.ocpp16 import charge_point, consumer
from stations.ocpp16 import fail_safe as trial
from tests.stations.limits import connector, limit, live, onboarded, stand
from tests.stations.wire import Wire, eventually, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

STANDING_A, LIMIT_A = 6, 16


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)
    monkeypatch.setattr(trial, "LIMIT_S", 0)
    monkeypatch.setattr(trial, "SETTLE_S", 0)


async def charging(wire, drawn_a=LIMIT_A):
    """Let a car charge at its limit above a standing current that is held; returns its transaction."""
    await onboarded(wire)
    await stand(wire, STANDING_A)
    number = await wire.begin()
    await limit(wire, LIMIT_A, number)
    await wire.measure(number, drawn_a, drawn_a, drawn_a)
    return number


def begin():
    return begin_fail_safe_test(connector_id=Connector.objects.get().pk, user=None)


async def ended():
    return await until(lambda: FailSafeTest.objects.filter(ended_at__isnull=False).first())


def asked_for_reports(wire):
    return len(wire.asked("TriggerMessage"))


def last_schedule(wire):
    return wire.asked("SetChargingProfile")[-1][0]["csChargingProfiles"]["chargingSchedule"]


async def measure_when_asked(wire, transaction_id, drawn_a, times):
    """Report what is drawn once the test has asked for it so many times."""
    await eventually(lambda: asked_for_reports(wire) >= times)
    await wire.measure(transaction_id, drawn_a, drawn_a, drawn_a)


async def test_a_station_that_falls_back_and_comes_up_again_has_passed():
    async with Wire() as wire:
        number = await charging(wire)
        await in_database(begin)
        await measure_when_asked(wire, number, STANDING_A, 1)
        await measure_when_asked(wire, number, LIMIT_A, 2)
        found = await ended()
        assert (found.finding, found.drawn_after_a, found.left_unlimited) == ("passed", STANDING_A, False)
        assert (await in_database(connector)).accepted_limit_a == LIMIT_A


async def test_the_limit_is_lent_for_a_time_and_given_again_for_good(monkeypatch):
    monkeypatch.setattr(trial, "LIMIT_S", 30)
    async with Wire() as wire:
        await charging(wire)
        await in_database(begin)
        *_, (lent, answer) = await eventually(
            lambda: [
                entry
                for entry in wire.asked("SetChargingProfile")
                if "duration" in entry[0]["csChargingProfiles"]["chargingSchedule"]
            ]
        )
        assert answer == {"status": "Accepted"}
        assert lent["csChargingProfiles"]["chargingSchedule"]["duration"] == 3600 + 30
        assert wire.held_a() == LIMIT_A
        told = len(wire.asked("SetChargingProfile"))
        test = await until(FailSafeTest.objects.first)
        await in_database(lambda: stop_fail_safe_test(test_id=test.pk))
        await eventually(lambda: len(wire.asked("SetChargingProfile")) > told)
        given = last_schedule(wire)
        assert "duration" not in given
        assert given["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": LIMIT_A}]
        assert (await ended()).finding == "stopped"


async def test_while_it_runs_a_higher_limit_waits_for_the_end():
    async with Wire() as wire:
        number = await charging(wire)
        await in_database(begin)
        await eventually(lambda: asked_for_reports(wire) == 1)
        row = await in_database(connector)
        live(wire, 20, number, connector_id=row.pk)
        await measure_when_asked(wire, number, STANDING_A, 1)
        await until(lambda: connector().accepted_limit_a == 20)
        await measure_when_asked(wire, number, 20, 2)
        assert (await ended()).finding == "passed"


async def test_a_lower_limit_goes_at_once_and_ends_the_test():
    async with Wire() as wire:
        number = await charging(wire)
        await in_database(begin)
        await eventually(lambda: asked_for_reports(wire) == 1)
        live(wire, 8, number, connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().accepted_limit_a == 8)
        assert (await ended()).finding == "needed"


async def test_a_lower_limit_after_the_fall_ends_nothing_as_the_rise_still_shows():
    async with Wire() as wire:
        number = await charging(wire)
        await in_database(begin)
        await measure_when_asked(wire, number, STANDING_A, 1)
        await eventually(lambda: asked_for_reports(wire) == 2)
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().accepted_limit_a == 10)
        await wire.measure(number, 10, 10, 10)
        assert (await ended()).finding == "passed"


async def test_a_station_that_goes_on_above_its_standing_current_has_not_passed(monkeypatch):
    async with Wire() as wire:
        number = await charging(wire)
        monkeypatch.setattr(trial, "REPORT_S", 0.3)
        await in_database(begin)
        await measure_when_asked(wire, number, 10, 1)
        found = await ended()
        assert (found.finding, found.drawn_after_a) == ("stayed", 10)


async def test_a_car_that_draws_no_more_afterwards_proves_nothing(monkeypatch):
    async with Wire() as wire:
        number = await charging(wire)
        monkeypatch.setattr(trial, "REPORT_S", 0.3)
        await in_database(begin)
        await measure_when_asked(wire, number, 0, 1)
        await measure_when_asked(wire, number, 0, 2)
        assert (await ended()).finding == "not_back"


async def test_a_station_that_says_nothing_in_time_proves_nothing(monkeypatch):
    monkeypatch.setattr(trial, "REPORT_S", 0.05)
    async with Wire() as wire:
        await charging(wire)
        await in_database(begin)
        assert (await ended()).finding == "not_measured"
        await eventually(lambda: "duration" not in last_schedule(wire))


@pytest.mark.parametrize(
    "model",
    [Model(purposes=(DEFAULT,), top_stack_level=0), Model(purposes=(MAXIMUM,)), Model(kinds=("Relative",))],
    ids=["in the place of the standing current", "for the whole station", "without an end on the clock"],
)
async def test_a_form_of_limit_that_cannot_show_it_is_not_lent(model):
    async with Wire(model) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, LIMIT_A, number)
        await in_database(lambda: Station.objects.update(standing_fail_safe_a=STANDING_A))
        await wire.measure(number, LIMIT_A, LIMIT_A, LIMIT_A)
        await in_database(begin)
        assert (await ended()).finding == "no_room"


async def test_a_refused_end_is_a_finding_and_the_limit_before_stays():
    async with Wire() as wire:
        await charging(wire)
        wire.replies["SetChargingProfile"] = lambda _payload: {"status": "Rejected"}
        await in_database(begin)
        assert (await ended()).finding == "refused"
        assert wire.held_a() == LIMIT_A


async def test_a_station_that_does_not_answer_may_have_taken_it_and_is_given_its_limit_again(monkeypatch):
    async with Wire() as wire:
        await charging(wire)
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.2)
        wire.replies["SetChargingProfile"] = lambda payload: (
            None if "duration" in payload["csChargingProfiles"]["chargingSchedule"] else {"status": "Accepted"}
        )
        await in_database(begin)
        assert (await ended()).finding == "not_measured"
        await eventually(lambda: "duration" not in last_schedule(wire))


async def test_a_station_that_goes_away_meanwhile_is_told_its_limit_when_it_is_back():
    async with Wire() as wire:
        await charging(wire)
        await in_database(begin)
        await eventually(lambda: asked_for_reports(wire) == 1)
    found = await ended()
    assert (found.finding, found.left_unlimited) == ("ended", True)
    await in_database(lambda: catch_up_on_test(station_id=found.station_id))
    assert (await in_database(connector)).accepted_limit_a is None
    assert not (await in_database(FailSafeTest.objects.get)).left_unlimited


async def test_a_station_that_goes_away_before_it_answers_may_have_taken_the_limit():
    async with Wire() as wire:
        await charging(wire)
        wire.replies["SetChargingProfile"] = lambda payload: None  # noqa: ARG005 (silence)
        await in_database(begin)
        await eventually(lambda: wire.unanswered)
    found = await ended()
    assert (found.finding, found.left_unlimited) == ("ended", True)


async def test_what_must_be_so_before_a_test_is_said():
    async with Wire() as wire:
        await onboarded(wire)
        for what, cure in (
            ("holds no fail-safe current", stand(wire, STANDING_A)),
            ("No car charges here", charging(wire, drawn_a=8.9)),
            ("must draw at least 9.0 A", None),
        ):
            with pytest.raises(UnfitForTest, match=what):
                await in_database(begin)
            if cure is not None:
                await cure
    with pytest.raises(UnfitForTest, match="not connected"):
        await in_database(begin)


async def test_one_test_of_a_station_runs_at_a_time():
    async with Wire() as wire:
        await charging(wire)
        await in_database(begin)
        with pytest.raises(UnfitForTest, match="is running"):
            await in_database(begin)


async def test_a_test_that_nobody_carries_out_any_more_is_ended():
    async with Wire() as wire:
        await charging(wire)
        station_id = wire.station_id

    def left_behind():
        row = Connector.objects.get()
        return FailSafeTest.objects.create(
            station_id=station_id, connector=row, limit_a=16, standing_a=6, drawn_before_a=16
        )

    await in_database(left_behind)
    await in_database(lambda: Station.objects.update(socket_id="web/1"))
    await in_database(end_tests_of_last_life)
    assert (await in_database(FailSafeTest.objects.get)).left_unlimited
    second = await in_database(left_behind)
    await in_database(end_lost_tests)
    assert (await in_database(lambda: FailSafeTest.objects.get(pk=second.pk))).is_running
    with time_machine.travel(second.begun_at + timedelta(seconds=601)):
        await in_database(end_lost_tests)
    lost = await in_database(lambda: FailSafeTest.objects.get(pk=second.pk))
    assert (lost.finding, lost.left_unlimited) == ("ended", True)
