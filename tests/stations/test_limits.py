"""Limits on the wire: each quirk of a real station, as the simulator has it, and what is done about it."""

import asyncio
import json

import pytest

from simulator import Model
from simulator.answers import answer
from simulator.link import CallError
from simulator.profiles import DEFAULT, MAXIMUM, TRANSACTION
from stations.models import Connector, Preconfiguration, Station, Transaction
from stations.ocpp16 import charge_point, consumer, sockets
from stations.ocpp16.configuration import Reported
from stations.preconfiguration import keep_reported
from stations.services import held_limit, record_standing
from tests.stations.limits import connector, limit, live, onboarded, stand
from tests.stations.wire import Wire, eventually, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

FIRST = (TRANSACTION, "A", "Absolute", 0)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(charge_point, "SETTLE_S", 0)
    monkeypatch.setattr(consumer, "QUIET_S", 3600)


def kept():
    return Preconfiguration.objects.get()


def proven(role):
    return tuple(kept().ladders[role]["proven"])


async def test_a_limit_that_comes_again_while_it_is_being_told_is_told_once():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        row = await in_database(connector)
        for limit_a in (10, 10, 10):
            live(wire, limit_a, number, connector_id=row.pk)
            await asyncio.sleep(0)
        await until(lambda: connector().accepted_limit_a == 10)
        await limit(wire, 8, number)
        assert len(wire.profiles()) == 2


async def refused(wire, limit_a, transaction_id):
    """Send a limit to a station that takes no form of it, and wait until that is known; returns the connector."""
    row = await in_database(connector)
    live(wire, limit_a, transaction_id, connector_id=row.pk)
    return await until(lambda: (found := connector()).refusal.startswith("cannot be limited") and found)


async def test_a_station_that_can_all_is_limited_at_the_first_try():
    async with Wire() as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles() == [(FIRST, True)]
        assert wire.held_a() == 10
        assert await in_database(lambda: proven("live")) == FIRST


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (Model(purposes=(DEFAULT,)), (DEFAULT, "A", "Absolute", 1)),
        (Model(purposes=(DEFAULT,), top_stack_level=0, units=("A",)), (DEFAULT, "A", "Absolute", 0)),
        (Model(purposes=(MAXIMUM,)), (MAXIMUM, "A", "Absolute", 0)),
        (Model(kinds=("Relative",)), (TRANSACTION, "A", "Relative", 0)),
        (Model(units=("W",)), (TRANSACTION, "W", "Absolute", 0)),
        (Model(default_needs_new_transaction=True), FIRST),
    ],
    ids=["EVBox", "EVBox Elvi", "maximum only", "Wallbox", "Huawei", "default for the next transaction only"],
)
async def test_each_make_is_limited_in_the_form_it_takes_and_that_is_remembered(model, form):
    async with Wire(model) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        assert wire.profiles()[-1] == (form, True)
        assert wire.held_a() == pytest.approx(10, abs=0.1)
        tried = len(wire.profiles())
        await limit(wire, 8, number)
        assert wire.profiles()[tried:] == [(form, True)]
    async with Wire(model) as again:
        await limit(again, 9, await again.begin())
        assert again.profiles() == [(form, True)]


