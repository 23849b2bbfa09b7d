"""How every part of the product does, in words: what is wrong, what that means, what to do."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from energy.manager_state import silence_s
from energy.meter_words import meter_words
from energy.models import Installation, Meter, Mode, Reading
from llm_site.machine_clock import machine_clock
from llm_site.system.programs import Program, programs
from llm_site.system.pulse import Pulse, pulses, redis

WORKER_LATE_S, WORKER_LONG_S = 30.0, 900.0
DISK_LOW, DISK_FULL = 2**30, 200 * 2**20


class Level(StrEnum):
    """How a part does."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def word(self) -> str:
        """Name it in the visitor's language."""
        words = {Level.OK: _("In order"), Level.DEGRADED: _("Needs attention"), Level.DOWN: _("Not working")}
        return words[self]

    @property
    def icon(self) -> str:
        """Name the icon that unfold brings."""
        return {Level.OK: "check_circle", Level.DEGRADED: "warning", Level.DOWN: "error"}[self]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the product; `advice` says what that means and what to do, empty where all is well."""

    key: str
    title: str
    level: Level
    text: str
    advice: str = ""


NEEDED = frozenset({"database", "broker", "loop"})  # without one of them no limit reaches a station


def check_health() -> list[Part]:
    """Look at every part; what cannot be known without the database is left out while that is away."""
    looks: list[Callable[[], Iterator[Part]]] = [_broker, _loop, _meter, _workers, _programs, _disk, _clock]
    found: list[Part] = []
    try:
        found += _database()
    except (DatabaseError, OSError) as error:
        text = _("cannot be reached: %(error)s") % {"error": error}
        advice = _(
            "No limit is decided and nothing is kept; stations fall back to their fail-safe current. Look at its log."
        )
        found.append(Part("database", _("Database"), Level.DOWN, text, advice))
        looks = [_broker, _programs, _disk, _clock]
    for look in looks:
        found += look()
    return found


def overall(parts: list[Part]) -> Level:
    """Put all parts into one word: down where current cannot be shared."""
    if any(part.level == Level.DOWN and part.key in NEEDED for part in parts):
        return Level.DOWN
    return Level.OK if all(part.level == Level.OK for part in parts) else Level.DEGRADED


def _database() -> Iterator[Part]:
    title = _("Database")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database()), pg_is_in_recovery()")
            size, is_read_only = cursor.fetchone()
            name = "PostgreSQL"
        else:
            file = Path(str(connection.settings_dict["NAME"]))
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            size = sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))
            is_read_only, name = not os.access(file, os.W_OK), "SQLite"
    text = f"{name}, {filesizeformat(size)}"
    if is_read_only:
        advice = _("It can only be read: nothing is decided or kept. Let the load manager write to it again.")
        yield Part("database", title, Level.DOWN, text, advice)
    else:
        yield Part("database", title, Level.OK, text)


def _broker() -> Iterator[Part]:
    title = _("Broker")
    try:
        version = redis().info("server")["redis_version"]
    except RedisError as error:
        text = _("cannot be reached: %(error)s") % {"error": error}
        advice = _("No limit reaches a station; they fall back to their fail-safe current. Start Redis again.")
        yield Part("broker", title, Level.DOWN, text, advice)
    else:
        yield Part("broker", title, Level.OK, f"Redis {version}")


def _loop() -> Iterator[Part]:
    title = _("Control loop")
    newest = Reading.objects.order_by("-at").values_list("at", flat=True).first()
    advice = _("Stations fall back to their fail-safe current. Look at the logs of beat and control.")
    if newest is None:
        yield Part("loop", title, Level.DOWN, _("has not run yet"), advice)
        return
    age_s = (timezone.now() - newest).total_seconds()
    if age_s > silence_s(Installation.get_solo().times):
        yield Part("loop", title, Level.DOWN, _("has not run since %(time)s") % {"time": _moment(newest)}, advice)
    else:
        yield Part("loop", title, Level.OK, _("last turn %(seconds)d s ago") % {"seconds": max(0, round(age_s))})


def _meter() -> Iterator[Part]:
    title = _("Meter")
    meter: Meter = Meter.get_solo()
    if not meter.is_present:
        if Installation.get_solo().mode == Mode.DYNAMIC:
            advice = _("Charging gets the fail-safe current only. Set a meter up, or choose a fixed current.")
            yield Part("meter", title, Level.DEGRADED, _("none is set up"), advice)
        else:
            yield Part("meter", title, Level.OK, _("none is set up; a fixed current is shared"))
        return
    newest = Reading.objects.filter(grid_l1_a__isnull=False).order_by("-at").values_list("at", flat=True).first()
    if meter.failing_since is not None:
        text = _("silent since %(time)s: %(error)s") % {
            "time": _moment(meter.failing_since),
            "error": meter_words(meter.last_error),
        }
        advice = _("Charging falls back to the fail-safe current. Look at the meter's address and wiring.")
        yield Part("meter", title, Level.DOWN, text, advice)
    elif newest is None:
        yield Part("meter", title, Level.DEGRADED, _("has not been read yet"))
    else:
        age_s = max(0.0, (timezone.now() - newest).total_seconds())
        yield Part("meter", title, Level.OK, _("last reading %(seconds)d s ago") % {"seconds": round(age_s)})


def _workers() -> Iterator[Part]:
    title = _("Worker")
    try:
        seen = [pulse for pulse in pulses() if not pulse.worker.startswith("control@")]
    except RedisError:
        return
    yield from (_worker(title, pulse) for pulse in seen)
    if not seen:
        advice = _("Backups, badge lists of stations and upkeep wait. Look at the log of the worker.")
        yield Part("worker", title, Level.DOWN, _("none has taken a task within the last hour"), advice)


def _worker(title: str, pulse: Pulse) -> Part:
    age_s = time.time() - pulse.at
    since = _moment(datetime.fromtimestamp(pulse.at, UTC))
    if pulse.is_busy and age_s > WORKER_LATE_S:
        level = Level.DEGRADED if age_s > WORKER_LONG_S else Level.OK
        text = _("busy with %(task)s since %(time)s") % {"task": pulse.task, "time": since}
        return Part("worker", title, level, text)
    if age_s > WORKER_LATE_S:
        advice = _("Backups, badge lists of stations and upkeep wait. Look at the log of the worker.")
        return Part("worker", title, Level.DOWN, _("has taken no task since %(time)s") % {"time": since}, advice)
    return Part("worker", title, Level.OK, _("last task %(seconds)d s ago") % {"seconds": max(0, round(age_s))})


def _programs() -> Iterator[Part]:
    title = _("Processes")
    found = [program for program in programs(settings.DATA_DIR / "supervisor.sock") if program.is_wanted]
    idle = [program for program in found if not program.is_running]
    if idle:
        names = ", ".join(f"{program.name} ({program.state})" for program in idle)
        advice = _("They are started again by themselves; where that does not help, look at their logs.")
        yield Part("processes", title, Level.DEGRADED, _("not running: %(names)s") % {"names": names}, advice)
    elif found:
        names = ", ".join(_with_start(program) for program in found)
        yield Part("processes", title, Level.OK, names)


def _with_start(program: Program) -> str:
    since = datetime.fromtimestamp(program.since, UTC)
    return _("%(name)s since %(time)s") % {"name": program.name, "time": _moment(since)}


def _disk() -> Iterator[Part]:
    title = _("Disk space")
    usage = shutil.disk_usage(settings.DATA_DIR)
    text = _("%(free)s free of %(total)s") % {
        "free": filesizeformat(usage.free),
        "total": filesizeformat(usage.total),
    }
    if usage.free >= DISK_LOW:
        yield Part("disk", title, Level.OK, text)
    else:
        level = Level.DOWN if usage.free < DISK_FULL else Level.DEGRADED
        advice = _("When it is full nothing can be kept and charging falls back. Delete old backups, or make room.")
        yield Part("disk", title, level, text, advice)


def _clock() -> Iterator[Part]:
    title = _("Clock")
    clock = machine_clock()
    source = clock.source or _("source unknown")
    if clock.is_synchronised:
        yield Part("clock", title, Level.OK, _("synchronised (%(source)s)") % {"source": source})
        return
    words = {False: _("not synchronised (%(source)s)"), None: _("whether it is synchronised is not known (%(source)s)")}
    advice = _("Records and expiry dates follow this clock. Set up a time server on the machine.")
    yield Part("clock", title, Level.DEGRADED, words[clock.is_synchronised] % {"source": source}, advice)


def _moment(at: datetime) -> str:
    """Write a moment, with its day where that is another."""
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return date_format(local, "H:i" if is_today else "SHORT_DATETIME_FORMAT")
