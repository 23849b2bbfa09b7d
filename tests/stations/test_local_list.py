"""The local list, decided: whatever a station answers, it ends with the list it is to hold or is left alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.ocpp16 import schemas
from stations.ocpp16.local_list import (
    ASK_VERSION,
    EMPTY,
    MOST_IN_PIECE,
    SEND,
    Entry,
    Progress,
    after_answer,
    after_break,
    changes_between,
    digest_of,
    forgotten,
    in_order,
    next_call,
    piece_size,
)

LATE = "2030-01-01T23:00:00Z"
A, B, C = (Entry(name, "Accepted", "") for name in "ABC")


class Books:
    """Lists by their digest, as the database keeps them."""

    def __init__(self):
        self.lists = {EMPTY: []}

    def name(self, entries):
        self.lists[digest_of(entries)] = in_order(entries)
        return digest_of(entries)

    def changes(self, held, target):
        return changes_between(None if held is None else self.lists[held], self.lists[target])


class Station:
    """A station by the letter of the standard; a list or message that is too long fails and changes nothing."""

    def __init__(self, *, most=1000, piece=1000, version=0, held=()):
        self.held, self.version = {entry.id_tag.upper(): entry for entry in held}, version
        self.most, self.piece = most, piece
        self.seen = []

    def answer(self, action, payload):
        schemas.check(action, payload)
        if action == ASK_VERSION:
            return {"listVersion": self.version if self.held or self.version < 0 else 0}
        self.seen.append(payload)
        is_full = payload["updateType"] == "Full"
        if not is_full and payload["listVersion"] <= self.version:
            return {"status": "VersionMismatch"}
        lines = payload["localAuthorizationList"]
        held = {} if is_full else dict(self.held)
        for line in lines:
            info = line.get("idTagInfo")
            if info is None:
                held.pop(line["idTag"].upper(), None)
            else:
                held[line["idTag"].upper()] = Entry(line["idTag"], info["status"], info.get("expiryDate", ""))
        numbers = [line["idTag"].upper() for line in lines]
        if len(held) > self.most or len(lines) > self.piece or len(set(numbers)) < len(numbers):
            return {"status": "Failed"}
        self.held, self.version = held, payload["listVersion"]
        return {"status": "Accepted"}

    def holds(self, entries):
        return digest_of(self.held.values()) == digest_of(entries)


def bring(station, progress, books, size=3, answer=None):
    """Ask and send until there is nothing left; `answer` may replace the station's, None: silence."""
    answer = answer or station.answer
    calls = 0
    while progress.is_behind and not progress.is_given_up:
        calls += 1
        assert calls < 500
        progress, call = next_call(progress, books.changes, size)
        heard = answer(call.action, call.payload)
        if heard is None:
            progress = after_break(progress)
            continue
        length = len(books.changes(progress.held, progress.target).lines) if progress.target else 0
        progress = after_answer(progress, call, heard, length)
    return progress


def brought(entries, books=None, **station):
    """Bring a station to a list; returns it, with the progress and the books."""
    books = books or Books()
    station = Station(**station)
    return station, bring(station, Progress(books.name(entries)), books), books


def kinds(station):
    return [(payload["updateType"], len(payload["localAuthorizationList"])) for payload in station.seen]


def test_the_first_list_goes_out_whole_in_pieces_with_rising_versions():
    entries = [Entry(str(number), "Accepted", "") for number in range(7)]
    station, progress, _ = brought(entries)
    assert kinds(station) == [("Full", 3), ("Differential", 3), ("Differential", 1)]
    assert [payload["listVersion"] for payload in station.seen] == [1, 2, 3]
    assert station.holds(entries)
    assert not progress.is_behind


def test_those_who_may_charge_go_first_and_the_order_says_nothing():
    blocked = Entry("0", "Blocked", "")
    assert in_order([blocked, B, A]) == [A, B, blocked]
    assert digest_of([A, B]) == digest_of([B, A]) != digest_of([A])


def test_a_change_goes_out_as_the_difference_and_what_goes_makes_room_first():
    station, progress, books = brought([A, B])
    station.seen.clear()
    wanted = [A, C]
    progress = bring(station, replace(progress, wanted=books.name(wanted)), books)
    (payload,) = station.seen
    assert payload["updateType"] == "Differential"
    assert payload["localAuthorizationList"] == [{"idTag": "B"}, {"idTag": "C", "idTagInfo": {"status": "Accepted"}}]
    assert station.holds(wanted)


