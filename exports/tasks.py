"""Celery tasks: the import of a history."""

from celery import shared_task

from exports import importing


@shared_task(name="exports.tasks.import_history", ignore_result=True)
def import_history(pk: int) -> None:
    """Import for a second, then go on behind the other work of this queue."""
    if importing.import_on(pk=pk):
        import_history.apply_async(args=(pk,), retry=False)
