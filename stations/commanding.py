"""Commands to stations: first a row, then a message to the process that holds the socket, then the outcome."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from stations.authorising import judge_remote_start
from stations.errors import CommandUnfit
from stations.local_lists import forget_local_lists
from stations.models import Command, CommandState, Station
from stations.ocpp16 import schemas
from stations.ocpp16.blanking import sentence_without_secrets, without_secrets
from stations.ocpp16.frames import OcppError
from stations.ocpp16.local_list import SEND
from stations.ocpp16.normalise import keepable, text
from stations.ocpp16.operations import CHANGE_LIMITS, OPERATIONS
from stations.ocpp16.sockets import OUTCOMES, publish
from stations.security import check_change, note_change_asked, note_change_settled
from stations.services import forget_limits

logger = logging.getLogger(__name__)

OVERDUE_AFTER, KEPT_FOR = timedelta(minutes=10), timedelta(days=366)
LONGEST_ANSWER = 256 * 1024  # a configuration of thousands of keys
WITHDRAWN = "withdrawn before it was sent"


def check_command(action: str, payload: object) -> None:
    """Raise CommandUnfit with the reason where an operation does not exist or its payload does not fit the schema."""
    if action not in OPERATIONS:
        raise CommandUnfit(f"expected one of {', '.join(sorted(OPERATIONS))}, came {action[:50]!r}")
    try:
        schemas.check(action, payload)
        written = orjson.dumps(payload)
    except schemas.Unfit as error:
        raise CommandUnfit(error.description, error.path) from None
    except OcppError as error:
        raise CommandUnfit(error.description) from None
    except orjson.JSONEncodeError as error:
        raise CommandUnfit(f"{action} cannot be written: {error}") from None
    if b"\\u0000" in written.replace(rb"\\", b""):
        raise CommandUnfit(f"{action}: expected text without NUL characters, which PostgreSQL does not keep")


@transaction.atomic
def request_command(*, station: Station, action: str, payload: dict[str, Any], user: User | None) -> Command:
    """Ask a station to do something; the row is there before it is sent. A station that is away makes it end at once.

    Raises CommandUnfit.
    """
    check_command(action, payload)
    check_change(station=station, action=action, payload=payload)
    _check_badge(station, action, payload)
    is_connected = Station.objects.filter(pk=station.pk).exclude(socket_id="").exists()
    command = Command.objects.create(
        station=station,
        action=action,
        payload=without_secrets(payload),
        state=CommandState.QUEUED if is_connected else CommandState.NOT_CONNECTED,
        error_text="" if is_connected else f"{station.identity} is not connected",
        requested_by=user,
        requester=user.username if user else "",
    )
    if is_connected:
        note_change_asked(station_id=station.pk, action=action, payload=payload)
        transaction.on_commit(lambda: _hand_over(command, payload))
    return command


def _check_badge(station: Station, action: str, payload: dict[str, Any]) -> None:
    """Raise CommandUnfit where a car would be started with a badge that may not charge there: it would be stopped."""
    if action != "RemoteStartTransaction":
        return
    decision = judge_remote_start(station_id=station.pk, id_tag=payload["idTag"])
    if not decision.is_accepted:
        why = {"station": station, "badge": payload["idTag"], "reason": decision.reason.label}
        text = _("%(station)s was not asked to start: badge %(badge)s would be refused there. %(reason)s.") % why
        raise CommandUnfit(text, ["idTag"])


@transaction.atomic
def request_commands(
    *, stations: Iterable[Station], action: str, payload: dict[str, Any], user: User | None
) -> list[Command]:
    """Ask several stations to do the same. Raises CommandUnfit."""
    return [request_command(station=station, action=action, payload=payload, user=user) for station in stations]


def withdraw_commands(*, command_ids: Iterable[int]) -> int:
    """End the commands that were not sent yet and return how many; what is on the wire goes on."""
    queued = Command.objects.filter(pk__in=command_ids, state=CommandState.QUEUED)
    return _end(queued, state=CommandState.TIMED_OUT, error_text=WITHDRAWN)


def end_commands_of_last_life() -> None:
    """End, at the start of a web process and before its sockets are forgotten, what its last life had in hand."""
    stations = Station.objects.filter(socket_id__startswith=f"{settings.WEB_ID}/")
    _end(Command.objects.filter(station__in=stations, state__in=Command.OPEN), state=CommandState.NOT_CONNECTED)


def _hand_over(command: Command, payload: dict[str, Any]) -> None:
    """Give a command, with its secrets, to the process that holds the socket."""
    message = {"type": "stations.command", "station_id": command.station_id, "command_id": command.pk}
    try:
        publish({**message, "action": command.action, "payload": payload})
    except Exception:
        logger.exception("The channel layer is away; %s was not sent", command)
        why = "it could not be handed to the process that holds the socket"
        settle_command(command_id=command.pk, state=CommandState.NOT_CONNECTED, error_text=why)
        command.refresh_from_db()


def note_sent(*, command_id: int) -> bool:
    """Note that a command goes on the wire now; False if it has its outcome already and must not be sent."""
    queued = Command.objects.filter(pk=command_id, state=CommandState.QUEUED)
    return bool(queued.update(state=CommandState.SENT, sent_at=timezone.now()))


@transaction.atomic
def settle_command(
    *,
    command_id: int,
    state: CommandState,
    answer: dict[str, Any] | None = None,
    error_code: str = "",
    error_text: str = "",
) -> bool:
    """Keep the outcome of a command; False if it has one already, which then stays."""
    settled = Command.objects.filter(pk=command_id, state__in=Command.OPEN).update(
        state=state,
        answer=None if answer is None else without_secrets(keepable(answer, LONGEST_ANSWER)),
        answered_at=timezone.now() if state in Command.ANSWERED else None,
        error_code=text(error_code, 50),
        error_text=text(sentence_without_secrets(error_text), 300),
    )
    if settled:
        _follow(Command.objects.get(pk=command_id))
    return bool(settled)


def _follow(command: Command) -> None:
    """Draw the consequences of a command that has its outcome."""
    if command.action == "ChangeConfiguration":
        note_change_settled(command)
    elif command.sent_at is None:
        return
    elif command.action in CHANGE_LIMITS:
        forget_limits(station_id=command.station_id)
    elif command.action == SEND:
        forget_local_lists(station_ids=[command.station_id])


@transaction.atomic
def _end(commands: QuerySet[Command], *, state: CommandState, error_text: str = "") -> int:
    """End open commands that no answer will come to; returns how many."""
    ended = list(commands.select_for_update())
    Command.objects.filter(pk__in=[command.pk for command in ended]).update(state=state, error_text=error_text)
    for command in ended:
        command.state = state
        _follow(command)
    return len(ended)


def tidy_commands() -> None:
    """End the commands whose outcome can no longer come (their message was lost), and delete old ones."""
    now = timezone.now()
    overdue = Command.objects.filter(state__in=Command.OPEN, created_at__lt=now - OVERDUE_AFTER)
    _end(overdue, state=CommandState.TIMED_OUT, error_text="its outcome was lost")
    Command.objects.filter(created_at__lt=now - KEPT_FOR).delete()


async def perform_command(
    *, station: Station, action: str, payload: dict[str, Any], user: User | None, timeout_s: float
) -> Command:
    """Request a command and wait for its outcome; after `timeout_s` it has timed out. Raises CommandUnfit."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(OUTCOMES, channel)
    try:
        command = await sync_to_async(request_command)(station=station, action=action, payload=payload, user=user)
        if command.is_open:
            await _wait_for_outcome(layer, channel, command, timeout_s)
        return await Command.objects.aget(pk=command.pk)
    finally:
        await layer.group_discard(OUTCOMES, channel)


async def _wait_for_outcome(layer: Any, channel: str, command: Command, timeout_s: float) -> None:
    """Wait until the outcome of a command is announced; when the time is up, that is its outcome."""
    try:
        async with asyncio.timeout(timeout_s):
            while (await layer.receive(channel))["command_id"] != command.pk:
                continue
    except TimeoutError:
        await sync_to_async(settle_command)(
            command_id=command.pk,
            state=CommandState.TIMED_OUT,
            error_text=f"no answer to {command.action} in {timeout_s:g} s",
        )
