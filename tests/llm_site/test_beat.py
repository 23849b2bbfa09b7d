"""The beat."""

from datetime import UTC, datetime, timedelta

import time_machine

from llm_site.celery import Each, app

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def due_at(moment):
    with time_machine.travel(moment, tick=False):
        return Each(1.0).is_due(NOON)


def test_it_is_due_each_second():
    assert not due_at(NOON + timedelta(seconds=0.5)).is_due
    assert due_at(NOON + timedelta(seconds=1)).is_due


def test_it_is_due_at_once_when_the_clock_was_set_back():
    assert due_at(NOON - timedelta(hours=1)).is_due


def test_what_is_due_exists():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
