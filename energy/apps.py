"""The energy app: a wish of `stations` to decide again becomes a turn of the loop."""

import logging
import threading
from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

GATHER_S = 0.05

_waiting = threading.Lock()


class EnergyConfig(AppConfig):
    name = "energy"
    verbose_name = gettext_lazy("Installation and meter")

    def ready(self) -> None:
        """Listen to the stations, and keep every change of the installation and its meter."""
        from accounts import audit
        from energy.general_settings import READ_BY, SUPPLY
        from energy.models import ExternalLimit, Installation, Meter, Retention, TimeTableRow
        from energy.upkeep import KEPT
        from energy.wiring_checks import obstacle_to_test
        from stations.signals import decide_again, testing

        decide_again.connect(ask_for_decision, dispatch_uid="energy.ask_for_decision")
        testing.connect(obstacle_to_test)
        audit.track(Installation, fields=[*SUPPLY, "timing"], names={"backup": gettext_lazy("Backup")})
        audit.track(Meter, fields=READ_BY)
        audit.track(Retention, fields=KEPT)
        audit.track(TimeTableRow, fields=["circuit", "days", "begins", "ends", "limit_a"])
        audit.track(ExternalLimit, fields=["after_expiry", "fallback_a"])


def ask_for_decision(**_signal: Any) -> None:
    """Ask the control worker for a turn; wishes of the next 50 ms are one."""
    if _waiting.acquire(blocking=False):
        timer = threading.Timer(GATHER_S, _ask)
        timer.daemon = True
        timer.start()


def _ask() -> None:
    from energy.tasks import balance

    _waiting.release()
    try:
        balance.apply_async(kwargs={"is_tick": False}, retry=False, expires=0.9)
    except OperationalError:
        logger.warning("The broker is away; the next decision waits for it")
