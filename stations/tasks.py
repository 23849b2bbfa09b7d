"""Celery tasks: the upkeep of what is kept of stations, and of the lists of badges in them, the search."""

from celery import shared_task

from stations import commanding, fail_safe, local_lists, security
from stations.discovery import search


@shared_task(name="stations.tasks.tidy_commands", ignore_result=True)
def tidy_commands() -> None:
    """End the commands and tests whose message was lost, and delete the commands of more than a year ago."""
    commanding.tidy_commands()
    fail_safe.end_lost_tests()


@shared_task(name="stations.tasks.tidy_security_events", ignore_result=True)
def tidy_security_events() -> None:
    """Delete old security events."""
    security.tidy_security_events()


@shared_task(name="stations.tasks.check_local_lists", ignore_result=True)
def check_local_lists() -> None:
    """Have the stations told whose list of badges is no longer right."""
    local_lists.check_local_lists()


@shared_task(name="stations.tasks.search_stations", ignore_result=True)
def search_stations(run: int) -> None:
    """Search for a second, then go on behind the other work of this queue."""
    if search.search_on(run=run):
        search_stations.apply_async(args=(run,), retry=False)
