"""Charging profiles: what real stations do with them, one test a quirk, on a real socket."""

import pytest

from simulator import Model
from simulator.answers import answer
from simulator.link import CallError
from simulator.profiles import DEFAULT, MAXIMUM, TRANSACTION
from stations.models import Connector, Preconfiguration, Transaction
from stations.ocpp16 import consumer
from tests.stations.limits import connector, limit, live, onboarded, stand
from tests.stations.wire import Wire, eventually, in_database, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


def taking(wire, takes):
    """Let a station answer SetChargingProfile by a rule of its own: True, or the status it refuses with."""

    def reply(payload):
        verdict = takes(payload["csChargingProfiles"])
        return answer(wire.simulated, "SetChargingProfile", payload) if verdict is True else {"status": verdict}

    wire.replies["SetChargingProfile"] = reply


async def overdraw(wire, transaction_id, *currents_a, offered_a=None):
    """Report twice what the car draws, and wait until what follows is sent and kept."""
    for _ in range(2):
        await wire.measure(transaction_id, *currents_a, offered_a=offered_a)
    await until(lambda: connector().refusal)


# --- 1. the purpose


async def test_evbox_refuses_the_station_maximum_and_gets_the_default():
    async with Wire(Model(purposes=(DEFAULT,), top_stack_level=0, units=("A",)), vendor="EVBox") as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 0), True)
        assert wire.held_a() == 10
        assert MAXIMUM not in {form[0] for form, _ in wire.profiles()}


async def test_timxon_supports_no_station_maximum_and_never_needs_it():
    async with Wire() as wire:
        await onboarded(wire)
        taking(wire, lambda profile: profile["chargingProfilePurpose"] != MAXIMUM or "NotSupported")
        await limit(wire, 10, await wire.begin())
        assert wire.held_a() == 10
        assert "NotSupported" not in str(wire.asked("SetChargingProfile"))


async def test_schneider_with_its_own_load_balancer_takes_the_station_maximum_alone():
    async with Wire(Model(purposes=(MAXIMUM,))) as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles()[-1] == ((MAXIMUM, "A", "Absolute", 0), True)
        assert wire.held_a() == 10


async def test_schneider_without_its_own_load_balancer_is_limited_by_default():
    async with Wire(Model(purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 1), True)


async def test_a_default_that_waits_for_the_next_transaction_is_found_out_by_what_the_car_draws():
    async with Wire(Model(purposes=(DEFAULT, MAXIMUM), default_needs_new_transaction=True)) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        assert wire.held_a() == 32, "it was accepted, and changes nothing now"
        while wire.held_a() != 10:
            await wire.measure(number, 32, 32, 32)
        assert wire.profiles()[-1] == ((MAXIMUM, "A", "Absolute", 0), True)
        await until(lambda: Preconfiguration.objects.get().ladders["live"]["proven"] == [MAXIMUM, "A", "Absolute", 0])
        ladder = (await in_database(Preconfiguration.objects.get)).ladders["live"]
        assert all(form[0] == DEFAULT for form in ladder["disobeyed"])


async def test_a_transaction_profile_goes_with_its_transaction_and_the_standing_default_holds_again():
    async with Wire() as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 20, number)
        await wire.end(number)
        assert wire.held_a() == 6


async def test_a_transaction_profile_without_a_transaction_is_refused_and_counts_for_nothing():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 20, number)
        wire.simulated.connectors[1].transaction = None
        await in_database(lambda: Transaction.objects.update(stopped_at="2026-01-05T23:00:00Z", meter_stop_wh=9))
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().refusal)
        assert (await in_database(Preconfiguration.objects.get)).ladders["live"]["proven"][0] == TRANSACTION
        assert len(wire.profiles()) == 2


# --- 2. "Accepted" proves nothing


