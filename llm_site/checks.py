"""What would be unsafe or cannot work fails at start, with what to do (Django system checks)."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from stations.editions import MAXIMUM_STATIONS

ACCEPT_STATIONS = ("pending", "auto", "off")


@register()
def choices_are_known(**_options: Any) -> list[CheckMessage]:
    """Refuse an edition or a way to take stations in that does not exist."""
    problems: list[CheckMessage] = []
    for name, value, known in (
        ("LLM_EDITION", settings.EDITION, tuple(MAXIMUM_STATIONS)),
        ("LLM_ACCEPT_STATIONS", settings.ACCEPT_STATIONS, ACCEPT_STATIONS),
    ):
        if value not in known:
            problems.append(Error(f"{name}: expected one of {', '.join(known)}, came {value!r}", id="llm.E001"))
    return problems


@register()
def secrets_are_strong(**_options: Any) -> list[CheckMessage]:
    """Warn of a short key: passwords of stations and sessions hang on it."""
    if len(settings.SECRET_KEY) >= 32 or settings.DEBUG:
        return []
    return [Warning("LLM_SECRET_KEY has fewer than 32 characters", hint="Leave it out: one is made.", id="llm.W001")]
