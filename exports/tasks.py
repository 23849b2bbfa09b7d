"""Celery tasks: the import of a history, the e-mail of each month."""

from celery import shared_task

from exports import importing, mailing


@shared_task(name="exports.tasks.import_history", ignore_result=True)
def import_history(pk: int) -> None:
    """Import for a second, then go on behind the other work of this queue."""
    if importing.import_on(pk=pk):
        import_history.apply_async(args=(pk,), retry=False)


@shared_task(name="exports.tasks.send_due_mails", ignore_result=True)
def send_due_mails() -> None:
    """Send the e-mails of the months that have ended."""
    mailing.send_due_mails()
