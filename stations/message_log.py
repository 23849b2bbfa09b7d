"""The message log: what went over each station's socket, for whoever must find out why (1,000 frames, some days)."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from stations.models import FRAMES_KEPT, Frame, Station
from stations.ocpp16.blanking import frame_without_secrets
from stations.statements import insert

HOLD_NO_SECRETS = frozenset(
    {"Authorize", "Heartbeat", "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction"}
)
TRIM_EACH = 100
_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_COLUMNS = ("station_id", "number", "at_s", "is_incoming", "action", "text")


class Heard(NamedTuple):
    """A frame of a station (primary key) at a time (since 1970); an answer has the action of its call."""

    station_id: int
    at_s: float
    is_incoming: bool
    action: str
    text: str


@transaction.atomic
def keep_frames(*, frames: Sequence[Heard]) -> None:
    """Keep frames in their order; those of stations that are gone are dropped."""
    newest = Frame.objects.filter(station=OuterRef("pk")).order_by("-number").values("number")[:1]
    stations = Station.objects.filter(pk__in={frame.station_id for frame in frames})
    last = dict(stations.values_list("pk", Subquery(newest)))
    rows, full = [], {}
    for frame in frames:
        if frame.station_id in last:
            number = last[frame.station_id] = (last[frame.station_id] or 0) + 1
            rows.append(_row(frame, number))
            if number % TRIM_EACH == 0:
                full[frame.station_id] = number - FRAMES_KEPT
    insert(Frame, _COLUMNS, rows)
    for station_id, number in full.items():
        Frame.objects.filter(station_id=station_id, number__lte=number).delete()


def _row(frame: Heard, number: int) -> tuple[Any, ...]:
    """Lay a frame out in the order of `_COLUMNS`."""
    text = frame.text if frame.action in HOLD_NO_SECRETS else frame_without_secrets(frame.text)
    action, text = frame.action[:50].replace("\x00", ""), text.replace("\x00", "")
    return (frame.station_id, number, frame.at_s, frame.is_incoming, action, text)


def old_frames(*, days: int) -> QuerySet[Frame]:
    """Query what is older than so many days: all that comes before the first frame that is not."""
    fresh = Frame.objects.order_by("pk").filter(at_s__gte=time.time() - days * 86400).first()
    return Frame.objects.order_by("pk") if fresh is None else Frame.objects.order_by("pk").filter(pk__lt=fresh.pk)


def as_json_lines(station: Station) -> Iterator[bytes]:
    """Write the log of a station, the oldest frame first: one JSON object a line, the frame as JSON where it is."""
    for frame in station.frames.order_by("number").iterator():
        line = {"at": frame.at, "from": "station" if frame.is_incoming else "llm", "action": frame.action}
        try:
            yield orjson.dumps({**line, "frame": _read(frame.text)}, option=_LINE)
        except orjson.JSONEncodeError:  # it can be read deeper than written
            yield orjson.dumps({**line, "frame": frame.text}, option=_LINE)


def _read(text: str) -> Any:
    """Return a frame as JSON, as text where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
