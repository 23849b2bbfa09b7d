"""The lock-out: growing pauses for each name at each address, without locking out who is known there."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from accounts.models import SignInTries
from accounts.tries import (
    ADDRESS,
    NAME,
    PAIR,
    TooManyTries,
    admit_token,
    begin_try,
    fail_token,
    forget_old_tries,
    pass_try,
    pause_s,
    return_try,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HERE, ELSEWHERE = "192.168.1.5", "192.168.1.66"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def fail(times=1, name="anna", address=HERE):
    for _ in range(times):
        begin_try(username=name, address=address)


def wait_of(name="anna", address=HERE):
    """Return how long (s) the next try has to wait; None where it was let in, and counted."""
    try:
        begin_try(username=name, address=address)
    except TooManyTries as held:
        return held.wait_s
    return None


def succeed(name="anna", address=HERE):
    pass_try(begin_try(username=name, address=address))


def test_the_pauses_double_from_30_s_to_an_hour():
    assert [pause_s(failures, PAIR) for failures in range(4, 14)] == [
        0,
        30,
        60,
        120,
        240,
        480,
        960,
        1920,
        3600,
        3600,
    ]
    assert pause_s(10_000, PAIR) == 3600
    assert pause_s(10_000, NAME) == 60


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [(58, "Try again in 58 s."), (119, "Try again in 119 s."), (120, "in 2 min."), (3541, "in 60 min.")],
)
def test_the_time_left_is_said_in_words(wait_s, words):
    assert words in str(TooManyTries(wait_s))


@pytest.mark.django_db
class TestNameAtAddress:
    def test_after_five_failures_the_next_try_waits(self, clock):
        fail(5)
        assert wait_of() == 30
        clock.shift(29)
        assert wait_of() == 1
        clock.shift(1)
        assert wait_of() is None
        assert wait_of() == 60

    def test_a_try_that_had_to_wait_makes_nobody_wait_longer(self, clock):
        fail(5)
        assert [wait_of() for _ in range(20)] == [30] * 20
        clock.shift(30)
        assert wait_of() is None

    def test_a_success_makes_the_failures_forgotten(self):
        fail(4)
        succeed()
        fail(5)
        assert wait_of() == 30

    def test_a_success_after_a_pause_ends_the_pause_that_its_own_try_began(self, clock):
        fail(5)
        clock.shift(30)
        succeed()
        assert wait_of() is None

    def test_a_right_password_before_a_second_factor_neither_adds_nor_forgives(self):
        fail(4)
        for _ in range(10):
            return_try(begin_try(username="anna", address=HERE))
        fail()
        assert wait_of() == 30

    def test_a_returned_try_leaves_a_pause_that_another_one_began(self):
        fail(3)
        returned = begin_try(username="anna", address=HERE)
        fail()
        return_try(returned)
        assert wait_of() == 30

    def test_another_name_at_the_same_address_is_not_held_back(self):
        fail(5)
        assert wait_of(name="bert") is None

    def test_the_same_name_at_another_address_is_not_held_back(self):
        fail(5, address=ELSEWHERE)
        assert wait_of() is None

    def test_failures_are_forgotten_after_a_quiet_day(self, clock):
        fail(4)
        clock.shift(timedelta(days=1, seconds=1))
        fail(4)
        assert wait_of() is None

    @pytest.mark.parametrize("failures", [1, 5])
    def test_a_clock_that_was_set_back_makes_nobody_wait_for_the_old_time(self, clock, failures):
        fail(failures)
        clock.move_to(NOON - timedelta(days=300))
        assert wait_of() is None

    def test_a_name_is_told_from_the_address_behind_it(self):
        fail(5, name="anna\0192.168.1.5", address=None)
        assert wait_of() is None


@pytest.mark.django_db
class TestAddress:
    def test_many_names_from_one_address_are_held_back_together(self):
        for number in range(ADDRESS.free):
            fail(name=f"guess{number}")
        assert wait_of(name="somebody") == 30
        assert wait_of(name="somebody", address=ELSEWHERE) is None

    def test_a_name_that_came_in_from_there_lately_is_not_held_back_with_them(self, clock):
        succeed()
        for number in range(ADDRESS.free):
            fail(name=f"guess{number}")
        assert wait_of(name="bert") == 30
        assert wait_of() is None
        clock.shift(timedelta(days=30, seconds=1))
        for number in range(ADDRESS.free):
            fail(name=f"guess{number}")
        assert wait_of() == 30

    def test_a_success_forgives_its_own_failures_and_not_those_of_others(self):
        for number in range(ADDRESS.free - 5):
            fail(name=f"guess{number}")
        fail(3)
        succeed()
        for number in range(4):
            fail(name=f"more{number}")
        assert wait_of(name="bert") is None
        assert wait_of(name="carl") == 30

    def test_an_ipv6_network_is_one_address(self):
        for number in range(ADDRESS.free):
            fail(name=f"guess{number}", address=f"2001:db8:0:1::{number + 1:x}")
        assert wait_of(name="bert", address="2001:db8:0:1:ffff::1") == 30
        assert wait_of(name="bert", address="2001:db8:0:2::1") is None

    def test_an_ipv4_address_within_ipv6_is_that_address(self):
        fail(5)
        assert wait_of(address=f"::ffff:{HERE}") == 30


@pytest.mark.django_db
class TestName:
    def test_one_name_from_many_addresses_is_slowed_down_to_a_try_a_minute(self, clock):
        for number in range(NAME.free + 3):
            clock.shift(60)
            fail(address=f"10.0.0.{number}")
        assert wait_of(address="10.0.1.1") == 60

    def test_who_is_known_at_an_address_comes_in_meanwhile(self):
        succeed()
        for number in range(NAME.free):
            fail(address=f"10.0.0.{number}")
        assert wait_of(address="10.0.1.1") == 30
        assert wait_of() is None


@pytest.mark.django_db
class TestTokens:
    def test_after_five_wrong_tokens_the_next_waits_a_minute_at_most(self, clock):
        for _ in range(5):
            fail_token(address=HERE)
        for wait_s in (30, 60, 60):
            with pytest.raises(TooManyTries) as held:
                fail_token(address=HERE)
            assert held.value.wait_s == wait_s
            clock.shift(wait_s)
            fail_token(address=HERE)

    def test_a_right_token_that_was_guessed_has_to_wait_like_the_wrong_ones(self):
        for _ in range(5):
            fail_token(address=HERE)
        with pytest.raises(TooManyTries):
            admit_token(token_hash="a", address=HERE)
        admit_token(token_hash="a", address=ELSEWHERE)

    def test_a_program_that_is_known_there_goes_on_beside_one_with_an_old_token(self):
        admit_token(token_hash="a", address=HERE)
        for _ in range(5):
            fail_token(address=HERE)
        admit_token(token_hash="a", address=HERE)

    def test_a_known_token_costs_one_query_and_writes_nothing(self, django_assert_num_queries):
        admit_token(token_hash="a", address=HERE)
        with django_assert_num_queries(1):
            admit_token(token_hash="a", address=HERE)


@pytest.mark.django_db(transaction=True)
def test_tries_sent_at_once_cannot_slip_through():
    outcomes = []
    begin = threading.Barrier(12)

    def attempt():
        begin.wait()
        try:
            outcomes.append(wait_of())
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) == 5


@pytest.mark.django_db
def test_what_is_kept_shows_neither_name_nor_address():
    fail(name="Geheim-1")
    for row in SignInTries.objects.all():
        assert len(row.key) == 64
        assert "Geheim" not in row.key


@pytest.mark.django_db
def test_what_holds_nobody_back_any_more_is_deleted(clock):
    fail(name="bert")
    succeed()
    clock.shift(timedelta(days=2))
    forget_old_tries()
    assert SignInTries.objects.count() == 1
    clock.shift(timedelta(days=30))
    forget_old_tries()
    assert not SignInTries.objects.exists()
