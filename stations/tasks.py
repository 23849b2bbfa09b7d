"""Celery tasks: the upkeep of commands."""

from celery import shared_task

from stations import commanding


@shared_task(name="stations.tasks.tidy_commands", ignore_result=True)
def tidy_commands() -> None:
    """End the commands whose message was lost, and delete those of more than a year ago."""
    commanding.tidy_commands()
