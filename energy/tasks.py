"""Celery tasks: the beat's tick, a decision asked for in between, and the upkeep of readings."""

from celery import shared_task

from energy import balancing, upkeep


@shared_task(name="energy.tasks.balance", ignore_result=True)
def balance(is_tick: bool = True) -> None:
    """Do one turn of the loop."""
    balancing.balance(is_tick=is_tick)


@shared_task(name="energy.tasks.thin_readings", ignore_result=True)
def thin_readings() -> None:
    """Keep every second for an hour, then one reading a minute."""
    upkeep.thin_readings()