async def test_grizzl_e_accepts_every_form_and_keeps_none_which_is_said_and_it_goes_on_with_the_first():
    async with Wire(Model(top_stack_level=0, units=("A",))) as wire:
        await onboarded(wire)
        wire.simulated.fault = "ignore"
        number = await wire.begin()
        await limit(wire, 10, number)
        while not (await in_database(connector)).refusal.startswith("accepted but not obeyed, in any form"):
            await wire.measure(number, 32, 32, 32)
        assert [form[0] for form, _ in wire.profiles()] == [
            TRANSACTION,
            TRANSACTION,
            DEFAULT,
            DEFAULT,
            MAXIMUM,
            MAXIMUM,
        ]
        assert (await in_database(connector)).refusal == "accepted but not obeyed, in any form: 32 A instead of 10 A"
        await limit(wire, 9, number)
        assert wire.profiles()[-1] == ((TRANSACTION, "A", "Absolute", 0), True)
        assert (await in_database(connector)).refusal == "accepted but not obeyed, in any form: 32 A instead of 10 A"


async def test_go_e_accepts_a_form_and_changes_nothing_and_the_next_form_works_and_is_remembered():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        wire.replies["SetChargingProfile"] = lambda _: {"status": "Accepted"}
        await limit(wire, 10, number)
        del wire.replies["SetChargingProfile"]
        await overdraw(wire, number, 16)
        assert (await in_database(connector)).refusal == "accepted but not obeyed: 16 A instead of 10 A"
        await eventually(lambda: wire.held_a() == 10)
        assert wire.profiles()[-1] == ((TRANSACTION, "A", "Absolute", 8), True)
    async with Wire() as again:
        await limit(again, 9, await again.begin())
        assert again.profiles() == [((TRANSACTION, "A", "Absolute", 8), True)]


async def test_go_e_resumes_without_a_limit_after_zero_and_is_told_in_another_form():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 0, number)
        await wire.measure(number, 0, 0, 0)
        await limit(wire, 8, number)
        await overdraw(wire, number, 32, 32, 32)
        await eventually(lambda: wire.profiles()[-1][0] != (TRANSACTION, "A", "Absolute", 0))


async def test_wallbox_pulsar_pro_accepts_and_stays_at_9_a():
    async with Wire(vendor="Wallbox") as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 16, number)
        for _ in range(3):
            await wire.measure(number, 9)
        assert (await in_database(connector)).refusal == "", "a car may take less than it is allowed"
        await limit(wire, 6, number)
        await overdraw(wire, number, 9)
        assert (await in_database(connector)).refusal == "accepted but not obeyed: 9 A instead of 6 A"


async def test_a_station_that_measures_nothing_is_judged_and_counted_by_what_it_offers():
    """Hager witty share without its meter."""
    async with Wire(Model(measures=False)) as wire:
        await onboarded(wire)
        number = await wire.begin()
        wire.replies["SetChargingProfile"] = lambda _: {"status": "Accepted"}
        await limit(wire, 10, number)
        wire.replies["SetChargingProfile"] = lambda _: None
        await overdraw(wire, number, offered_a=16)
        assert (await in_database(connector)).accepted_limit_a == 16


async def test_one_sample_above_the_limit_is_no_proof():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        for drawn_a in (16, 10, 16, 10):
            await wire.measure(number, drawn_a)
        assert (await in_database(connector)).refusal == ""
        assert len(wire.profiles()) == 1


async def test_samples_kept_while_offline_say_nothing_of_a_limit_of_today():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        for minute in (1, 2, 3):
            value = {"value": "32", "measurand": "Current.Import", "phase": "L1"}
            old = [{"timestamp": f"2026-01-05T11:0{minute}:00Z", "sampledValue": [value]}]
            await wire.ask("MeterValues", connectorId=1, transactionId=number, meterValue=old)
        assert (await in_database(connector)).refusal == ""
        assert len(wire.profiles()) == 1


async def test_a_transaction_profile_that_is_not_kept_is_taken_back_before_another_purpose_is_used():
    async with Wire(
        Model(top_stack_level=0, units=("A",), kinds=("Absolute",), purposes=(TRANSACTION, DEFAULT))
    ) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        await overdraw(wire, number, 16)
        await eventually(lambda: wire.profiles()[-1] == ((DEFAULT, "A", "Absolute", 0), True))
        assert wire.asked("ClearChargingProfile") == [({"id": 2}, {"status": "Accepted"})]