async def test_watts_are_those_of_the_station_s_phases():
    async with Wire(Model(units=("W",)), lines=(1,)) as wire:
        await in_database(lambda: Station.objects.update(phase_rotation="L2"))
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        period = wire.asked("SetChargingProfile")[0][0]["csChargingProfiles"]["chargingSchedule"]
        assert period["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 2300, "numberPhases": 1}]


async def test_case_28_a_refused_form_leaves_the_old_limit_counted_and_the_next_is_tried_at_once():
    async with Wire(Model(kinds=("Relative",), top_stack_level=0)) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await in_database(lambda: Connector.objects.update(accepted_limit_a=16))
        seen = []

        def look(payload):
            seen.append(payload)
            if len(seen) == 1:
                return {"status": "Rejected"}
            return None

        wire.replies["SetChargingProfile"] = look
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        row = await until(lambda: (found := connector()).refusal and found)
        assert (row.accepted_limit_a, row.refusal) == (16, "Rejected")
        while len(seen) < 2:
            await asyncio.sleep(0.01)
        assert seen[1]["csChargingProfiles"]["chargingProfileKind"] == "Relative"
        ((_action, call),) = wire.unanswered
        await wire.socket.send_to(json.dumps([3, call, {"status": "Accepted"}]))
        row = await until(lambda: (found := connector()).accepted_limit_a == 10 and found)
        assert row.refusal == ""


async def test_a_station_that_takes_none_is_shown_and_kept_at_what_it_last_accepted():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await in_database(lambda: Connector.objects.update(accepted_limit_a=16))
        wire.simulated.fault = "reject"
        row = await refused(wire, 10, number)
        assert (row.accepted_limit_a, row.refusal) == (16, "cannot be limited: Rejected")
        assert (await in_database(kept)).ladders["live"]["is_exhausted"]
        tried = len(wire.profiles())
        assert tried == len(set(wire.profiles()))

        wire.simulated.fault = "none"
        await limit(wire, 10, number)
        assert len(wire.profiles()) == tried + 1
        assert (await in_database(connector)).refusal == ""


async def test_an_exhausted_station_is_tried_once_a_limit_and_not_the_whole_ladder_again():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        wire.simulated.fault = "reject"
        await refused(wire, 10, number)
        tried = len(wire.profiles())
        await in_database(lambda: Connector.objects.update(refusal=""))
        await refused(wire, 9, number)
        assert len(wire.profiles()) == tried + 1


async def test_a_station_without_smart_charging_is_never_sent_a_profile():
    async with Wire(Model(purposes=())) as wire:
        await onboarded(wire)
        row = await refused(wire, 10, await wire.begin())
        assert row.refusal == "cannot be limited: no SmartCharging"
        assert wire.profiles() == []


async def test_a_callerror_is_a_refusal_like_any_other():
    """One answers PropertyConstraintViolation to what it does not like."""
    async with Wire() as wire:
        await onboarded(wire)
        take = wire.simulated

        def choose(payload):
            if payload["csChargingProfiles"]["chargingProfileKind"] == "Absolute":
                raise CallError("PropertyConstraintViolation", "")
            return answer(take, "SetChargingProfile", payload)

        wire.replies["SetChargingProfile"] = choose
        await limit(wire, 10, await wire.begin())
        assert wire.profiles()[-1] == ((TRANSACTION, "A", "Relative", 0), True)


async def test_the_standing_current_survives_a_live_limit_above_it_which_goes_with_its_transaction():
    async with Wire(Model(purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 20, number)
        assert wire.held_a() == 20
        await wire.end(number)
        await until(lambda: connector().lasting_limit_a is None)
        assert wire.asked("ClearChargingProfile") == [({"id": 2}, {"status": "Accepted"})]
        assert wire.held_a() == 6


async def test_where_there_is_one_level_the_live_limit_replaces_the_standing_current_until_the_transaction_ends():
    async with Wire(Model(purposes=(DEFAULT,), top_stack_level=0)) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 20, number)
        sent = wire.asked("SetChargingProfile")[-1][0]["csChargingProfiles"]
        assert sent["chargingProfileId"] == 1, "a number of its own would leave two profiles in one place"
        await stand(wire, 8)
        assert wire.held_a() == 20, "a new standing current does not touch the live limit"
        await wire.end(number)
        await until(lambda: Station.objects.get().standing_fail_safe_a is None)
        await stand(wire, 8)
        assert wire.held_a() == 8
        assert (await in_database(connector)).lasting_limit_a is None


async def test_where_only_the_whole_station_is_limited_the_standing_current_is_too():
    async with Wire(Model(purposes=(MAXIMUM,))) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 20, number)
        await wire.end(number)
        await stand(wire, 6)
        assert wire.profiles()[-1] == ((MAXIMUM, "A", "Absolute", 0), True)
        assert wire.held_a() == 6


