"""Play scenarios: a day as planned, with one more station, with a larger fuse; a second at a time, between other work.

The simulation is `energy.planner`, with the installation's own controller; here are the row and the worker.
"""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Avg, F
from django.db.models.functions import ExtractHour
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from energy.allocation import Controller, Timing
from energy.models import Curve, Installation, PlayState, Reading, Scenario
from energy.planner import (
    BEGINS_AT_HOUR,
    DAY_S,
    HABITS,
    HOURS,
    KINDS,
    Garage,
    Plan,
    make_sessions,
    most_wh,
    served_wh,
    standard_curve,
)

SLICE_S = 1.0
PIECE_S = 300.0  # of the day, between two looks at the clock
BEAT_S = 5.0  # a fifth of the installation's decisions: a day takes seconds, and comes to the same within a percent
STALLED_AFTER_S = 60.0
RECORDED_FOR = timedelta(days=28)
FUSES_A = (10, 16, 20, 25, 32, 35, 40, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600,
           2000, 2500, 3150, 4000, 5000, 6000)  # fmt: skip
AS_PLANNED, ONE_MORE_STATION, LARGER_FUSE = "as_planned", "one_more_station", "larger_fuse"
VARIANTS = (AS_PLANNED, ONE_MORE_STATION, LARGER_FUSE)


def recorded_curve() -> tuple[tuple[float, float, float], ...]:
    """Return what the building drew here, the mean of each hour of the day; empty where nothing was recorded."""
    rows = (
        Reading.objects.filter(at__gte=timezone.now() - RECORDED_FOR, grid_l1_a__isnull=False)
        .order_by()
        .annotate(hour=ExtractHour("at"))
        .values("hour")
        .annotate(
            l1=Avg(F("grid_l1_a") - F("charging_l1_a")),
            l2=Avg(F("grid_l2_a") - F("charging_l2_a")),
            l3=Avg(F("grid_l3_a") - F("charging_l3_a")),
        )
    )
    by_hour = {row["hour"]: (row["l1"] or 0.0, row["l2"] or 0.0, row["l3"] or 0.0) for row in rows}
    if not by_hour:
        return ()
    count = len(by_hour)
    first, second, third = (sum(lines[line] for lines in by_hour.values()) / count for line in range(3))
    hours = ((BEGINS_AT_HOUR + hour) % HOURS for hour in range(HOURS))
    return tuple(by_hour.get(hour, (first, second, third)) for hour in hours)


def curve_of(scenario: Scenario) -> tuple[tuple[float, float, float], ...]:
    """Return the building of a scenario per hour, from six in the morning. Raises ValidationError where it has none."""
    if scenario.curve != Curve.RECORDED:
        return standard_curve(scenario.curve, scenario.building_peak_a)
    found = recorded_curve()
    if not found:
        message = _("Nothing was recorded here yet: choose another building, or come back when a meter has been read.")
        raise ValidationError({"curve": message})
    return found


def plan_of(scenario: Scenario, variant: str = AS_PLANNED) -> Plan:
    """Put a scenario into the planner's words."""
    plan = Plan(
        fuse_a=scenario.fuse_a,
        derating_percent=scenario.derating_percent,
        stations=scenario.stations,
        cars=scenario.cars,
        curve_a=tuple((lines[0], lines[1], lines[2]) for lines in scenario.curve_a),
        kinds={name: getattr(scenario, name) for name in KINDS},
        habits={name: getattr(scenario, name) for name in HABITS},
        steps=6,
        step_a=min(25.0, scenario.fuse_a / 4),
        noise_a=1.0,
        seed=scenario.seed,
    )
    if variant == ONE_MORE_STATION:
        return replace(plan, stations=plan.stations + 1)
    if variant == LARGER_FUSE:
        return replace(plan, fuse_a=next((float(fuse) for fuse in FUSES_A if fuse > plan.fuse_a), plan.fuse_a))
    return plan


def make_garage(plan: Plan) -> tuple[Garage, int]:
    """Return the garage of a plan at six in the morning, and how many cars will find no station free."""
    sessions, turned_away = make_sessions(plan)
    controller = Controller(Timing(), dynamic=True)
    return Garage(plan, sessions, controller, beat_s=BEAT_S, step_s=BEAT_S), turned_away


