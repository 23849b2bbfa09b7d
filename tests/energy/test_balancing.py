"""One turn of the loop, with a real meter on loopback and a real database."""

import asyncio
import threading

import pytest
import time_machine
from django.utils import timezone

from energy import balancing
from energy.allocation import ReasonCode, Timing
from energy.dashboard import compute_overview
from energy.models import Allocation, ControllerState, Installation, Meter, Reading
from energy.observing import observe
from energy.recorder import Recorder
from simulator import World
from stations.models import Circuit, Connector, FailSafeTest, Station, Transaction
from stations.ocpp16 import commands
from stations.services import forget_limits

pytestmark = pytest.mark.django_db(transaction=True)


class Building:
    """A simulated building whose meter is served by a thread of its own."""

    def __init__(self, building_a):
        self.world = World(building_a=building_a)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def __enter__(self):
        self.thread.start()
        self.meter = self.world.add_meter()
        self.run(self.world.start())
        return self

    def __exit__(self, *error):
        self.run(self.world.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def car(identity="CP1", **values):
    station = Station.objects.create(
        identity=identity, state="configured", socket_id="web/1", standing_fail_safe_a=32, **values
    )
    connector = Connector.objects.create(
        station=station,
        number=1,
        status="Charging",
        current_l1_a=0,
        current_l2_a=0,
        current_l3_a=0,
        measured_at=timezone.now(),
        accepted_limit_a=6,
    )
    Transaction.objects.create(connector=connector, id_tag="A1", meter_start_wh=0, started_at=timezone.now())
    return connector


def static(limit_a=20, **values):
    Installation.objects.update_or_create(
        pk=1, defaults={"mode": "static", "fuse_a": 63, "static_limit_a": limit_a, **values}
    )


def limits(sent):
    return [entry for message in sent if message["type"] == "stations.limits" for entry in message["limits"]]


def test_a_limit_is_sent_kept_with_its_reason_and_not_sent_again(sent):
    connector = car()
    static(20)
    balancing.balance()
    assert [(entry[1], entry[2], entry[4]) for entry in limits(sent)] == [(connector.pk, 1, 20)]
    allocation = Allocation.objects.get()
    assert (allocation.limit_a, bool(allocation.reason)) == (20, True)
    balancing.balance()
    assert len(limits(sent)) == 1
    assert Allocation.objects.count() == 1


def test_an_accepted_limit_is_not_sent_again_and_a_changed_one_is(sent):
    connector = car()
    static(20)
    balancing.balance()
    Connector.objects.update(accepted_limit_a=20)
    balancing.balance()
    static(10)
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [20, 10]
    assert [a.limit_a for a in Allocation.objects.filter(connector=connector).order_by("pk")] == [20, 10]


def test_a_new_transaction_is_told_its_limit_even_where_that_seems_to_hold(sent):
    connector = car()
    static(20)
    Connector.objects.update(accepted_limit_a=20)
    balancing.balance()
    Transaction.objects.update(stopped_at=timezone.now(), meter_stop_wh=0)
    Transaction.objects.create(connector=connector, id_tag="A1", meter_start_wh=5, started_at=timezone.now())
    balancing.balance()
    assert len({entry[3] for entry in limits(sent)}) == 2


def test_a_limit_that_a_station_may_have_lost_is_told_again_at_once_and_only_once(sent):
    connector = car()
    static(20)
    balancing.balance()
    forget_limits(station_id=connector.station_id)
    balancing.balance()
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [20, 20]


def test_a_limit_that_nobody_answers_is_told_again_soon_and_one_that_was_refused_is_not(sent):
    connector = car()
    static(20)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        balancing.balance()
        clock.shift(1)
        balancing.balance()
        assert len(limits(sent)) == 1
        clock.shift(1)
        balancing.balance()
        assert [entry[4] for entry in limits(sent)] == [20, 20]
        Connector.objects.filter(pk=connector.pk).update(refusal="Rejected")
        clock.shift(19)
        balancing.balance()
        assert len(limits(sent)) == 2
        clock.shift(1)
        balancing.balance()
        assert len(limits(sent)) == 3


def test_a_decision_that_could_not_be_sent_is_recorded_all_the_same(monkeypatch):
    car()
    static(20)

    def fail(_message):
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(commands, "publish", fail)
    with pytest.raises(ConnectionError):
        balancing.balance()
    assert balancing._loop.recorder.count == 1


def test_decreases_are_sent_before_increases(sent):
    first, second = car("CP1"), car("CP2", priority=1)
    static(38)
    Connector.objects.filter(pk=first.pk).update(accepted_limit_a=6)
    Connector.objects.filter(pk=second.pk).update(accepted_limit_a=32)
    balancing.balance()
    assert limits(sent)[0][1] == second.pk


def test_a_station_that_is_away_is_told_nothing(sent):
    car()
    Station.objects.update(socket_id="")
    static(20)
    balancing.balance()
    assert sent == []


def test_the_standing_current_is_sent_until_it_is_held(sent):
    connector = car()
    static(20)
    Station.objects.update(standing_fail_safe_a=None)
    balancing.balance()
    standing = [message["standing"] for message in sent if message["type"] == "stations.standing"]
    assert standing == [[[connector.station_id, [1], 20]]]
    Station.objects.update(standing_fail_safe_a=20)
    sent.clear()
    balancing.balance()
    assert [message for message in sent if message["type"] == "stations.standing"] == []


@pytest.mark.usefixtures("sent")
def test_a_tick_keeps_a_reading_of_grid_charging_and_limit():
    connector = car()
    Connector.objects.filter(pk=connector.pk).update(current_l1_a=6, current_l2_a=6, current_l3_a=6)
    Installation.objects.update_or_create(pk=1, defaults={"mode": "dynamic", "fuse_a": 63})
    with Building((30.0, 20.0, 10.0)) as building:
        Meter.objects.update_or_create(
            pk=1, defaults={"model": "eastron_sdm630", "url": f"tcp://127.0.0.1:{building.meter.port}"}
        )
        balancing.balance(is_tick=True)
        row = Reading.objects.get()
        assert (row.grid_l1_a, row.grid_l2_a, row.grid_l3_a) == (30, 20, 10)
        assert (row.charging_l1_a, row.charging_l2_a, row.charging_l3_a) == (6, 6, 6)
        assert (row.limit_l1_a, row.limit_l3_a) == pytest.approx((26.4, 46.4))


@pytest.mark.usefixtures("sent")
def test_a_reading_keeps_no_more_for_charging_than_the_static_current():
    car()
    static(40, derating_percent=20)
    balancing.balance(is_tick=True)
    row = Reading.objects.get()
    assert (row.limit_l1_a, row.limit_l2_a, row.limit_l3_a) == (40, 40, 40)
    assert compute_overview(timezone.now()).charging_limit_a == (40, 40, 40)


@pytest.mark.usefixtures("sent")
def test_a_dead_meter_is_noted_with_its_cause_and_forgotten_when_it_answers_again():
    Installation.objects.update_or_create(pk=1, defaults={"mode": "dynamic", "fuse_a": 63})
    with Building((30.0, 20.0, 10.0)) as building:
        Meter.objects.update_or_create(
            pk=1, defaults={"model": "eastron_sdm630", "url": f"tcp://127.0.0.1:{building.meter.port}"}
        )
        building.run(building.meter.set_mode("off"))
        balancing.balance(is_tick=True)
        meter = Meter.objects.get()
        assert meter.failing_since is not None
        assert meter.last_error
        assert Reading.objects.get().grid_l1_a is None
        building.run(building.meter.set_mode("on"))
        balancing.balance()
        meter.refresh_from_db()
        assert (meter.failing_since, meter.last_error) == (None, "")


@pytest.mark.usefixtures("sent")
def test_without_a_usable_reading_a_dynamic_installation_gives_the_fail_safe_current():
    connector = car()
    Installation.objects.update_or_create(pk=1, defaults={"mode": "dynamic", "fuse_a": 63, "fail_safe_a": 10})
    decision = balancing.balance()
    assert decision.allocations[connector.pk] == 10
    assert decision.reasons[connector.pk].code == "meter_silent"


@pytest.mark.usefixtures("sent")
def test_a_new_control_worker_goes_on_with_the_memory_of_the_last(monkeypatch):
    car()
    static(20)
    balancing.balance()
    memory = ControllerState.objects.get().state
    assert memory
    monkeypatch.setattr(balancing, "_loop", balancing.Loop())
    balancing.balance()
    assert balancing._loop.controller.started_at == memory["started_at"]


@pytest.mark.usefixtures("sent")
def test_a_longer_beat_lets_ticks_pass_but_no_event():
    static(20, timing={"beat_s": 5})
    assert balancing.balance(is_tick=True) is not None
    assert balancing.balance(is_tick=True) is None
    assert balancing.balance(is_tick=False) is not None


def test_a_decision_that_fails_tells_every_station_its_fail_safe_current(sent):
    connector = car()
    static(20, fail_safe_a=7)
    first, second = (
        Circuit.objects.create(name=name, limit_l1_a=16, limit_l2_a=16, limit_l3_a=16) for name in ("first", "second")
    )
    Circuit.objects.filter(pk=first.pk).update(parent=second)
    Circuit.objects.filter(pk=second.pk).update(parent=first)
    Connector.objects.update(accepted_limit_a=16)
    decision = balancing.balance()
    assert decision.reasons[connector.pk].code == "failed"
    assert [entry[4] for entry in limits(sent)] == [7]


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("step", ["prepare", "record"])
def test_a_flight_recorder_that_fails_keeps_no_station_from_its_limit(sent, monkeypatch, step):
    monkeypatch.setattr(Recorder, step, lambda *_anything, **_more: 1 / 0)
    car()
    static(20)
    balancing.balance()
    assert [entry[4] for entry in limits(sent)] == [20]


@pytest.mark.parametrize("timing", [{"beat_s": "x"}, {"stale_meter_s": -5}, {"unknown_s": 1}, {"stale_meter_s": 1e5}])
def test_times_that_cannot_be_are_not_used(timing):
    static(20, timing=timing)
    assert Installation.get_solo().times == Timing()
    assert balancing.balance() is not None


def test_a_car_that_falls_in_a_fail_safe_test_is_not_told_less_and_one_the_building_squeezes_is(sent):
    connector = car()
    static(20)
    balancing.balance()
    Connector.objects.update(accepted_limit_a=20)
    test = FailSafeTest.objects.create(
        station=connector.station, connector=connector, limit_a=20, standing_a=6, drawn_before_a=20
    )
    place = observe(Installation.get_solo(), now=0.0, grid=None, grid_at=0.0)[1][connector.pk]
    assert balancing._falls_in_test(place, ReasonCode.CAR_TAKES_NO_MORE)
    assert not balancing._falls_in_test(place, ReasonCode.LINE_FULL)
    static(10)
    balancing.balance()
    assert limits(sent)[-1][4] == 10
    FailSafeTest.objects.filter(pk=test.pk).update(ended_at=timezone.now(), finding="needed")
    place = observe(Installation.get_solo(), now=0.0, grid=None, grid_at=0.0)[1][connector.pk]
    assert not balancing._falls_in_test(place, ReasonCode.CAR_TAKES_NO_MORE)
