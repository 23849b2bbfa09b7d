"""The pulse of the workers: each says in Redis what it does, so that nobody has to ask one that is busy."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

KEY = "llm:pulse"
TIMEOUT_S = 1.0
FORGOTTEN_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a worker, `control@host` or `worker@host`, did last; `at` is Unix time."""

    worker: str
    task: str
    is_busy: bool
    at: float


@cache
def redis() -> Redis:
    """Return a connection to the broker that waits for nothing long."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


def beat(task: Any, *, is_busy: bool) -> None:
    """Note that a worker begins or ends a task; without a broker there is nobody to tell."""
    if task.request.is_eager:
        return
    text = json.dumps({"task": task.name, "is_busy": is_busy, "at": time.time()})
    with suppress(RedisError):
        redis().hset(KEY, task.request.hostname, text)


def pulses() -> list[Pulse]:
    """Return the newest pulse of each worker of the last hour. Raises RedisError."""
    kept: Any = redis().hgetall(KEY)
    found = [Pulse(worker=name.decode(), **json.loads(text)) for name, text in kept.items()]
    return [pulse for pulse in found if time.time() - pulse.at < FORGOTTEN_AFTER_S]
