"""Celery tasks: the upkeep of what is kept of badges."""

from celery import shared_task

from badges import refusals


@shared_task(name="badges.tasks.forget_old_refusals", ignore_result=True)
def forget_old_refusals() -> None:
    """Delete the refusals of long ago."""
    refusals.forget_old_refusals()