async def test_a_transaction_that_begins_under_a_lasting_limit_counts_at_that():
    async with Wire(Model(purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        first = await wire.begin()
        await limit(wire, 20, first)
        wire.replies["ClearChargingProfile"] = lambda _: {"status": "Rejected"}
        await wire.end(first)
        assert await wire.begin() != first
        assert (await in_database(connector)).accepted_limit_a == 20


async def test_the_connectors_of_a_twin_station_keep_their_own_profiles():
    """A profile's id is unique in its station: with the same one the second connector's would replace the first's."""
    async with Wire(connectors=2) as wire:
        await onboarded(wire)
        await stand(wire, 6, numbers=(1, 2))
        for number in (1, 2):
            await limit(wire, 10 + number, await wire.begin(number), number)
        assert (wire.held_a(1), wire.held_a(2)) == (11, 12)
        assert len(wire.simulated.profiles) == 4


async def test_a_transaction_profile_that_would_win_is_taken_back_before_another_purpose_is_used():
    async with Wire(Model(top_stack_level=0)) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 20, number)
        wire.simulated.model = Model(purposes=(DEFAULT,), top_stack_level=0)
        await limit(wire, 10, number)
        await limit(wire, 9, number)
        assert wire.held_a() == 9
        assert wire.asked("ClearChargingProfile") == [({"id": 2}, {"status": "Accepted"})]


async def test_the_standing_current_is_restored_though_a_later_transaction_was_limited_in_another_form():
    model = Model(top_stack_level=0, units=("A",))
    async with Wire(model) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        first = await wire.begin()
        await limit(wire, 20, first)
        wire.simulated.model = Model(purposes=(DEFAULT,), top_stack_level=0)
        await limit(wire, 10, first)
        wire.simulated.model = model
        second = await wire.begin()
        await limit(wire, 12, second)
        assert wire.profiles()[-1] == (FIRST, True)
        await wire.end(second)
        await until(lambda: Station.objects.get().standing_fail_safe_a is None)
        await stand(wire, 6)
        assert wire.held_a() == 6


async def test_a_limit_in_the_standing_current_s_place_is_replaced_though_a_better_place_was_free_again():
    """All levels but 0 were refused once; when the next transaction begins, all have another chance."""
    model = Model(top_stack_level=8, units=("A",))
    async with Wire(model) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        first = await wire.begin()
        await limit(wire, 20, first)

        def level_0_of_default(payload):
            profile = payload["csChargingProfiles"]
            if (profile["chargingProfilePurpose"], profile["stackLevel"]) == (DEFAULT, 0):
                return answer(wire.simulated, "SetChargingProfile", payload)
            return {"status": "Rejected"}

        wire.replies["SetChargingProfile"] = level_0_of_default
        await limit(wire, 19, first)
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 0), True)
        del wire.replies["SetChargingProfile"]
        second = await wire.begin()
        await limit(wire, 12, second)
        assert wire.profiles()[-1] == (FIRST, True)
        await wire.end(second)
        await until(lambda: Station.objects.get().standing_fail_safe_a is None)
        await stand(wire, 6)
        assert wire.held_a() == 6
        assert (await in_database(connector)).lasting_limit_a is None


async def test_a_live_default_above_the_standing_one_is_cleared_though_the_last_lay_in_its_place():
    async with Wire(Model(top_stack_level=8, units=("A",), purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 20, number)
        wire.simulated.model = Model(top_stack_level=0, units=("A",), purposes=(DEFAULT,))
        await limit(wire, 19, number)
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 0), True)
        await wire.end(number)
        await until(lambda: Station.objects.get().standing_fail_safe_a is None)
        await stand(wire, 6)
        assert wire.held_a() == 6


async def test_a_form_that_was_refused_in_one_transaction_has_another_chance_in_the_next():
    async with Wire() as wire:
        await onboarded(wire)
        first = await wire.begin()
        await limit(wire, 20, first)
        wire.simulated.model = Model(kinds=("Relative",))
        await limit(wire, 10, first)
        assert wire.profiles()[-1] == ((TRANSACTION, "A", "Relative", 0), True)
        await wire.end(first)
        wire.simulated.model = Model()
        await limit(wire, 12, await wire.begin())
        assert wire.profiles()[-1] == (FIRST, True)


async def test_what_is_learned_while_a_limit_waits_counts_for_the_next():
    async with Wire(Model(purposes=(DEFAULT,))) as wire:
        standing = {"type": "stations.standing", "standing": [[wire.station_id, [1], 6]]}

        def read(payload):
            sockets.deliver(standing)
            return wire.simulated.configuration.read(payload.get("key", ()))

        wire.replies["GetConfiguration"] = read
        await onboarded(wire)
        await until(lambda: Station.objects.get().standing_fail_safe_a == 6)
        await limit(wire, 20, await wire.begin())
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 1), True)


async def test_what_holds_after_a_profile_was_taken_back_is_counted():
    async with Wire(Model(top_stack_level=0, units=("A",))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 0, number)
        wire.simulated.model = Model(purposes=())
        row = await refused(wire, 10, number)
        assert (row.accepted_limit_a, wire.held_a()) == (6, 6)


async def test_a_limit_is_not_counted_where_a_transaction_profile_that_wins_cannot_be_taken_back():
    async with Wire(Model(top_stack_level=0, units=("A",))) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 20, number)
        wire.simulated.model = Model(purposes=(DEFAULT,), top_stack_level=0)
        wire.replies["ClearChargingProfile"] = lambda _: {"status": "Rejected"}
        assert (await refused(wire, 10, number)).accepted_limit_a == 20
        assert wire.held_a() == 20


