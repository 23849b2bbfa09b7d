"""What of the set-up tutorial is done, told from the data (SPEC S6)."""

from dataclasses import dataclass

from django.contrib.admin.models import LogEntry

from accounts.models import User
from badges.models import AccessRule, Badge, BadgeSettings
from energy.models import Installation, Meter, Mode
from stations.models import Station, StationState
from stations.setting_up import count_wired_otherwise


@dataclass(frozen=True, slots=True)
class Progress:
    """Which of the four steps are done, and what is to be looked at."""

    has_connected: bool
    is_shared: bool
    is_in_service: bool
    is_access_chosen: bool
    wired_otherwise: int  # stations that state another phase rotation than the one that is entered

    @property
    def steps(self) -> tuple[bool, ...]:
        """Say of each step in turn whether it is done."""
        return (self.has_connected, self.is_shared, self.is_in_service, self.is_access_chosen)

    @property
    def done(self) -> int:
        """Count the steps that are done."""
        return sum(self.steps)

    @property
    def next_step(self) -> int | None:
        """Number the first step that is open, from 1; None: all are done."""
        return next((number for number, is_done in enumerate(self.steps, start=1) if not is_done), None)


def read_progress() -> Progress:
    """Look at what is set up."""
    return Progress(
        has_connected=Station.objects.exclude(connected_at=None).exists(),
        is_shared=_is_shared(),
        is_in_service=Station.objects.filter(state=StationState.CONFIGURED).exists(),
        is_access_chosen=_is_access_chosen(),
        wired_otherwise=count_wired_otherwise(),
    )


def _is_shared() -> bool:
    """Say whether current can be shared: the dynamic mode shares nothing without a meter."""
    installation = Installation.get_solo()
    return installation.is_configured and (installation.mode != Mode.DYNAMIC or Meter.get_solo().is_present)


def _is_access_chosen() -> bool:
    """Say whether somebody thought about who may charge; free access counts once it was saved in the admin."""
    return (
        BadgeSettings.get_solo().access_rule != AccessRule.FREE
        or Badge.objects.exists()
        or User.objects.filter(is_active=True).count() > 1
        or LogEntry.objects.filter(content_type__app_label="badges", content_type__model="badgesettings").exists()
    )
