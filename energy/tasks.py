"""Celery tasks: the beat's tick, a decision in between, the upkeep of readings, the search for meters, the planner."""

from celery import shared_task
from django.utils import timezone

from energy import balancing, means, meter_search, planning, recorder, upkeep


@shared_task(name="energy.tasks.balance", ignore_result=True)
def balance(is_tick: bool = True) -> None:
    """Do one turn of the loop."""
    balancing.balance(is_tick=is_tick)


@shared_task(name="energy.tasks.keep_history", ignore_result=True)
def keep_history() -> None:
    """Roll readings up, and delete for two seconds what is no longer wanted."""
    now = timezone.now()
    means.roll_up(now=now)
    upkeep.prune(now=now)


@shared_task(name="energy.tasks.search_meters", ignore_result=True)
def search_meters(run: int) -> None:
    """Search for a second, then go on behind the other work of this queue."""
    if meter_search.search_on(run=run):
        search_meters.apply_async(args=(run,), retry=False)


@shared_task(name="energy.tasks.play_scenario", ignore_result=True)
def play_scenario(pk: int, run: int) -> None:
    """Calculate a scenario for a second, then go on behind the other work of this queue."""
    if planning.play_on(pk=pk, run=run):
        play_scenario.apply_async(args=(pk, run), retry=False)


@shared_task(name="energy.tasks.forget_old_recordings", ignore_result=True)
def forget_old_recordings() -> None:
    """Keep what the flight recorder wrote for 14 days."""
    recorder.forget_old_recordings()