async def test_a_form_refused_because_the_transaction_has_just_ended_is_not_climbed_from():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        await in_database(lambda: Transaction.objects.update(stopped_at="2026-01-05T12:00:00Z", meter_stop_wh=9))
        wire.simulated.connectors[1].transaction = None
        live(wire, 9, number, connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().refusal)
        await wire.ask("Heartbeat")
        assert len(wire.profiles()) == 2
        assert await in_database(lambda: proven("live")) == FIRST


async def test_a_connector_made_after_the_standing_current_was_taken_does_not_count_as_holding_it():
    async with Wire(connectors=2) as wire:
        await in_database(lambda: Connector.objects.filter(number=2).delete())
        await stand(wire, 0.0, (1,))
        await wire.ask("StatusNotification", connectorId=2, status="Available", errorCode="NoError")
        assert await in_database(Connector.objects.count) == 2
        assert (await in_database(Station.objects.get)).standing_fail_safe_a is None


async def test_a_connector_the_station_tells_of_does_not_count_as_holding_the_standing_current():
    async with Wire(connectors=2) as wire:
        await in_database(lambda: Connector.objects.filter(number=2).delete())
        await stand(wire, 6, (1,))
        told = {"NumberOfConnectors": Reported("2", is_readonly=True)}
        await in_database(lambda: keep_reported(station_id=wire.station_id, reported=told))
        assert await in_database(Connector.objects.count) == 2
        assert (await in_database(Station.objects.get)).standing_fail_safe_a is None


def test_a_standing_current_that_not_every_connector_was_told_is_not_kept():
    station = Station.objects.create(identity="CP1", state="configured")
    for number in (1, 2):
        Connector.objects.create(station=station, number=number)
    record_standing(station_id=station.pk, numbers=[1], fail_safe_a=6)
    assert Station.objects.get().standing_fail_safe_a is None
    record_standing(station_id=station.pk, numbers=[1, 2], fail_safe_a=6)
    assert Station.objects.get().standing_fail_safe_a == 6


async def test_a_limit_goes_out_though_what_the_station_can_could_not_be_read_before(caplog):
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        row = await in_database(connector)
        await in_database(lambda: Preconfiguration.objects.update(ladders="unreadable"))
        live(wire, 10, number, connector_id=row.pk)
        await eventually(lambda: "a limit could not be sent" in caplog.text)
        await in_database(lambda: Preconfiguration.objects.update(ladders={}))
        await limit(wire, 11, number)
        assert wire.profiles() == [(FIRST, True)]


async def test_a_station_is_not_judged_by_a_limit_it_was_never_sent():
    """The current a connector holds at the start of a transaction is the standing one."""
    async with Wire() as wire:
        await stand(wire, 6)
        number = await wire.begin()
        row = await in_database(connector)
        assert row.accepted_limit_a == 6
        assert await in_database(lambda: held_limit(connector_id=row.pk, transaction_id=number)) is None
        await limit(wire, 10, number)
        assert await in_database(lambda: held_limit(connector_id=row.pk, transaction_id=number)) == (1, 10)


async def test_a_transaction_that_never_had_a_profile_of_its_own_has_none_taken_back():
    """Some answer the number of a profile that they do not have with an error."""
    async with Wire(Model(purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await in_database(lambda: Preconfiguration.objects.update(ladders={"live": {"disobeyed": [FIRST]}}))
        sockets._sockets[wire.station_id].limits.forget()
        first = await wire.begin()
        await limit(wire, 10, first)
        assert len(wire.asked("ClearChargingProfile")) == 1, "on a new socket nobody knows what it has"
        await wire.end(first)
        await until(lambda: connector().lasting_limit_a is None)

        def unknown(_payload):
            raise CallError("PropertyConstraintViolation", "no such profile")

        wire.replies["ClearChargingProfile"] = unknown
        await limit(wire, 12, await wire.begin())
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 1), True)


async def test_each_transaction_whose_profile_does_not_hold_has_it_taken_back():
    async with Wire() as wire:
        await onboarded(wire)
        for transactions in (1, 2):
            wire.simulated.model = Model()
            await in_database(lambda: Preconfiguration.objects.update(ladders={}))
            sockets._sockets[wire.station_id].limits.forget()
            number = await wire.begin()
            await limit(wire, 20, number)
            wire.simulated.model = Model(purposes=(DEFAULT,))
            await limit(wire, 10, number)
            assert wire.held_a() == 10
            cleared = [payload for payload, _ in wire.asked("ClearChargingProfile")]
            assert len(cleared) >= transactions
            await wire.end(number)
            await until(lambda: connector().lasting_limit_a is None)
