"""Whoever comes with wrong passwords has to wait; those with the right one do not notice."""

import pytest

from accounts.secrets import keyed_hash
from stations.models import SecurityEvent
from stations.ocpp16 import guessing
from stations.ocpp16.guessing import MOST_KEPT, WRONG_IN_A_ROW, Guesses
from tests.stations.offers import OLD, make, offering
from tests.stations.test_consumer import in_database

CP1, ELSEWHERE = ("cp1", "192.0.2.7"), ("cp1", "192.0.2.8")


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guesses(clock):
    return Guesses(clock)


def wrong(guesses, source=CP1, times=1):
    """Come with wrong passwords; returns the last pause."""
    for _ in range(times):
        assert guesses.begin(source) == 0
        _count, pause_s = guesses.end(source, is_wrong=True)
    return pause_s


def test_after_five_wrong_passwords_no_other_is_looked_at_for_a_pause_that_grows_up_to_a_minute(guesses, clock):
    assert wrong(guesses, times=4) == 0
    pauses = []
    for _ in range(8):
        pauses.append(wrong(guesses))
        assert guesses.begin(CP1) > 0
        clock.now_s += pauses[-1]
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_the_right_password_after_the_pause_ends_it(guesses, clock):
    clock.now_s += wrong(guesses, times=WRONG_IN_A_ROW)
    assert guesses.begin(CP1) == 0
    guesses.end(CP1, is_wrong=False)
    assert wrong(guesses, times=4) == 0


def test_one_address_and_one_identity_wait_and_no_others(guesses):
    wrong(guesses, times=WRONG_IN_A_ROW)
    assert guesses.begin(ELSEWHERE) == 0
    assert guesses.begin(("cp2", CP1[1])) == 0


def test_what_was_wrong_long_ago_is_forgotten(guesses, clock):
    wrong(guesses, times=WRONG_IN_A_ROW)
    clock.now_s += guessing.FORGOTTEN_AFTER_S + 1
    assert wrong(guesses, times=4) == 0


def test_many_at_once_are_no_way_round(guesses, clock):
    assert [guesses.begin(CP1) > 0 for _ in range(7)] == [False] * 5 + [True] * 2
    for _ in range(5):
        _count, pause_s = guesses.end(CP1, is_wrong=True)
    clock.now_s += pause_s
    assert [guesses.begin(CP1) > 0 for _ in range(3)] == [False, True, True]


def test_what_was_broken_off_says_nothing(guesses):
    for _ in range(20):
        assert guesses.begin(CP1) == 0
        guesses.end(CP1, is_wrong=None)
    wrong(guesses, times=4)
    guesses.begin(CP1)
    guesses.end(CP1, is_wrong=None)
    assert wrong(guesses) > 0


def test_no_more_than_some_thousands_are_kept_and_good_ones_not_at_all(guesses):
    guesses.begin(CP1)
    guesses.end(CP1, is_wrong=False)
    assert not guesses._records
    for number in range(MOST_KEPT + 10):
        wrong(guesses, (f"cp{number}", None))
    assert len(guesses._records) == MOST_KEPT


@pytest.fixture
def served(monkeypatch, clock):
    """Stations that are let in while the clock stands."""
    monkeypatch.setattr(guessing, "_guesses", Guesses(clock))
    return clock


def over_the_wire(test):
    return pytest.mark.django_db(transaction=True)(pytest.mark.usefixtures("closed_connections", "served")(test))


@over_the_wire
async def test_a_guesser_is_refused_in_silence_and_noted_once(served, caplog):
    await make(security_profile=1, password_hash=keyed_hash(OLD))
    statuses = [await offering(password=f"guess {n}").refusal() for n in range(12)]
    assert statuses == [401] * 5 + [429] * 7
    assert caplog.text.count("Refused: ") == 5
    assert "5 times in a row" in caplog.text
    assert await offering(password=OLD).refusal() == 429
    served.now_s += 2
    assert await offering(password="wrong").refusal() == 401
    (event,) = await in_database(lambda: list(SecurityEvent.objects.select_related("station")))
    assert (event.station.identity, event.type) == ("CP1", "FailedToAuthenticateAtCentralSystem")
    assert "5 wrong passwords" in event.tech_info


@over_the_wire
async def test_who_waits_is_told_for_how_long():
    await make(password_hash=keyed_hash(OLD))
    for _ in range(5):
        await offering(password="wrong").refusal()
    line = offering(password=OLD)
    assert await line.refusal() == 429
    assert line.refusal_headers == [(b"retry-after", b"2")]


@over_the_wire
async def test_the_right_password_opens_after_the_pause(served):
    await make(password_hash=keyed_hash(OLD))
    for _ in range(5):
        await offering(password="wrong").refusal()
    served.now_s += 2
    async with offering(password=OLD):
        pass


@over_the_wire
async def test_without_a_password_nothing_is_counted():
    await make(password_hash=keyed_hash(OLD))
    assert {await offering().refusal() for _ in range(20)} == {401}
    async with offering(password=OLD):
        pass


@over_the_wire
async def test_a_storm_of_good_passwords_is_not_held_up():
    await make(password_hash=keyed_hash(OLD))
    for _ in range(20):
        line = offering(password=OLD)
        await line.socket.connect(timeout=5)
        await line.socket.disconnect()
