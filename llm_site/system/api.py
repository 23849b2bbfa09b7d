"""The state of the load manager for monitoring: one word for anyone, every part for administrators."""

import time
from functools import lru_cache
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from ninja import Router, Schema

from accounts.access import ADMINISTRATOR, AccessDenied
from llm_site.system.health import Level, check_health, overall

router = Router(tags=["system"])

KEPT_FOR_S = 2.0


class PartOut(Schema):
    """One part: `status` is ok, degraded or down; the rest is for people."""

    part: str
    status: str
    text: str
    advice: str


class HealthOut(Schema):
    """`status` is ok, degraded or down; `parts` only for administrators."""

    status: str
    parts: list[PartOut] = []


@router.get("/health", auth=None, response={200: HealthOut, 503: HealthOut})
def health(request: HttpRequest) -> JsonResponse:
    """Say how the load manager does: 503 while current cannot be shared, 200 otherwise."""
    if _is_administrator(request):
        parts = check_health()
        status = overall(parts)
        told = [{"part": part.key, "status": part.level, "text": part.text, "advice": part.advice} for part in parts]
        answer: dict[str, Any] = {"status": status, "parts": told}
    else:
        status = _status(int(time.monotonic() / KEPT_FOR_S))
        answer = {"status": status}
    return JsonResponse(answer, status=503 if status == Level.DOWN else 200)


@lru_cache(maxsize=1)
def _status(_moment: int) -> Level:
    """Look once for all who ask at about the same time: anyone may ask, as often as they like."""
    return overall(check_health())


def _is_administrator(request: HttpRequest) -> bool:
    try:
        return any(auth(request) for auth in ADMINISTRATOR)
    except (AccessDenied, DatabaseError):
        return False
