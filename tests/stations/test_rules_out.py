"""The rules of what goes out: one test a rule, on a real socket, where no other file has one."""

import json

import pytest

from simulator import Model
from stations.models import Station
from stations.ocpp16 import charge_point, consumer, schemas, sockets
from stations.ocpp16.operations import OPERATIONS
from tests.stations.limits import connector, limit, live, onboarded, stand
from tests.stations.test_consumer import Line, in_database, station_of
from tests.stations.wire import Wire, eventually, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)


async def test_all_that_is_sent_in_the_life_of_a_station_validates():
    async with Wire(Model(purposes=("TxDefaultProfile",)), sample_interval_s=60) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 10, number)
        await wire.end(number)
        await eventually(lambda: wire.asked("ClearChargingProfile") and wire.written())
    assert {"GetConfiguration", "ChangeConfiguration", "SetChargingProfile"} <= {action for action, _, _ in wire.calls}
    for action, payload, _ in wire.calls:
        schemas.check(action, payload)


async def test_what_would_not_validate_never_reaches_the_station():
    async with Line("/ocpp/CP1") as line:
        socket = sockets._sockets[(await station_of("CP1")).pk]
        with pytest.raises(consumer.frames.OcppError, match="Reset"):
            await socket.call("Reset", {"type": "Lukewarm"})
        assert await line.socket.receive_nothing()


@pytest.mark.parametrize(("decided_a", "sent_a"), [(13.96, 13.9), (13.9, 13.9), (6.04, 6.0)])
async def test_limits_have_one_decimal_and_are_never_rounded_up(decided_a, sent_a):
    async with Wire() as wire:
        await onboarded(wire)
        await limit(wire, decided_a, await wire.begin())
        schedule = wire.asked("SetChargingProfile")[0][0]["csChargingProfiles"]["chargingSchedule"]
        assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": sent_a}]


async def test_the_newest_limit_goes_out_and_those_it_overtook_never_do():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 12, number)
        wire.replies["ClearCache"] = lambda _: None
        sockets._sockets[wire.station_id].start_call("ClearCache", {})
        await eventually(lambda: wire.unanswered)
        key = (await in_database(connector)).pk
        for limit_a in (16, 14, 8):
            live(wire, limit_a, number, connector_id=key)
            await wire.ask("Heartbeat")
        await wire.reply_late("ClearCache", {"status": "Accepted"})
        await until(lambda: connector().accepted_limit_a == 8)
        told = [payload["csChargingProfiles"]["chargingSchedule"] for payload, _ in wire.asked("SetChargingProfile")]
        limits_a = [schedule["chargingSchedulePeriod"][0]["limit"] for schedule in told]
        assert (limits_a[0], limits_a[-1], 14 in limits_a) == (12, 8, False)


async def test_a_new_boot_is_told_the_standing_current_again():
    async with Wire() as wire:
        await onboarded(wire)
        await stand(wire, 6)
        await wire.boot()
        await until(lambda: Station.objects.get().standing_fail_safe_a is None)


async def test_a_limit_has_no_end_so_that_no_station_is_unlimited_when_the_load_manager_is_away():
    async with Wire() as wire:
        await onboarded(wire)
        await stand(wire, 6)
        await limit(wire, 10, await wire.begin())
    sent = json.dumps([payload for payload, _ in wire.asked("SetChargingProfile")])
    assert "duration" not in sent
    assert "validTo" not in sent


async def test_every_operation_of_a_central_system_can_be_asked_of_a_station():
    async with Wire() as wire:
        socket = sockets._sockets[wire.station_id]
        for action, example in OPERATIONS.items():
            wire.replies[action] = lambda _: {"status": "Accepted"}
            await socket.call(action, example)
        assert [action for action, _, _ in wire.calls] == list(OPERATIONS)