async def test_both_connectors_of_a_twin_station_leave_a_form_that_neither_keeps():
    async with Wire(connectors=2) as wire:
        await onboarded(wire)
        numbers = [await wire.begin(connector_number) for connector_number in (1, 2)]
        wire.replies["SetChargingProfile"] = lambda _: {"status": "Accepted"}
        for connector_number, number in enumerate(numbers, start=1):
            await limit(wire, 10, number, connector_number)
        del wire.replies["SetChargingProfile"]
        for connector_number, number in enumerate(numbers, start=1):
            for _ in range(2):
                await wire.measure(number, 16, number=connector_number)
        await eventually(lambda: (wire.held_a(1), wire.held_a(2)) == (10, 10))
        assert {form for form, _ in wire.profiles()[2:]} == {(TRANSACTION, "A", "Absolute", 8)}


# --- 3. the stack level


async def test_abb_reports_three_levels_and_takes_level_0():
    async with Wire(Model(top_stack_level=3)) as wire:
        await onboarded(wire)
        taking(wire, lambda profile: profile["stackLevel"] == 0 or "Rejected")
        await stand(wire, 6)
        await limit(wire, 10, await wire.begin())
        assert [form[3] for form, _ in wire.profiles()] == [0, 0]
        assert wire.held_a() == 10


async def test_a_station_that_takes_only_its_highest_level_gets_that_next():
    async with Wire(Model(top_stack_level=3)) as wire:
        await onboarded(wire)
        taking(wire, lambda profile: profile["stackLevel"] == 3 or "Rejected")
        await limit(wire, 10, await wire.begin())
        assert [form[3] for form, _ in wire.profiles()] == [0, 3]


async def test_evbox_elvi_reports_level_0_and_is_never_sent_another():
    async with Wire(Model(top_stack_level=0, purposes=(DEFAULT,))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        await limit(wire, 10, await wire.begin())
        assert {form[3] for form, _ in wire.profiles()} == {0}


# --- 4. the kind


async def test_wallbox_needs_relative_profiles():
    async with Wire(Model(kinds=("Relative",), units=("A",)), vendor="Wallbox") as wire:
        await onboarded(wire)
        await stand(wire, 6)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles()[-1] == ((TRANSACTION, "A", "Relative", 0), True)
        assert wire.held_a() == 10


async def test_a_station_that_breaks_off_at_a_relative_profile_is_limited_by_an_absolute_one():
    async with Wire() as wire:
        await onboarded(wire)

        def refuse(profile):
            if profile["chargingProfileKind"] == "Relative":
                raise CallError("PropertyConstraintViolation", "")
            return True

        taking(wire, refuse)
        await limit(wire, 10, await wire.begin())
        assert wire.profiles() == [((TRANSACTION, "A", "Absolute", 0), True)]


async def test_timxon_is_silent_to_an_absolute_profile_and_gets_a_relative_one(monkeypatch):
    async with Wire() as wire:
        await onboarded(wire)

        def reply(payload):
            is_absolute = payload["csChargingProfiles"]["chargingProfileKind"] == "Absolute"
            return None if is_absolute else answer(wire.simulated, "SetChargingProfile", payload)

        wire.replies["SetChargingProfile"] = reply
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.4)
        await limit(wire, 10, await wire.begin())
        silent, last = (TRANSACTION, "A", "Absolute", 0), (TRANSACTION, "A", "Relative", 0)
        assert [form for form, _ in wire.profiles()] == [silent, silent, last]
        assert wire.held_a() == 10


async def test_a_station_whose_clock_is_slow_finds_the_limit_begun():
    """A schedule that begins in the future is no limit now."""
    async with Wire() as wire:
        wire.simulated.clock = lambda now=wire.simulated.clock: now() - 1800
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        running = wire.simulated.connectors[1].transaction
        assert wire.simulated.profiles.limits(1, wire.simulated.clock(), running.started_at).least(32) == 10


# --- 5. the unit


async def test_go_e_takes_only_amperes():
    async with Wire(Model(units=("A",))) as wire:
        await onboarded(wire)
        wire.simulated.fault = "reject"
        live(wire, 10, await wire.begin(), connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().refusal.startswith("cannot be limited"))
        assert {form[1] for form, _ in wire.profiles()} == {"A"}


