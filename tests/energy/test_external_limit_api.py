"""The limit from outside over the REST API."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Change, User
from accounts.services import renew_token
from energy.models import ExternalLimit, Installation
from stations.signals import decide_again

pytestmark = pytest.mark.django_db

ADDRESS = "/api/installation/limit"


@pytest.fixture
def manager():
    User.objects.create(username="ems", role="administrator")
    return Client(headers={"authorization": f"Bearer {renew_token(username='ems')}"})


def put(client, **body):
    return client.put(ADDRESS, body, content_type="application/json")


def test_a_limit_is_given_read_and_lifted(manager):
    assert manager.get(ADDRESS).json()["state"] == "none"
    answer = put(manager, limit_a=32, valid_for_s=900)
    told = answer.json()
    assert (answer.status_code, told["state"], told["limit_a"], told["in_force_a"]) == (200, "valid", 32, 32)
    left = datetime.fromisoformat(told["valid_until"]) - timezone.now()
    assert timedelta(seconds=890) < left <= timedelta(seconds=900)
    assert told["given_by"] == "REST API, ems"
    assert manager.get(ADDRESS).json() == told
    told = manager.delete(ADDRESS).json()
    assert (told["state"], told["limit_a"], told["in_force_a"]) == ("none", None, None)


@pytest.mark.parametrize(("phases", "limit_a"), [(3, 16), (1, 48)])
def test_a_power_for_all_is_shared_evenly_among_the_lines(manager, phases, limit_a):
    Installation.objects.create(fuse_a=63, phases=phases)
    assert put(manager, limit_w=11_040).json()["in_force_a"] == pytest.approx(limit_a)


def test_a_limit_that_ran_out_says_so_with_what_holds_instead(manager):
    put(manager, limit_a=32)
    ExternalLimit.objects.update(valid_until=timezone.now() - timedelta(seconds=1))
    told = manager.get(ADDRESS).json()
    assert (told["state"], told["limit_a"], told["in_force_a"], told["fallback_a"]) == ("expired", 32, 6, 6)
    ExternalLimit.objects.update(after_expiry="nothing")
    told = manager.get(ADDRESS).json()
    assert (told["state"], told["in_force_a"], told["fallback_a"]) == ("expired", None, None)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "expected either limit_a (A on each line) or limit_w (W in all)"),
        ({"limit_a": 10, "limit_w": 5000}, "expected either limit_a (A on each line) or limit_w (W in all)"),
        ({"limit_a": -1}, "limit_a: expected 0.0 or more"),
        ({"limit_a": 6001}, "limit_a: expected 6000.0 or less"),
        ({"limit_a": "much"}, "limit_a: expected a number"),
        ({"limit_a": "7"}, "limit_a: expected a number"),
        ({"limit_a": True}, "limit_a: expected a number"),
        ({"limit_a": 6, "valid_for": 5}, "valid_for: is not known here; /api/docs lists what is"),
        ({"limit_a": 6, "valid_for_s": True}, "valid_for_s: expected a whole number"),
        ({"limit_a": 6, "valid_for_s": "60"}, "valid_for_s: expected a whole number"),
        ({"limit_a": 10, "valid_for_s": 0}, "valid_for_s: expected 1 or more"),
        ({"limit_a": 10, "valid_for_s": 604801}, "valid_for_s: expected 604800 or less"),
    ],
)
def test_what_is_no_limit_is_refused_and_the_one_before_holds_on(manager, body, complaint):
    put(manager, limit_a=20)
    answer = put(manager, **body)
    assert (answer.status_code, complaint in answer.json()["message"]) == (422, True), answer.content
    assert ExternalLimit.get_solo().limit_a == 20


def test_a_new_limit_asks_for_a_decision_at_once(manager, django_capture_on_commit_callbacks):
    asked = []

    def note(**_signal):
        asked.append(ExternalLimit.get_solo().limit_a)

    decide_again.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            put(manager, limit_a=20)
    finally:
        decide_again.disconnect(note)
    assert asked == [20]


def test_limits_that_come_each_second_leave_the_audit_trail_alone(manager):
    put(manager, limit_a=20)
    before = Change.objects.count()
    put(manager, limit_a=21)
    assert Change.objects.count() == before
