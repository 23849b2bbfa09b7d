"""Celery tasks: the upkeep of what is kept of badges, and the check and the writing of a file of them."""

from celery import shared_task

from badges import importing, refusals


@shared_task(name="badges.tasks.forget_old_refusals", ignore_result=True)
def forget_old_refusals() -> None:
    """Delete the refusals of long ago."""
    refusals.forget_old_refusals()


@shared_task(name="badges.tasks.check_import", ignore_result=True)
def check_import(run: int) -> None:
    """Check for some seconds, then go on behind the other work of this queue."""
    if importing.check_on(run=run):
        check_import.apply_async(args=(run,), retry=False)


@shared_task(name="badges.tasks.write_import", ignore_result=True)
def write_import(run: int) -> None:
    """Write what was confirmed."""
    importing.write_import(run=run)
