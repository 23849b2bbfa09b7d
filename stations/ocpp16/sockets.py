"""The sockets of this process, and the one listener that hands them what the channel layer brings.

One message to the group `stations` reaches every web process; each serves the stations whose sockets it holds. That
costs one publication however many stations there are.
"""

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer
from django.conf import settings

from stations.message_log import keep_frames
from stations.ocpp16 import frame_buffer
from stations.ocpp16.database import in_database
from stations.services import note_seen

if TYPE_CHECKING:
    from stations.ocpp16.consumer import StationConsumer

logger = logging.getLogger(__name__)

GROUP = "stations"
OUTCOMES = "outcomes"
SEEN_EACH_S = 5.0
FRAMES_EACH_S = 2.0
FRAMES_AT_ONCE = 500

_sockets: dict[int, "StationConsumer"] = {}
_seen: set[int] = set()
_housekeeping: list[asyncio.Task[None]] = []


def attach(station_id: int, socket: "StationConsumer") -> "StationConsumer | None":
    """Make a socket the one of its station; returns the one it displaces in this process."""
    _keep_house()
    displaced = _sockets.get(station_id)
    _sockets[station_id] = socket
    return displaced


def detach(station_id: int, socket: "StationConsumer") -> None:
    """Forget a socket, unless a newer one has taken its place."""
    if _sockets.get(station_id) is socket:
        del _sockets[station_id]


def socket_of(station_id: int) -> "StationConsumer | None":
    """Return the socket of a station, if this process holds it."""
    return _sockets.get(station_id)


def stations_here() -> list[int]:
    """Return the stations (primary keys) whose sockets this process holds."""
    return list(_sockets)


def seen(station_id: int) -> None:
    """Note that a station was heard; it is written with the others' every few seconds."""
    _seen.add(station_id)


def _keep_house() -> None:
    """Start the listener and the writer on this event loop, once."""
    loop = asyncio.get_running_loop()
    if any(task.get_loop() is loop and not task.done() for task in _housekeeping):
        return
    _housekeeping[:] = [loop.create_task(_listen()), loop.create_task(_write_seen()), loop.create_task(_write_frames())]


async def _listen() -> None:
    """Hand on what the channel layer brings, for ever; a lost broker is tried again each second."""
    layer = get_channel_layer()
    while True:
        try:
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
            while True:
                deliver(await layer.receive(channel))
        except Exception:
            logger.exception("The channel layer is away; limits wait until it is back")
            await asyncio.sleep(1)


def deliver(message: dict[str, Any]) -> None:
    """Hand one message to the sockets it concerns."""
    if message["type"] == "stations.limits":
        for station_id, connector_id, number, transaction_id, limit_a in message["limits"]:
            if station_id in _sockets:
                _sockets[station_id].limits.set_live(connector_id, number, transaction_id, limit_a)
    elif message["type"] == "stations.standing":
        for station_id, numbers, fail_safe_a in message["standing"]:
            if station_id in _sockets:
                _sockets[station_id].limits.set_standing(numbers, fail_safe_a)
    elif message["type"] == "stations.command":
        if message["station_id"] in _sockets:
            _sockets[message["station_id"]].commands.add(message["command_id"], message["action"], message["payload"])
    elif message["type"] == "stations.onboard":
        for station_id in message["station_ids"]:
            if station_id in _sockets:
                _sockets[station_id].start_onboarding(0)
    elif message["type"] == "stations.local_list":
        for station_id in message["station_ids"]:
            if station_id in _sockets:
                _sockets[station_id].start_local_list()
    elif message["type"] == "stations.check":
        for station_id in message["station_ids"]:
            if station_id in _sockets:
                _sockets[station_id].start_check()
    elif message["type"] == "stations.operator":
        for station_id in message["station_ids"]:
            if station_id in _sockets:
                _sockets[station_id].tells_operator = True
    elif message["type"] == "stations.fail_safe_test":
        if message["station_id"] in _sockets:
            _sockets[message["station_id"]].limits.begin_trial(message["subject"])
    elif message["type"] == "stations.fail_safe_stop":
        if message["station_id"] in _sockets:
            _sockets[message["station_id"]].limits.stop_trial()
    elif message["type"] == "stations.taken":
        socket = _sockets.get(message["station_id"])
        is_own = message["socket_id"].startswith(f"{settings.WEB_ID}/")  # it was displaced when it was attached
        if socket is not None and not is_own:
            socket.start_close("a newer socket of this station is open")


async def announce(station_id: int, socket_id: str) -> None:
    """Tell the other processes that a station has a newer socket here."""
    try:
        await get_channel_layer().group_send(
            GROUP, {"type": "stations.taken", "station_id": station_id, "socket_id": socket_id}
        )
    except Exception:
        logger.exception("The channel layer is away; an older socket elsewhere stays until it closes")


async def announce_outcome(command_id: int) -> None:
    """Tell whoever waits that a command has its outcome, which is in the database."""
    try:
        await get_channel_layer().group_send(OUTCOMES, {"type": "stations.outcome", "command_id": command_id})
    except Exception:
        logger.exception(
            "The channel layer is away; whoever waits for command %s looks when the time is up", command_id
        )


async def _write_seen() -> None:
    """Write who was heard, every few seconds: a Heartbeat itself touches no database."""
    while True:
        await asyncio.sleep(SEEN_EACH_S)
        heard = list(_seen)
        _seen.clear()
        try:
            if heard:
                await in_database(note_seen, station_ids=heard)
        except Exception:
            logger.exception("Could not note which stations were heard")


async def _write_frames() -> None:
    """Write the message log every few seconds, in pieces: what a station waits for goes between them."""
    while True:
        await asyncio.sleep(FRAMES_EACH_S)
        frames = frame_buffer.take()
        for begin in range(0, len(frames), FRAMES_AT_ONCE):
            try:
                await in_database(keep_frames, frames=frames[begin : begin + FRAMES_AT_ONCE])
            except Exception:
                logger.exception("Could not write the message log")


_publisher: asyncio.AbstractEventLoop | None = None
_publisher_lock = threading.Lock()


def publish(message: dict[str, Any], group: str = GROUP) -> None:
    """Send a message to a group from any thread; waits until the broker has it.

    It runs on one lasting loop of its own: a loop per call would open a connection to the broker each time.
    """
    global _publisher
    with _publisher_lock:
        if _publisher is None:
            _publisher = asyncio.new_event_loop()
            threading.Thread(target=_publisher.run_forever, name="publisher", daemon=True).start()
    sending = asyncio.run_coroutine_threadsafe(get_channel_layer().group_send(group, message), _publisher)
    sending.result(timeout=2)
