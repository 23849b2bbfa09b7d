"""Celery tasks: the beat's tick, a decision asked for in between, the upkeep of readings, the search for meters."""

from celery import shared_task

from energy import balancing, meter_search, upkeep


@shared_task(name="energy.tasks.balance", ignore_result=True)
def balance(is_tick: bool = True) -> None:
    """Do one turn of the loop."""
    balancing.balance(is_tick=is_tick)


@shared_task(name="energy.tasks.thin_readings", ignore_result=True)
def thin_readings() -> None:
    """Keep every second for an hour, then one reading a minute."""
    upkeep.thin_readings()


@shared_task(name="energy.tasks.search_meters", ignore_result=True)
def search_meters(run: int) -> None:
    """Search for a second, then go on behind the other work of this queue."""
    if meter_search.search_on(run=run):
        search_meters.apply_async(args=(run,), retry=False)
