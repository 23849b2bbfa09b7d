"""The log of one socket: named, and never flooded."""

import logging

import pytest

from stations.ocpp16.socket_log import LINES_A_MINUTE, SocketLog


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def log(clock):
    return SocketLog(logging.getLogger("stations.test"), "100%s", lambda: clock[0])


def test_a_line_names_the_station(log, caplog):
    log.warning("unreadable frame (%s)", "why")
    assert caplog.messages == ["100%s: unreadable frame (why)"]


def test_a_minute_has_so_many_lines_and_the_rest_is_counted(log, clock, caplog):
    for number in range(1000):
        log.warning("%d", number)
    assert len(caplog.messages) == LINES_A_MINUTE
    clock[0] = 60.0
    log.warning("the next minute")
    assert caplog.messages[LINES_A_MINUTE:] == ["100%s: 980 more lines were left out", "100%s: the next minute"]


def test_at_the_end_the_rest_is_counted_too(log, caplog):
    for _ in range(LINES_A_MINUTE + 1):
        log.warning("again")
    log.count()
    log.count()
    assert caplog.messages[LINES_A_MINUTE:] == ["100%s: 1 more lines were left out"]


def test_an_exception_beyond_the_lines_of_the_minute_is_counted_too(log, caplog):
    for _ in range(LINES_A_MINUTE + 5):
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("could not be kept")
    assert len(caplog.records) == LINES_A_MINUTE
