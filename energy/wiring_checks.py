"""Begin, follow and end wiring checks (`energy.wiring`): what people ask for, and what the loop does about it."""

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.models import User
from energy.allocation import Observation
from energy.models import Installation, Meter, WiringCheck
from energy.wiring import NEEDED_A, STEP_A, Answer, Check, Finding, Proof, lines_shown, propose, swapped, used_phases
from stations.models import Connector, PhaseRotation, Station, Transaction
from stations.services import ask_to_decide

logger = logging.getLogger(__name__)

ROTATIONS = {rotation.value: rotation.wiring for rotation in PhaseRotation}


class UnfitForCheck(Exception):
    """A station's wiring cannot be checked now; the message says what to do first."""


def obstacle_to_check(connector: Connector) -> str:
    """Say in a sentence why the wiring cannot be checked at a connector now; empty: it can."""
    station, drawn_a = connector.station, connector.current_a
    if Installation.get_solo().phases != 3:
        return _("The installation has one phase: there is nothing to mix up.")
    if not Meter.get_solo().is_present:
        return _("No meter is set up: choose one in the general settings first.")
    if not station.is_connected:
        return _("The station is not connected.")
    running = WiringCheck.objects.filter(finding="").select_related("station").first()
    if running is not None:
        return _("The wiring of %(station)s is being checked: wait for its end, or stop it on its page.") % {
            "station": running.station
        }
    if station.fail_safe_tests.filter(ended_at=None).exists():
        return _("A fail-safe test of this station is running: wait for its end.")
    is_charging = Transaction.objects.filter(connector=connector, stopped_at=None, is_authorised=True).exists()
    if not is_charging or not connector.accepted_limit_a:
        return _("No car charges here: plug one in and let it charge, best one that uses a single phase.")
    if drawn_a is None:
        return _("The station does not report what is drawn on its phases: it cannot be compared with the meter.")
    least_a = max(NEEDED_A, station.min_current_a + STEP_A)
    if _highest_a(connector) < least_a:
        return _("The car must draw at least %(least)s A on each phase that it uses; it draws %(now)s A.") % {
            "least": number_format(least_a, 1),
            "now": number_format(_highest_a(connector), 1),
        }
    return ""


def obstacle_to_test(*, station: Station, **_signal: Any) -> str:
    """Say why the fail-safe of a station cannot be tested now; empty: nothing here stands against it."""
    if station.wiring_checks.filter(finding="").exists():
        return _("The wiring of this station is being checked: wait for its end, or stop it on its page.")
    return ""


def _highest_a(connector: Connector) -> float:
    """Return what a car draws on each phase that it uses, A: the least of them; 0 where it uses none."""
    drawn_a = connector.current_a or ()
    least_a = min((drawn_a[phase] for phase in used_phases(drawn_a)), default=0.0)
    return math.floor(min(least_a, connector.accepted_limit_a or 0.0) * 10) / 10


@transaction.atomic
def begin_wiring_check(*, connector_id: int, user: User | None) -> WiringCheck:
    """Have the loop check the wiring of a station. Raises UnfitForCheck with what to do first."""
    connector = Connector.objects.select_related("station").get(pk=connector_id)
    obstacle, station = obstacle_to_check(connector), connector.station
    if obstacle:
        raise UnfitForCheck(obstacle)
    try:
        with transaction.atomic():
            begun = WiringCheck.objects.create(
                station=station,
                connector=connector,
                requested_by=user,
                requester=user.username if user else "",
                rotation=station.phase_rotation,
                phases=list(used_phases(connector.current_a or ())),
                highest_a=_highest_a(connector),
            )
    except IntegrityError:
        raise UnfitForCheck(obstacle_to_check(connector)) from None
    audit.record(station, {}, note=gettext_noop("Its wiring is checked."))
    ask_to_decide()
    return begun


@transaction.atomic
def end_wiring_check(*, check_id: int, finding: Finding, check: Check | None = None) -> bool:
    """Keep what a check found, once; False if it had ended already. `check`: how far it came."""
    row = WiringCheck.objects.select_for_update().filter(pk=check_id, finding="").first()
    if row is None:
        return False
    row.finding, row.ended_at = finding.value, timezone.now()
    if check is not None:
        answers = check.answers()
        row.steps, row.answers = check.steps, [[answer.moved, answer.error] for answer in answers]
        if finding is Finding.SHOWN:
            row.proposed = propose(ROTATIONS, row.rotation, row.phases, lines_shown(answers))
    row.save(update_fields=["finding", "ended_at", "steps", "answers", "proposed"])
    ask_to_decide()
    return True


@transaction.atomic
def take_over_rotation(*, check_id: int) -> bool:
    """Enter the rotation that a check proposes; False where another was entered since, or nothing is proposed."""
    row = WiringCheck.objects.select_related("station").get(pk=check_id)
    station = row.station
    if not row.proposed or station.phase_rotation != row.rotation:
        return False
    station.phase_rotation = row.proposed
    station.save(update_fields=["phase_rotation"])
    row.taken_over_at = timezone.now()
    row.save(update_fields=["taken_over_at"])
    ask_to_decide()
    return True


def answers_of(row: WiringCheck) -> tuple[Answer, ...]:
    """Return how the lines answered in a check that was kept."""
    return tuple(Answer(moved, error) for moved, error in row.answers)


def swapped_lines() -> tuple[int, ...]:
    """Return the lines that the newest checks of all stations show permuted alike."""
    proofs: dict[int, Proof] = {}
    rows = WiringCheck.objects.filter(finding=Finding.SHOWN.value, taken_over_at=None).order_by("pk")
    for row in rows.select_related("station"):
        proofs.pop(row.station_id, None)
        shown, wiring = lines_shown(answers_of(row)), ROTATIONS[row.rotation]
        if row.station.phase_rotation == row.rotation and len(shown) == len(row.phases) == 1:
            proofs[row.station_id] = Proof(row.station_id, wiring[row.phases[0]], shown[0])
    return swapped(list(proofs.values()))


@dataclass
class Follower:
    """What the loop knows of the check that runs; with its process it is gone, and the check ends."""

    check_id: int = 0
    check: Check | None = None
    steps: int = 0

    def before(self, seen: Observation, *, is_operational: bool) -> Observation:
        """Take a check on, or show it what was seen; returns the observation with the caps that it needs."""
        row = WiringCheck.objects.filter(finding="").first()
        if row is None:
            self.check = None
            return seen
        if self.check is None or self.check_id != row.pk:
            if row.heard_at is not None:
                end_wiring_check(check_id=row.pk, finding=Finding.RESTARTED)
                return seen
            self.check_id, self.steps = row.pk, 0
            _note_progress(row.pk, 0)
            self.check = Check(row.connector_id, tuple(row.phases), row.highest_a)
        finding = self.check.take(seen, is_operational=is_operational)
        if finding is not None:
            logger.info("Wiring check %s: %s", row.pk, finding)
            end_wiring_check(check_id=row.pk, finding=finding, check=self.check)
            self.check = None
            return seen
        if self.check.steps != self.steps:
            self.steps = self.check.steps
            _note_progress(row.pk, self.steps)
        return replace(seen, connectors=self.check.hold(seen.connectors))


def _note_progress(check_id: int, steps: int) -> None:
    WiringCheck.objects.filter(pk=check_id, finding="").update(steps=steps, heard_at=timezone.now())
