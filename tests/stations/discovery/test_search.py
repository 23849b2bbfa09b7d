"""The search as a row: one at a time, stopped, lost, begun anew. What it sees is in test_network.py."""

from datetime import timedelta

import pytest
from celery import current_app
from django.core.exceptions import ValidationError
from django.utils import timezone
from kombu.exceptions import OperationalError

from stations.discovery.hosts import Host
from stations.discovery.lan import other_networks
from stations.discovery.search import (
    LISTENS,
    begin_search,
    go_on,
    is_stalled,
    search_on,
    start_search,
    stop_search,
    to_ask,
)
from stations.models import StationSearch, StationSearchState

pytestmark = pytest.mark.django_db

OTHERS = "10.99.0.0/30"


def lose_it():
    StationSearch.objects.update(heard_at=timezone.now() - timedelta(seconds=31))


def test_two_searches_do_not_run_at_once():
    assert begin_search(others=OTHERS) == 1
    assert begin_search(others="10.98.0.0/30") is None
    assert StationSearch.get_solo().others == OTHERS


def test_a_search_that_was_stopped_is_not_gone_on_with():
    run = begin_search(others=OTHERS)
    stop_search(run=run)
    assert search_on(run=run) is False
    assert StationSearch.get_solo().state == StationSearchState.STOPPED


def test_a_stop_of_an_older_search_leaves_the_one_that_runs_alone():
    first = begin_search(others=OTHERS)
    lose_it()
    assert is_stalled(StationSearch.get_solo())
    assert begin_search(others=OTHERS) == first + 1
    stop_search(run=first)
    assert search_on(run=first) is False
    assert StationSearch.get_solo().state == StationSearchState.RUNNING


def test_a_search_that_was_stopped_is_not_stalled():
    stop_search(run=begin_search(others=OTHERS))
    lose_it()
    assert not is_stalled(StationSearch.get_solo())


def test_the_worker_is_given_the_search(monkeypatch):
    given = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: given.append((name, options["args"])))
    start_search(others=OTHERS)
    start_search(others=OTHERS)
    assert given == [("stations.tasks.search_stations", (1,))]


def test_without_a_broker_a_search_does_not_begin_and_says_so(monkeypatch):
    def refuse(*_name, **_options):
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", refuse)
    with pytest.raises(ValidationError, match="broker does not answer"):
        start_search(others=OTHERS)
    assert StationSearch.get_solo().state == StationSearchState.STOPPED


def test_only_hosts_of_the_searched_networks_are_asked_whatever_others_announce():
    seen = [Host("", ("203.0.113.5", "10.99.0.1", "fe80::1"), ("printer",)), Host("", ("10.99.1.1",))]
    search = StationSearch(seen=[host.dump() for host in seen])
    assert to_ask(search, other_networks(OTHERS)) == ["10.99.0.1"]
    search.asked = ["10.99.0.1"]
    assert to_ask(search, other_networks(OTHERS)) == []


def test_it_begins_another_round_until_its_time_is_over():
    networks, search, steps = other_networks(OTHERS), StationSearch(place=2), []
    for _slice in range(LISTENS + 1):
        go_on(search, networks)
        steps.append(search.step)
    assert steps == ["listen"] * LISTENS + ["call"]
    search.place, search.seen = 2, [Host("", ("10.99.0.1",)).dump()]
    go_on(search, networks)
    assert search.step == "ask"


def test_a_network_that_cannot_be_searched_begins_nothing():
    with pytest.raises(ValidationError, match="is no network"):
        begin_search(others="home")
    assert StationSearch.get_solo().run == 0
