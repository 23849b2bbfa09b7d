"""How the passwords of stations change, and what keeps a station from being locked out."""

import asyncio
import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.secrets import keyed_hash
from stations.commanding import (
    end_commands_of_last_life,
    request_command,
    settle_command,
    tidy_commands,
    withdraw_commands,
)
from stations.errors import CommandUnfit
from stations.models import Command, CommandState, Station
from stations.ocpp16.blanking import HIDDEN
from stations.security import make_password
from stations.services import forget_sockets
from tests.http_client import ask, token_of
from tests.stations.offers import NEW, OLD, make, now, offering, told
from tests.stations.test_consumer import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


async def test_until_the_new_password_is_used_both_count_and_then_the_new_one_alone():
    await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.ACCEPTED)
    for password in (OLD, NEW):
        async with offering(password=password):
            pass
    assert await offering(password=OLD).refusal() == 401
    async with offering(password=NEW):
        pass
    assert (await now()).next_password_hash == ""


async def test_a_new_password_counts_before_its_answer_is_kept():
    await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW)
    async with offering(password=NEW):
        pass


@pytest.mark.parametrize(
    ("state", "is_sent", "counts"),
    [
        (CommandState.REJECTED, True, False),
        (CommandState.REFUSED, True, False),
        (CommandState.NOT_CONNECTED, False, False),
        (CommandState.NOT_CONNECTED, True, True),
        (CommandState.TIMED_OUT, True, True),
    ],
)
async def test_a_new_password_is_forgotten_only_where_it_was_surely_not_taken(state, is_sent, counts):
    await make(password_hash=keyed_hash(OLD))
    await told("authorizationKEY", NEW, state, is_sent=is_sent)
    if counts:
        async with offering(password=NEW):
            pass
    else:
        assert await offering(password=NEW).refusal() == 401


async def test_a_password_is_changed_one_at_a_time():
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW)
    with pytest.raises(CommandUnfit, match="just now"):
        await told("AuthorizationKey", "another")
    with pytest.raises(CommandUnfit, match="just now"):
        await in_database(lambda: make_password(station_id=command.station_id))
    await in_database(lambda: settle_command(command_id=command.pk, state=CommandState.ACCEPTED))
    with pytest.raises(CommandUnfit, match="restart"):
        await told("AuthorizationKey", "another")
    async with offering(password=NEW):
        pass
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


@pytest.mark.parametrize("state", [CommandState.TIMED_OUT, CommandState.NOT_CONNECTED, CommandState.ACCEPTED])
async def test_no_other_password_is_sent_where_the_one_before_may_have_been_taken(state):
    await make(password_hash=keyed_hash(OLD), security_profile=1)
    await told("AuthorizationKey", NEW, state)
    with pytest.raises(CommandUnfit, match="restart it first"):
        await told("AuthorizationKey", "another", CommandState.REJECTED)
    async with offering(password=NEW):
        pass


async def test_no_password_is_sent_in_the_place_of_one_made_by_hand():
    made = await make(password_hash=keyed_hash(OLD), security_profile=1)
    password = await in_database(lambda: make_password(station_id=made.pk))
    with pytest.raises(CommandUnfit, match="restart it first"):
        await told("AuthorizationKey", "another", CommandState.REJECTED)
    async with offering(password=password):
        pass


async def test_what_was_asked_is_read_anew_before_a_password_is_sent():
    read_before = await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.TIMED_OUT)
    with pytest.raises(CommandUnfit, match="restart it first"):
        await in_database(
            lambda: request_command(
                station=read_before,
                action="ChangeConfiguration",
                payload={"key": "AuthorizationKey", "value": "another"},
                user=None,
            )
        )


async def test_a_password_that_a_station_lost_is_replaced_by_hand_while_it_is_away():
    made = await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.TIMED_OUT)
    async with offering(password=OLD):
        with pytest.raises(CommandUnfit, match="restart it first"):
            await in_database(lambda: make_password(station_id=made.pk))
    password = await in_database(lambda: make_password(station_id=made.pk))
    async with offering(password=password):
        pass
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


def withdraw(command):
    withdraw_commands(command_ids=[command.pk])


def lose_outcome(command):
    Command.objects.filter(pk=command.pk).update(created_at=timezone.now() - timedelta(hours=1))
    tidy_commands()


def restart_web_process(command):
    Station.objects.filter(pk=command.station_id).update(socket_id=f"{settings.WEB_ID}/1")
    end_commands_of_last_life()
    forget_sockets()


@pytest.mark.parametrize("end", [withdraw, lose_outcome, restart_web_process])
async def test_a_password_that_was_never_sent_is_forgotten_however_its_command_ends(end):
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW, is_sent=False)
    await in_database(lambda: end(command))
    assert (await now()).next_password_hash == ""
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


@pytest.mark.parametrize("end", [lose_outcome, restart_web_process])
async def test_a_password_that_was_sent_counts_however_its_command_ends(end):
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW)
    await in_database(lambda: end(command))
    async with offering(password=NEW):
        pass


async def test_a_password_cannot_be_taken_away():
    await make(password_hash=keyed_hash(OLD))
    with pytest.raises(CommandUnfit, match="taken away"):
        await told("AuthorizationKey", "")


async def test_a_password_made_by_hand_is_needed_from_its_first_use():
    made = await make()
    password = await in_database(lambda: make_password(station_id=made.pk))
    assert len(bytes.fromhex(password)) == 20
    async with offering():
        pass
    async with offering(password=password):
        pass
    assert await offering().refusal() == 401


async def test_a_password_is_sent_whole_and_kept_and_logged_nowhere(caplog):
    token = await token_of("administrator")
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        body = {"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": NEW}}
        asking = asyncio.create_task(ask("POST", "/api/stations/CP1/commands", body, token=token))
        heard = await line.hear()
        await line.socket.send_to(json.dumps([3, heard[1], {"status": "Accepted"}]))
        answer = await asking
    assert heard[3]["value"] == NEW
    assert answer.json()["payload"]["value"] == HIDDEN
    assert (await in_database(Command.objects.get)).payload == {"key": "AuthorizationKey", "value": HIDDEN}
    assert NEW not in caplog.text
    assert NEW not in answer.body.decode()
