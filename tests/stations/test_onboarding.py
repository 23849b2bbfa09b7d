"""The pre-configuration on the wire: learned once, written once, and never in the way of anything."""

import asyncio

import pytest

from simulator import Model
from simulator.link import CallError
from stations.models import Connector, Preconfiguration, Station
from stations.ocpp16 import charge_point, consumer, sockets
from stations.preconfiguration import capabilities_of, restore_preconfiguration
from stations.setting_up import approve_stations
from tests.stations.wire import Wire, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

INTERVAL = "MeterValueSampleInterval"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Begin at once after a boot; without one, not within a test."""
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)


def kept():
    return Preconfiguration.objects.filter(station__identity="CP1").first()


def is_learned():
    return Preconfiguration.objects.filter(read_at__isnull=False).first()


def has_tried(count):
    return lambda: (found := kept()) and len(found.tried) == count and all(entry[2] for entry in found.tried)


async def test_a_first_boot_is_followed_by_one_question_and_only_by_the_writes_that_are_needed():
    async with Wire(sample_interval_s=60) as wire:
        await wire.boot()
        await until(has_tried(1))
        assert [payload for payload, _ in wire.asked("GetConfiguration")] == [{}]
        assert wire.written() == [(INTERVAL, "10", "Accepted")]
        assert wire.simulated.configuration.seconds(INTERVAL) == 10


async def test_a_station_that_is_right_is_not_written_to():
    async with Wire() as wire:
        await wire.boot()
        await until(is_learned)
    assert wire.written() == []


async def test_the_second_boot_of_the_same_firmware_asks_and_writes_nothing():
    async with Wire(sample_interval_s=60) as wire:
        await wire.boot()
        await until(has_tried(1))
    async with Wire(sample_interval_s=60) as again:
        await again.boot()
        await settled(again)
        assert again.calls == []


async def test_another_firmware_is_asked_anew():
    async with Wire() as wire:
        await wire.boot("1.0")
        await until(is_learned)
        await wire.boot("1.1")
        await until(lambda: (found := is_learned()) and found.firmware_version == "1.1")
        assert len(wire.asked("GetConfiguration")) == 2


async def test_a_station_that_connects_without_a_boot_is_asked_after_some_quiet(monkeypatch):
    monkeypatch.setattr(consumer, "QUIET_S", 0)
    async with Wire():
        await until(is_learned)


async def test_a_station_that_is_not_in_service_is_not_asked(monkeypatch):
    monkeypatch.setattr(consumer, "QUIET_S", 0)
    await in_database(lambda: Station.objects.create(identity="CP1", state="pending"))
    async with Wire() as wire:
        await wire.boot()
        await settled(wire)
        assert wire.calls == []
        await in_database(lambda: Station.objects.update(state="configured"))
        await wire.boot()
        await until(is_learned)


async def test_what_a_station_can_is_learned_and_its_connectors_appear():
    model = Model(units=("A",), top_stack_level=3)
    async with Wire(model, lines=(0, 2, 1)) as wire:
        wire.simulated.configuration.put("NumberOfConnectors", "2")
        await wire.boot()
        await until(is_learned)
    station = await in_database(Station.objects.get)
    can = await in_database(lambda: capabilities_of(station, kept()))
    assert (can.connectors, can.units, can.top_stack_level, can.rotation) == (2, ("A",), 3, "L1L3L2")
    assert await in_database(lambda: list(Connector.objects.values_list("number", flat=True))) == [1, 2]
    assert station.phase_rotation == "L1L2L3", "the rotation is a proposal only"


async def test_a_station_that_refuses_the_question_for_everything_is_asked_in_pieces():
    async with Wire(sample_interval_s=60) as wire:
        config = wire.simulated.configuration
        config.put("GetConfigurationMaxKeys", "5")

        def read(payload):
            if not 0 < len(payload.get("key", ())) <= 5:
                raise CallError("GenericError", "too many keys")
            return config.read(payload["key"])

        wire.replies["GetConfiguration"] = read
        await wire.boot()
        await until(has_tried(1))
        pieces = [payload.get("key", []) for payload, _ in wire.asked("GetConfiguration")]
    assert [len(piece) for piece in pieces] == [0, 1, 5, 5, 5]
    assert (await in_database(kept)).reported["NumberOfConnectors"] == ["1", True]


async def test_a_station_that_knows_no_configuration_is_written_to_once_and_asked_no_more():
    def refuse(_payload):
        raise CallError("NotSupported", "")

    for _ in range(2):
        async with Wire() as wire:
            wire.replies = {"GetConfiguration": refuse, "ChangeConfiguration": refuse}
            await wire.boot()
            written = await until(lambda: (found := is_learned()) and found.tried)
            await until(has_tried(3 + 7))
            await settled(wire)
    assert wire.calls == []
    assert all(outcome.startswith("NotSupported") for _, _, outcome in written[:-1])


async def test_a_station_that_never_answers_is_left_alone_and_keeps_its_socket(monkeypatch):
    monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.01)
    async with Wire() as wire:
        wire.replies["GetConfiguration"] = lambda _: None
        await wire.boot()
        while len(wire.asked("GetConfiguration")) < 2:
            await asyncio.sleep(0.01)
        await settled(wire)
        assert wire.written() == []
        await wire.ask("Heartbeat")


async def test_a_station_that_restarts_when_asked_is_asked_twice_and_then_left_alone():
    """ABB Terra AC up to 1.8.21 restarts when asked for its configuration."""
    questions = 0
    for _ in range(4):
        async with Wire() as wire:
            asked = asyncio.Event()
            wire.replies["GetConfiguration"] = lambda _, asked=asked: asked.set()
            await wire.boot()
            await settled(wire)
            questions += len(wire.asked("GetConfiguration"))
    assert questions == 2
    assert (await in_database(kept)).read_at is None


async def test_a_station_that_restarts_when_written_to_is_not_written_to_again():
    for _ in range(2):
        async with Wire(sample_interval_s=60) as wire:
            wire.replies["ChangeConfiguration"] = lambda _: None
            await wire.boot()
            await until(lambda: kept() and kept().tried)
            await settled(wire)
    assert wire.calls == []
    assert (await in_database(kept)).tried == [[INTERVAL, "10", ""]]


async def test_a_setting_that_needs_a_restart_is_noted_and_nothing_is_restarted():
    async with Wire(sample_interval_s=60) as wire:
        wire.replies["ChangeConfiguration"] = lambda _: {"status": "RebootRequired"}
        await wire.boot()
        await until(lambda: kept() and kept().needs_reboot)
        assert wire.asked("Reset") == []
        await wire.boot()
        assert not (await in_database(kept)).needs_reboot


async def test_restoring_the_pre_configuration_does_it_again_at_once(monkeypatch):
    published = []
    monkeypatch.setattr("stations.preconfiguration.publish", published.append)
    async with Wire(sample_interval_s=60) as wire:
        await wire.boot()
        await until(has_tried(1))
        wire.simulated.configuration.put(INTERVAL, "60")
        station = await in_database(Station.objects.get)
        await in_database(lambda: restore_preconfiguration(station_ids=[station.pk]))
        assert await in_database(kept) is None
        sockets.deliver(*published)
        await until(has_tried(1))
        assert wire.written() == [(INTERVAL, "10", "Accepted")] * 2


async def test_the_pre_configuration_ends_with_its_socket(monkeypatch):
    monkeypatch.setattr(charge_point, "SETTLE_S", 3600)
    async with Wire() as wire:
        await wire.boot()
        tasks = [task for task in asyncio.all_tasks() if "onboard" in str(task.get_coro())]
        assert len([task for task in tasks if not task.cancelling()]) == 1
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)


async def settled(wire):
    """Wait until what the station's last words set going is done, but for a call that stays unanswered."""
    await wire.ask("Heartbeat")
    onboarding = [task for task in asyncio.all_tasks() if "onboard" in str(task.get_coro())]
    if onboarding:
        await asyncio.wait(onboarding, timeout=0.3)


async def test_a_connected_station_is_set_up_when_it_is_taken_into_service(monkeypatch):
    """A pending one is asked nothing; it need not connect again once it is taken."""
    published = []
    monkeypatch.setattr("stations.preconfiguration.publish", published.append)
    async with Wire(sample_interval_s=60) as wire:
        await in_database(lambda: Station.objects.update(state="pending"))
        await wire.boot()
        await settled(wire)
        assert wire.asked("GetConfiguration") == []
        await in_database(lambda: approve_stations(station_ids=[wire.station_id]))
        for message in published:
            sockets.deliver(message)
        await until(has_tried(1))
    assert wire.written() == [(INTERVAL, "10", "Accepted")]
