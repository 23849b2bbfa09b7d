"""Whether a badge may charge: every combination of what the decision rests on."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from badges.authorisation import STATUS_OF, Decision, decide, end_of_day, is_badge_number
from badges.models import AccessRule, Badge, BadgeType, Reason

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXPIRIES = {"never": None, "later": date(2026, 6, 2), "today": date(2026, 6, 1), "yesterday": date(2026, 5, 31)}


def expected(rule, kind, is_active, expiry, is_allowed_here, is_in_use):
    """Say in other words than the product what is right: the first of these that holds."""
    if rule == "free":
        return "accepted"
    refusals = {
        "unknown": kind is None,
        "pending": kind == "pending",
        "expired": expiry == "yesterday",
        "inactive": not is_active,
        "not_here": not is_allowed_here,
        "in_use": is_in_use,
    }
    return next((reason for reason, holds in refusals.items() if holds), "accepted")


@pytest.mark.parametrize(
    "case",
    list(product(AccessRule.values, [None, *BadgeType.values], [True, False], EXPIRIES, [True, False], [True, False])),
    ids=str,
)
def test_every_combination_has_its_answer(case):
    rule, kind, is_active, expiry, is_allowed_here, is_in_use = case
    badge = None if kind is None else Badge(type=kind, is_active=is_active, expires_on=EXPIRIES[expiry])
    decision = decide(badge, rule=rule, is_allowed_here=is_allowed_here, at=NOON, zone=PARIS, is_in_use=is_in_use)
    assert decision.reason == expected(*case)
    assert decision.is_accepted == (decision.id_tag_info["status"] == "Accepted")


@pytest.mark.parametrize(
    ("day", "last_good", "zone"),
    [
        (date(2026, 3, 28), "2026-03-28T22:59:00Z", "Europe/Paris"),
        (date(2026, 3, 29), "2026-03-29T21:59:00Z", "Europe/Paris"),  # summer time began in its night
        (date(2026, 10, 24), "2026-10-24T21:59:00Z", "Europe/Paris"),
        (date(2026, 10, 25), "2026-10-25T22:59:00Z", "Europe/Paris"),  # it ended: the day has 25 hours
        (date(2026, 12, 31), "2026-12-31T22:59:00Z", "Europe/Paris"),
        (date(2026, 4, 4), "2026-04-04T12:59:00Z", "Australia/Sydney"),
        (date(2026, 9, 5), "2026-09-06T03:59:00Z", "America/Santiago"),  # summer time begins at midnight itself
    ],
)
def test_a_badge_is_good_until_the_last_minute_of_its_day_where_it_is_installed(day, last_good, zone):
    badge, last = Badge(type="standard", expires_on=day), datetime.fromisoformat(last_good)
    answers = [
        decide(badge, rule="badge", is_allowed_here=True, at=last + timedelta(minutes=late), zone=ZoneInfo(zone))
        for late in (0, 1)
    ]
    assert [answer.reason for answer in answers] == [Reason.ACCEPTED, Reason.EXPIRED]
    assert datetime.fromisoformat(answers[0].ends_at) - last <= timedelta(minutes=61)


def test_a_station_is_told_when_the_badge_ends_so_that_it_does_not_trust_its_memory_longer():
    badge = Badge(type="standard", expires_on=date(2026, 6, 30))
    answer = decide(badge, rule="badge", is_allowed_here=True, at=NOON, zone=PARIS)
    assert answer.id_tag_info == {"status": "Accepted", "expiryDate": "2026-06-30T22:00:00Z"}


def test_an_end_beyond_the_clocks_of_stations_is_not_told():
    assert end_of_day(date(2038, 1, 1), PARIS) == ""


def test_every_reason_has_a_status_that_ocpp_knows():
    assert STATUS_OF.keys() == set(Reason)
    assert set(STATUS_OF.values()) <= {"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"}
    assert [reason for reason in Reason if Decision(reason).is_accepted] == [Reason.ACCEPTED]


@pytest.mark.parametrize(
    ("number", "is_one"),
    [("A", True), ("x" * 20, True), ("x" * 21, False), ("", False), ("é", False), ("A\nB", False), ("A\n", False)],
)
def test_a_badge_number_has_20_plain_characters_at_most(number, is_one):
    assert is_badge_number(number) is is_one
