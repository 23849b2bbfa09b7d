"""Celery tasks: the import of a history, the e-mail of each month, the off-peak energy of what ended."""

from celery import shared_task

from exports import importing, mailing, off_peak


@shared_task(name="exports.tasks.import_history", ignore_result=True)
def import_history(pk: int) -> None:
    """Import for a second, then go on behind the other work of this queue."""
    if importing.import_on(pk=pk):
        import_history.apply_async(args=(pk,), retry=False)


@shared_task(name="exports.tasks.send_due_mails", ignore_result=True)
def send_due_mails() -> None:
    """Send the e-mails of the months that have ended."""
    mailing.send_due_mails()


@shared_task(name="exports.tasks.keep_off_peak", ignore_result=True)
def keep_off_peak(after: int = 0) -> None:
    """Keep the off-peak energy of what ended for a second, then go on behind the other work of this queue."""
    reached = off_peak.keep_on(after=after)
    if reached is not None:
        keep_off_peak.apply_async(args=(reached,), retry=False)
