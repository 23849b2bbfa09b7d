"""Celery tasks of the whole: a backup."""

from typing import Any

from celery import shared_task

from llm_site.system.kept_backups import make_backup


@shared_task(name="llm_site.tasks.back_up", ignore_result=True)
def back_up(name: str, secrets: dict[str, Any]) -> None:
    """Write a backup into the folder of backups."""
    make_backup(name, secrets)