async def test_huawei_takes_only_watts():
    async with Wire(Model(units=("W",))) as wire:
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert {form[1] for form, _ in wire.profiles()} == {"W"}
        assert wire.held_a() == 10


@pytest.mark.parametrize("said", ["Current,Power", "Power", "W"])
async def test_the_unit_is_found_however_a_station_names_it(said):
    async with Wire(Model(units=("A", "W") if "Current" in said else ("W",))) as wire:
        wire.simulated.configuration.put("ChargingScheduleAllowedChargingRateUnit", said)
        await onboarded(wire)
        await limit(wire, 10, await wire.begin())
        assert len(wire.profiles()) == 1
        assert wire.held_a() == 10


async def test_watts_that_let_a_single_phase_car_draw_too_much_are_given_up():
    """EVerest let 16 A become more than 20 A on one phase."""
    async with Wire(Model(units=("W",))) as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 10, number)
        await overdraw(wire, number, 22)
        await until(lambda: Preconfiguration.objects.get().ladders["live"]["disobeyed"])
        ladder = (await in_database(Preconfiguration.objects.get)).ladders["live"]
        assert ladder["disobeyed"] == [[TRANSACTION, "W", "Absolute", 0]]


# --- 6. 0 A


async def test_zero_suspends_the_car_and_the_transaction_goes_on():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        await limit(wire, 0, number)
        await wire.ask("StatusNotification", connectorId=1, status="SuspendedEVSE", errorCode="NoError")
        await limit(wire, 10, number)
        transaction = await in_database(Transaction.objects.get)
        assert (transaction.pk, transaction.stopped_at) == (number, None)
        assert wire.held_a() == 10


async def test_a_car_is_never_paused_by_a_remote_stop():
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        for limit_a in (0, 10, 0):
            await limit(wire, limit_a, number)
        assert wire.asked("RemoteStopTransaction") == []


@pytest.mark.parametrize("status", ["Rejected", "NotSupported"])
async def test_a_station_that_refuses_zero_stays_counted_and_takes_the_next_limit(status):
    """ABB Terra DC supports none, others reject it without a car."""
    async with Wire(Model(top_stack_level=0, units=("A",))) as wire:
        await onboarded(wire)
        await stand(wire, 6)
        number = await wire.begin()
        await limit(wire, 16, number)
        first = wire.profiles()[-1]
        taking(
            wire,
            lambda profile: profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] > 0 or status,
        )
        live(wire, 0, number, connector_id=(await in_database(connector)).pk)
        row = await until(lambda: (found := connector()).refusal == f"cannot be limited: {status}" and found)
        assert row.accepted_limit_a == 16
        await limit(wire, 6, number)
        assert (await in_database(Connector.objects.get)).refusal == ""
        assert wire.profiles()[-1] == first


# --- 7. the answer


async def test_an_acceptance_after_45_s_is_known_and_counted(monkeypatch):
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        held_back = []
        wire.replies["SetChargingProfile"] = lambda payload: held_back.append(payload)
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.3)
        live(wire, 10, number, connector_id=(await in_database(connector)).pk)
        await until(lambda: connector().refusal)
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 30)
        await wire.reply_late("SetChargingProfile", {"status": "Accepted"})
        await until(lambda: connector().accepted_limit_a == 10)


async def test_a_late_acceptance_of_a_limit_that_was_overtaken_counts_only_upwards(monkeypatch):
    async with Wire() as wire:
        await onboarded(wire)
        number = await wire.begin()
        key = (await in_database(connector)).pk
        wire.replies["SetChargingProfile"] = lambda _: None
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 0.3)
        live(wire, 20, number, connector_id=key)
        await until(lambda: connector().refusal)
        del wire.replies["SetChargingProfile"]
        monkeypatch.setattr(consumer, "CALL_TIMEOUT_S", 30)
        await limit(wire, 8, number)
        await wire.reply_late("SetChargingProfile", {"status": "Accepted"})
        await until(lambda: connector().accepted_limit_a == 20)
