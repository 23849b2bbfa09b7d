"""The flight recorder: what it keeps is what was seen and said, one block a minute, and replays to the same."""

import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.urls import reverse

from accounts.models import Role, User
from energy import balancing
from energy.allocation import Circuit, Controller, SurplusRule, Timing, fall_back
from energy.models import Recording
from energy.recorder import (
    KEPT_FOR,
    Difference,
    Recorder,
    cycles_of,
    forget_old_recordings,
    recorded_between,
    replay,
    unpack,
)
from tests.energy.allocation.plant import Car, Plant
from tests.energy.allocation.seen import connector, look

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)


class Recorded(Plant):
    """A plant whose every decision is recorded, on the calendar's clock."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.now = START.timestamp()
        self.recorder = Recorder()
        self.passed = []

    def decide(self):
        self.recorder.prepare(self.controller)
        seen = self.observation()
        decision = super().decide()
        self.recorder.record(seen, decision, is_fallback=False)
        self.passed.append((seen, decision))
        return decision


def plant(**more):
    cars = [Car(number, report_at=START.timestamp() + number) for number in range(3)]
    return Recorded(cars, (40.0, 40.0, 40.0), lambda now: (10 + now % 3, 10.0, 10.0), **more)


def recorded():
    return Recording.objects.order_by("begins_at")


def test_what_was_recorded_is_what_was_seen_and_said():
    garage = plant(circuits=(Circuit("North", (30.0, inf, 30.0)),), unbalance_a=20.0)
    garage.run(100)
    found = [cycle for recording in recorded() for cycle in cycles_of(unpack(recording))]
    assert len(found) == 91  # from the half minute to the second decision of the minute after the next
    for cycle, (seen, decision) in zip(found, garage.passed, strict=False):
        assert cycle.seen == seen
        assert cycle.allocations == decision.allocations
        assert cycle.reasons == {key: (reason.code, reason.params) for key, reason in decision.reasons.items()}
        assert cycle.limit == pytest.approx(decision.limit, abs=0.01)
        assert cycle.state == decision.state


def test_days_in_the_sun_are_kept_and_replay_to_the_same():
    class Roof(Recorded):
        def observation(self):
            seen = super().observation()
            rules = (None, SurplusRule.ONLY, SurplusRule.MINIMUM)
            return replace(seen, surplus=rules[int(seen.now - START.timestamp()) // 240 % 3])

    roof = Roof(
        [Car(number, report_at=START.timestamp() + number) for number in range(2)],
        (40.0, 40.0, 40.0),
        lambda now: (-8 - now % 3, -9.0, -10 + now % 90 / 9),
    )
    roof.run(900)
    found = [cycle for recording in recorded() for cycle in cycles_of(unpack(recording))]
    assert [cycle.seen for cycle in found] == [seen for seen, _ in roof.passed][: len(found)]
    assert sum(replay(recorded().iterator())) == len(found)


def test_a_minute_is_one_row_and_what_is_not_over_yet_is_none():
    garage = plant()
    garage.run(29)
    assert not Recording.objects.exists()
    garage.run(62)
    assert [recording.cycles for recording in recorded()] == [31, 60]
    first = recorded()[0]
    assert (first.begins_at, first.ends_at) == (START, START + timedelta(seconds=30))


def test_infinities_and_what_is_no_number_are_kept_as_they_are():
    recorder, controller = Recorder(), Controller(Timing(), dynamic=True)
    seen = look(connector(cap=inf, drawn=(nan, 1.0, 2.0)), now=1.0, grid=(nan, 0.0, -inf), limit=(inf, 5.0, 5.0))
    recorder.prepare(controller)
    recorder.record(seen, controller.decide(seen), is_fallback=False)
    recorder.flush()
    cycle = next(cycles_of(unpack(recorded()[0])))
    assert cycle.seen.grid[0] != cycle.seen.grid[0]
    assert cycle.seen.grid[2] == -inf
    assert cycle.seen.connectors[0].cap == inf
    assert cycle.seen.limit == (inf, 5.0, 5.0)


def test_connectors_that_come_and_go_are_followed():
    recorder, controller = Recorder(), Controller(Timing(), dynamic=False)
    recorder.prepare(controller)
    passed = [look(*(connector(key) for key in keys), now=at) for at, keys in enumerate(["ab", "ab", "bca", ""])]
    for seen in passed:
        recorder.record(seen, controller.decide(seen), is_fallback=False)
    recorder.flush()
    found = list(cycles_of(unpack(recorded()[0])))
    assert [cycle.seen for cycle in found] == passed
    assert [list(cycle.allocations) for cycle in found][-1] == []


def test_todays_controller_decides_the_same_over_all_blocks():
    plant().run(200)
    assert list(replay(recorded().iterator())) == [31, 60, 60]


def test_a_controller_that_decides_otherwise_is_found_out():
    plant().run(100)
    first = recorded()[0]
    block = json.loads(zlib.decompress(first.data))
    told = next(cycle for cycle in block["cycles"] if cycle["a"])
    told["a"][0][1] += 1
    first.data = zlib.compress(json.dumps(block).encode())
    first.save()
    differences = [item for item in replay(recorded().iterator()) if isinstance(item, Difference)]
    assert differences
    assert {one.key for one in differences} == {told["a"][0][0]}
    assert differences[0].told_a == pytest.approx(differences[0].would_tell_a + 1)


def test_after_a_restart_the_recorded_memory_counts():
    garage = plant()
    garage.run(100)
    later = plant()
    later.now = garage.now + 3600
    later.run(100)
    assert [unpack(recording).is_first for recording in recorded()] == [True, False, True]
    assert not [item for item in replay(recorded().iterator()) if isinstance(item, Difference)]


def test_a_replay_begins_at_a_memory_of_a_quarter_of_an_hour_and_goes_on_to_the_end():
    plant().run(1000)
    assert [recording.begins_at.minute for recording in recorded() if recording.has_memory] == [0, 15]
    found = recorded_between(START + timedelta(minutes=16), START + timedelta(minutes=20))
    assert [recording.begins_at.minute for recording in found] == [15, 16]
    found = recorded_between(START + timedelta(minutes=2), START + timedelta(minutes=3))
    assert [recording.begins_at.minute for recording in found] == [0, 1, 2, 3]
    assert not recorded_between(START + timedelta(hours=1), START + timedelta(hours=2))


def test_a_fallback_is_kept_as_one_and_not_held_against_the_controller():
    recorder, controller = Recorder(), Controller(Timing(), dynamic=False)
    seen = look(connector(fail_safe=8.0), now=1.0)
    recorder.prepare(controller)
    recorder.record(seen, fall_back(seen), is_fallback=True)
    recorder.flush()
    assert next(cycles_of(unpack(recorded()[0]))).is_fallback
    assert list(replay(recorded().iterator())) == [1]


def test_a_minute_that_cannot_be_written_is_lost_and_the_next_stands_by_itself(monkeypatch):
    garage = plant()

    def refuse(**_row):
        raise DatabaseError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Recording.objects, "create", refuse)
        garage.run(32)
    garage.run(60)
    assert [unpack(recording).is_first for recording in recorded()] == [True]
    assert not [item for item in replay(recorded().iterator()) if isinstance(item, Difference)]


def test_what_is_older_than_a_fortnight_goes():
    now = datetime.now(UTC)
    for age in (KEPT_FOR - timedelta(hours=1), KEPT_FOR + timedelta(hours=1)):
        Recording.objects.create(begins_at=now - age, ends_at=now, cycles=0, has_memory=False, data=b"")
    assert forget_old_recordings() == 1
    assert Recording.objects.get().begins_at == now - KEPT_FOR + timedelta(hours=1)


def test_the_loop_records_each_turn_after_it_was_sent(monkeypatch):
    loop = balancing.Loop()
    monkeypatch.setattr(balancing, "_loop", loop)
    balancing.balance(is_tick=True)
    assert loop.recorder.count == 1
    assert loop.recorder.seen is not None


def test_the_command_says_that_all_is_the_same_or_what_is_not(capsys):
    with pytest.raises(CommandError, match="Nothing was recorded"):
        call_command("replay", "2026-01-05T12:00+00:00", "2026-01-05T13:00+00:00")
    plant().run(100)
    call_command("replay", "2026-01-05T12:00+00:00", "2026-01-05T13:00+00:00")
    assert capsys.readouterr().out == "91 decisions, no difference\n"
    first = recorded()[0]
    block = json.loads(zlib.decompress(first.data))
    block["cycles"][-1]["a"].append([0, 31.5])
    first.data = zlib.compress(json.dumps(block).encode())
    first.save()
    with pytest.raises(CommandError, match="91 decisions, 1 difference"):
        call_command("replay", "2026-01-05T12:00+00:00", "2026-01-05T13:00+00:00")
    assert "connector 0: told 31.5 A, would tell" in capsys.readouterr().out


def test_a_minute_is_shown_as_curves_with_every_change_of_a_limit(client):
    client.force_login(User.objects.create_superuser("ada", role=Role.ADMINISTRATOR))
    plant().run(100)
    second = recorded()[1]
    page = client.get(reverse("admin:energy_recording_change", args=[second.pk])).text
    assert page.count('<path class="charging"') == 3
    assert "The minute before" in page
    assert "The minute after" not in page
    assert "L1 fuse shared by 3" in page
    assert client.get(reverse("admin:energy_recording_changelist")).status_code == 200


def test_an_observation_is_only_written_where_it_changed():
    recorder, controller = Recorder(), Controller(Timing(), dynamic=False)
    recorder.prepare(controller)
    seen = look(connector("a"), connector("b"), now=0.0)
    recorder.record(seen, controller.decide(seen), is_fallback=False)
    later = replace(seen, now=1.0, connectors=(seen.connectors[0], replace(seen.connectors[1], accepted=16.0)))
    recorder.record(later, controller.decide(later), is_fallback=False)
    recorder.flush()
    assert [row[0] for row in unpack(recorded()[0]).cycles[1]["ch"]] == ["b"]