def test_an_expiry_is_said_and_its_change_is_a_change():
    books, late = Books(), Entry("A", "Accepted", LATE)
    station, progress, _ = brought([A], books)
    bring(station, replace(progress, wanted=books.name([late])), books)
    assert station.seen[-1]["localAuthorizationList"][0]["idTagInfo"]["expiryDate"] == LATE


def test_a_badge_written_in_another_case_is_the_same_badge():
    books = Books()
    station, progress, _ = brought([Entry("ab", "Accepted", "")], books)
    bring(station, replace(progress, wanted=books.name([Entry("AB", "Accepted", "")])), books)
    assert list(station.held) == ["AB"]
    assert len(station.seen[-1]["localAuthorizationList"]) == 1


def test_a_station_that_is_right_is_asked_nothing():
    assert not brought([A])[1].is_behind


def test_an_empty_list_is_not_sent_to_an_empty_station():
    station, progress, _ = brought([])
    assert station.seen == []
    assert progress.held == EMPTY


def test_a_foreign_list_is_replaced_whole_under_a_higher_version():
    station, _, _ = brought([A], version=41, held=[B])
    assert [(payload["updateType"], payload["listVersion"]) for payload in station.seen] == [("Full", 42)]


def test_a_station_that_lost_its_list_gets_it_whole_when_its_version_is_asked_for():
    station, progress, books = brought([A, B])
    station.held, station.version = {}, 0
    assert not bring(station, progress, books).is_behind
    assert not station.held
    bring(station, replace(progress, is_checked=False), books)
    assert station.holds([A, B])
    assert kinds(station)[-1][0] == "Full"


@pytest.mark.parametrize("version", [-1, -7])
def test_a_station_that_says_it_has_no_list_is_sent_none(version):
    station, progress, _ = brought([A], version=version)
    assert station.seen == []
    assert not progress.is_supported


@pytest.mark.parametrize("status", ["NotSupported", "NotImplemented"])
@pytest.mark.parametrize("action", [ASK_VERSION, SEND])
def test_a_station_that_does_not_know_the_message_is_left_alone(status, action):
    books, station = Books(), Station()
    answers = lambda name, payload: {"status": status} if name == action else station.answer(name, payload)  # noqa: E731
    progress = bring(station, Progress(books.name([A])), books, answer=answers)
    assert not progress.is_supported
    assert status in progress.error


def test_a_failed_difference_is_followed_once_by_the_whole():
    station, progress, books = brought([A])
    answers = iter([{"status": "Failed"}])
    sent = len(station.seen)

    def answer(action, payload):
        return next(answers, None) or station.answer(action, payload)

    progress = bring(station, replace(progress, wanted=books.name([A, B])), books, answer=answer)
    assert kinds(station)[sent:] == [("Full", 2)]
    assert station.holds([A, B])
    assert not progress.error


def test_a_station_whose_version_ran_ahead_is_asked_for_it_and_then_sent_the_whole():
    station, progress, books = brought([A])
    station.version = 70
    progress = bring(station, replace(progress, wanted=books.name([A, B])), books)
    assert station.holds([A, B])
    assert [(payload["updateType"], payload["listVersion"]) for payload in station.seen[-2:]] == [
        ("Differential", 2),
        ("Full", 71),
    ]


def test_a_station_that_refuses_the_whole_twice_is_left_alone_with_what_it_said():
    station, progress, _ = brought([A, B, C], most=2)
    assert kinds(station) == [("Full", 3)] * 2
    assert progress.is_given_up
    assert progress.error == "Full: Failed"


def test_a_station_that_never_answers_is_asked_three_times():
    books, asked = Books(), []
    progress = bring(None, Progress(books.name([A])), books, answer=lambda *call: asked.append(call))
    assert len(asked) == 3
    assert progress.is_given_up


def test_what_was_begun_is_finished_before_the_newest_is_sent():
    books, station = Books(), Station()
    first, second = [A, B, C], [A]
    progress, call = next_call(Progress(books.name(first), is_checked=True, held=EMPTY), books.changes, 2)
    progress = after_answer(progress, call, station.answer(*call[:2]), 3)
    bring(station, replace(progress, wanted=books.name(second)), books, 2)
    assert kinds(station) == [("Full", 2), ("Differential", 1), ("Differential", 2)]
    assert station.holds(second)


