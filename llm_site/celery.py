"""The Celery application: queues `control` (the loop, one worker) and `default`, and the beat of one second."""

import gc
import os
from datetime import datetime
from typing import Any

from celery import Celery
from celery.schedules import schedstate, schedule
from celery.signals import task_postrun, task_prerun, worker_ready
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llm_site.settings")


class Each(schedule):
    """Run every so many seconds, also after the machine's clock was set back: Celery would wait for the old time."""

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether it is due, and when (s) to ask again."""
        is_due, again_s = super().is_due(last_run_at)
        return schedstate(True, self.seconds) if again_s > self.seconds else schedstate(is_due, again_s)


app = Celery("llm_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_default_queue="default",
    task_queues=[Queue("default"), Queue("control")],
    task_routes={"energy.tasks.balance": {"queue": "control"}},
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    beat_schedule={
        # A tick that waited out a stall is worthless: it expires before the next.
        "balance": {"task": "energy.tasks.balance", "schedule": Each(1.0), "options": {"expires": 0.9}},
        "forget-old-recordings": {"task": "energy.tasks.forget_old_recordings", "schedule": 3600.0},
        "keep-history": {"task": "energy.tasks.keep_history", "schedule": Each(60.0), "options": {"expires": 50.0}},
        # Whatever changed who may charge, also midnight, is seen within one of these.
        "check-local-lists": {
            "task": "stations.tasks.check_local_lists",
            "schedule": Each(5.0),
            "options": {"expires": 4.0},
        },
        "tidy-commands": {"task": "stations.tasks.tidy_commands", "schedule": 600.0},
        "tidy-security-events": {"task": "stations.tasks.tidy_security_events", "schedule": 3600.0},
        "forget-old-sign-ins": {"task": "accounts.tasks.forget_old_sign_ins", "schedule": 3600.0},
        "forget-old-changes": {"task": "accounts.tasks.forget_old_changes", "schedule": 86400.0},
        "forget-old-refusals": {"task": "badges.tasks.forget_old_refusals", "schedule": 3600.0},
        "keep-off-peak": {"task": "exports.tasks.keep_off_peak", "schedule": 3600.0},
        "send-due-mails": {"task": "exports.tasks.send_due_mails", "schedule": 600.0},
    },
)
app.autodiscover_tasks()


@worker_ready.connect
def leave_what_stays_alone(**_signal: Any) -> None:
    """Keep the collector from walking through all of Django for 0.1 s again and again, in the middle of the loop."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@task_prerun.connect
def use_installation_time_zone(**_signal: Any) -> None:
    """Let days begin and end in tasks where they do in the garage."""
    from llm_site.clock import activate_installation_time_zone

    activate_installation_time_zone()


@task_prerun.connect
def note_begin(task: Any, **_signal: Any) -> None:
    """Let the system page see that this worker works."""
    from llm_site.system.pulse import beat

    beat(task, is_busy=True)


@task_postrun.connect
def note_end(task: Any, **_signal: Any) -> None:
    """Let the system page see that this worker is free again."""
    from llm_site.system.pulse import beat

    beat(task, is_busy=False)
