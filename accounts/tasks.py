"""Celery tasks: the upkeep of who may enter, and of the audit trail."""

from celery import shared_task

from accounts import audit, sessions, tries


@shared_task(name="accounts.tasks.forget_old_sign_ins", ignore_result=True)
def forget_old_sign_ins() -> None:
    """Delete sessions that have run out, and failures that hold nobody back any more."""
    sessions.forget_ended_sessions()
    tries.forget_old_tries()


@shared_task(name="accounts.tasks.forget_old_changes", ignore_result=True)
def forget_old_changes() -> None:
    """Delete changes of more than two years ago."""
    audit.forget_old_changes()