def result_of(variant: str, garage: Garage, turned_away: int) -> dict[str, Any]:
    """Say what a day came to, as plain JSON values: energies in Wh, currents in A per line, times in minutes."""
    tally, sessions = garage.tally, garage.sessions
    waits_s = tally.waited_s or [0.0]
    return {
        "variant": variant,
        "fuse_a": garage.plan.fuse_a,
        "usable_a": garage.usable,
        "stations": garage.plan.stations,
        "cars": len(sessions),
        "turned_away": turned_away,
        "wanted_wh": round(sum(one.wanted_wh for one in sessions)),
        "served_wh": round(served_wh(sessions, tally.got_as)),
        "most_wh": round(most_wh(garage.plan, sessions)),
        "full": sum(got >= 0.99 * one.wanted_as for one, got in zip(sessions, tally.got_as, strict=True)),
        "longest_wait_min": round(max(waits_s) / 60),
        "peak_a": round(tally.peak_a, 1),
        "building": [[round(value, 1) for value in lines] for lines in tally.building],
        "charging": [[round(value, 1) for value in lines] for lines in tally.charging],
    }


def play(plan: Plan, variant: str) -> dict[str, Any]:
    """Play one day in one go."""
    garage, turned_away = make_garage(plan)
    garage.run(DAY_S)
    return result_of(variant, garage, turned_away)


def is_stalled(scenario: Scenario) -> bool:
    """Say whether a calculation that runs has not been heard of: what carried it is gone."""
    if scenario.state != PlayState.RUNNING:
        return False
    return scenario.heard_at is None or (timezone.now() - scenario.heard_at).total_seconds() > STALLED_AFTER_S


@transaction.atomic
def begin_play(*, scenario: Scenario) -> int:
    """Keep that a scenario is being calculated, from the beginning; returns the number of the calculation.

    Raises ValidationError where its building is not known.
    """
    scenario.curve_a = curve_of(scenario)
    scenario.run, scenario.state, scenario.done_percent = scenario.run + 1, PlayState.RUNNING, 0
    scenario.work_done, scenario.results, scenario.heard_at = {}, [], timezone.now()
    scenario.save()
    return scenario.run


def start_play(*, scenario: Scenario) -> None:
    """Have the worker calculate a scenario anew; raises ValidationError with what keeps it from beginning."""
    run = begin_play(scenario=scenario)
    try:
        current_app.send_task("energy.tasks.play_scenario", args=(scenario.pk, run), retry=False)
    except OperationalError:
        stop_play(pk=scenario.pk, run=run)
        message = _("The calculation could not begin: the broker does not answer. Try again in a minute.")
        raise ValidationError(message) from None


def stop_play(*, pk: int, run: int) -> None:
    """End this calculation, if it is the one that runs; what it found so far stays."""
    Scenario.objects.filter(pk=pk, run=run, state=PlayState.RUNNING).update(state=PlayState.STOPPED, work_done={})


def play_on(*, pk: int, run: int) -> bool:
    """Go on with a calculation for about a second; False when it is over or was stopped."""
    running = Scenario.objects.filter(pk=pk, run=run, state=PlayState.RUNNING)
    scenario = running.first()
    if scenario is None:
        return False
    variant, results = VARIANTS[len(scenario.results)], scenario.results
    garage, turned_away = make_garage(plan_of(scenario, variant))
    if scenario.work_done:
        garage.restore(scenario.work_done)
    until = time.monotonic() + SLICE_S
    while not garage.is_over:
        garage.run(garage.now + PIECE_S)
        if time.monotonic() >= until:
            break
    if garage.is_over:
        results.append(result_of(variant, garage, turned_away))
    is_over = len(results) == len(VARIANTS)
    is_wanted = running.update(
        state=PlayState.FINISHED if is_over else PlayState.RUNNING,
        done_percent=round(100 * (len(results) + (0 if garage.is_over else garage.now / DAY_S)) / len(VARIANTS)),
        work_done={} if garage.is_over else garage.dump(),
        results=results,
        heard_at=timezone.now(),
    )
    return bool(is_wanted) and not is_over


def usual_scenario() -> dict[str, Any]:
    """Return what a new scenario begins with: this installation, where it is known."""
    installation = Installation.get_solo()
    found: dict[str, Any] = {"derating_percent": installation.derating_percent}
    if installation.fuse_a:
        found["fuse_a"] = installation.fuse_a
    return found
