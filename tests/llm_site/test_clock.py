"""Days begin in tasks where they do in the garage."""

import pytest
from celery.signals import task_prerun
from django.utils import timezone

from energy.models import Installation
from llm_site.celery import app

pytestmark = pytest.mark.django_db


def test_a_task_runs_in_the_installation_s_time_zone():
    Installation.objects.update_or_create(pk=1, defaults={"time_zone": "Pacific/Auckland"})
    task_prerun.send(sender=app)
    assert timezone.get_current_timezone_name() == "Pacific/Auckland"