def test_an_absurd_version_is_begun_anew():
    _, progress, _ = brought([A], version=2**31 - 1, held=[B])
    assert progress.version < 2**30


@pytest.mark.parametrize(("said", "size"), [(None, 20), (0, 20), (1, 1), (10_000, MOST_IN_PIECE)])
def test_a_piece_is_as_long_as_the_station_takes_and_never_long(said, size):
    assert piece_size(said) == size


numbers = st.text("ABCDabcd", min_size=1, max_size=2)
entries = st.builds(Entry, numbers, st.sampled_from(["Accepted", "Blocked", "Expired"]), st.sampled_from(["", LATE]))
lists = st.lists(entries, unique_by=lambda entry: entry.id_tag.upper(), max_size=12)
trouble = st.sampled_from(["", "", "", "lost", "unheard", "Failed", "VersionMismatch", "GenericError", "?", "forgets"])


@given(st.lists(lists, min_size=1, max_size=4), st.integers(1, 5), st.data())
def test_whatever_happens_on_the_way_the_station_ends_with_what_it_is_to_hold(wishes, size, data):
    """Answers get lost, calls get lost, refusals come, the station loses its list: then each wish comes true."""
    books, station = Books(), Station(most=40, piece=size)
    progress = Progress(books.name(wishes[0]))

    def answer(action, payload):
        event = data.draw(trouble)
        if event == "forgets":
            station.held, station.version = {}, 0
        elif event == "lost":
            return None
        elif event in ("Failed", "VersionMismatch", "GenericError", "?"):
            return {"status": event} if event != "?" else {}
        heard = station.answer(action, payload)
        return None if event == "unheard" else heard

    for wish in wishes:
        progress = replace(progress, wanted=books.name(wish), refusals=0)
        progress = bring(station, progress, books, size, answer)
    progress = bring(station, replace(forgotten(progress), wanted=progress.wanted), books, size)
    assert station.holds(wishes[-1])
    assert all(len(payload["localAuthorizationList"]) <= size for payload in station.seen)


@given(st.lists(lists, min_size=1, max_size=4), st.integers(1, 5), st.data())
def test_without_refusals_every_wish_comes_true_at_once_and_versions_strictly_rise(wishes, size, data):
    """Answers and calls get lost, but never three in a row; the station has room for the longest wish, and no more."""
    books, station = Books(), Station(most=max(map(len, wishes)), piece=size)
    progress, row = Progress(books.name(wishes[0])), 0

    def answer(action, payload):
        nonlocal row
        event = data.draw(st.sampled_from(["", "", "lost", "unheard"])) if row < 2 else ""
        row = row + 1 if event else 0
        before = station.version
        heard = None if event == "lost" else station.answer(action, payload)
        if action == SEND and heard is not None:
            assert heard == {"status": "Accepted"}
            assert payload["listVersion"] > before
        return None if event == "unheard" else heard

    for wish in wishes:
        progress = bring(station, replace(progress, wanted=books.name(wish)), books, size, answer)
        assert station.holds(wish)
        assert not progress.is_behind


def emptying(station, after):
    """Answer as a station that empties its list by itself after some of the pieces it took; `after`: their numbers."""

    def answer(action, payload):
        heard = station.answer(action, payload)
        if action == SEND and len(station.seen) in after:
            station.held, station.version = {}, 0
        return heard

    return answer


@pytest.mark.parametrize("after", [1, 2])
def test_a_list_that_is_emptied_between_two_pieces_is_sent_again_from_the_first(after):
    entries, books, station = [Entry(str(number), "Accepted", "") for number in range(7)], Books(), Station()
    progress = bring(station, Progress(books.name(entries)), books, answer=emptying(station, [after]))
    assert station.holds(entries)
    assert (progress.is_behind, progress.refusals, progress.error) == (False, 0, "")


def test_one_that_empties_its_list_again_and_again_is_left_alone_and_not_shown_complete():
    entries, books, station = [Entry(str(number), "Accepted", "") for number in range(7)], Books(), Station()
    progress = bring(station, Progress(books.name(entries)), books, answer=emptying(station, range(100)))
    assert progress.is_given_up
    assert progress.is_behind
    assert progress.held == EMPTY
    assert progress.error == "SendLocalList: the list was emptied in the middle"
