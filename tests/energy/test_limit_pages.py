"""Limits over time in the admin: rows, the picture of the week, what holds now, and the energy manager's settings."""

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.utils import translation

from accounts.changes import lines_of
from accounts.models import Change, User
from energy.admin.limits import days_in_words
from energy.external_limit import give_limit
from energy.models import ExternalLimit, Installation, TimeTableRow
from stations.models import Circuit

pytestmark = pytest.mark.django_db

LIST = "/admin/energy/timetablerow/"
MANAGER = "/admin/energy/externallimit/"
MONDAY_NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)  # in Paris 12:00
DAY = {"days": [0, 1, 2, 3, 4], "begins": "06:00", "ends": "22:00", "limit_a": "40"}


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def errors_of(answer):
    return answer.context["adminform"].form.errors


def test_a_row_is_entered_listed_drawn_and_deleted(admin):
    Installation.objects.create(fuse_a=63)
    assert "No time table" in text_of(admin.get(LIST))
    assert admin.post(f"{LIST}add/", DAY).status_code == 302
    row = TimeTableRow.objects.get()
    assert (row.days, row.begins, row.ends, row.limit_a) == ([0, 1, 2, 3, 4], "06:00", "22:00", 40)
    page = admin.get(LIST)
    assert "Mon–Fri 06:00 22:00 40 A" in text_of(page)
    assert page.content.decode().count('class="block"') == 5
    admin.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert not TimeTableRow.objects.exists()


def test_a_row_that_overlaps_another_is_refused_with_the_time_and_the_row(admin):
    admin.post(f"{LIST}add/", DAY)
    answer = admin.post(f"{LIST}add/", {"days": [3, 6], "begins": "21:30", "ends": "05:00", "limit_a": "63"})
    assert errors_of(answer)["begins"] == [
        "On Thursday from 21:30 to 22:00 the row Mon–Fri 06:00–22:00 (40 A) holds already. "
        "Shorten or delete one of them: two limits cannot hold at once."
    ]
    assert TimeTableRow.objects.count() == 1


def test_a_row_is_changed_without_overlapping_itself_and_the_change_is_on_record(admin):
    admin.post(f"{LIST}add/", DAY)
    address = f"{LIST}{TimeTableRow.objects.get().pk}/change/"
    assert 'value="06:00"' in admin.get(address).content.decode()
    assert admin.post(address, {**DAY, "limit_a": "32"}).status_code == 302
    assert TimeTableRow.objects.get().limit_a == 32
    assert lines_of(Change.objects.order_by("-pk")[0]) == ["Limit per line (A): 40 → 32"]


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"days": []}, "days"),
        ({"days": ["7"]}, "days"),
        ({"begins": "25:00"}, "begins"),
        ({"ends": "late"}, "ends"),
        ({"ends": "6:00\0"}, "ends"),
        ({"limit_a": "-1"}, "limit_a"),
        ({"limit_a": "6001"}, "limit_a"),
        ({"limit_a": "nan"}, "limit_a"),
    ],
)
def test_what_is_no_row_is_refused_at_its_field(admin, entered, field):
    answer = admin.post(f"{LIST}add/", {**DAY, **entered})
    assert list(errors_of(answer)) == [field]
    assert not TimeTableRow.objects.exists()


def test_a_time_with_seconds_is_refused_in_the_words_of_any_other_that_is_none(admin):
    answer = admin.post(f"{LIST}add/", {**DAY, "begins": "06:00:30", "ends": "25:00"})
    words = ["A time of day such as 06:30 is needed."]
    assert errors_of(answer) == {"begins": words, "ends": words}


def test_amperes_are_entered_as_the_language_writes_them(admin):
    Installation.objects.create(fuse_a=63)
    with translation.override("de"):
        admin.post(f"{LIST}add/", {**DAY, "limit_a": "37,5"}, headers={"accept-language": "de"})
        assert "37,5 A" in text_of(admin.get(LIST, headers={"accept-language": "de"}))
    assert TimeTableRow.objects.get().limit_a == 37.5


def test_each_circuit_has_a_table_of_its_own_beside_that_of_the_installation(admin):
    basement = Circuit.objects.create(name="Basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    admin.post(f"{LIST}add/", DAY)
    assert admin.post(f"{LIST}add/", {**DAY, "circuit": basement.pk, "limit_a": "16"}).status_code == 302
    page = text_of(admin.get(LIST))
    assert page.index("The whole installation") < page.index("Circuit Basement")


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("dynamic", "The time table limits what the whole installation draws, on each line"),
        ("static", "The time table limits the current that all stations together share."),
    ],
)
def test_the_page_says_what_it_limits(admin, mode, sentence):
    Installation.objects.create(fuse_a=63, mode=mode, static_limit_a=32)
    assert sentence in text_of(admin.get(LIST))


def test_the_page_says_what_holds_now_and_lifts_the_limit_of_the_energy_manager(admin):
    Installation.objects.create(fuse_a=63)
    with time_machine.travel(MONDAY_NOON, tick=False):
        admin.post(f"{LIST}add/", DAY)
        give_limit(limit_a=16, valid_for_s=1800, given_by="REST API, ems")
        page = text_of(admin.get(LIST))
        assert "Time table: 40 A until 22:00" in page
        assert "Limit of the energy manager: 16 A until 12:30" in page
        assert "(REST API, ems)" in page
        assert admin.post(f"{MANAGER}lift/")["Location"] == LIST
        page = text_of(admin.get(LIST))
    assert "Energy manager No limit." in page
    assert "Lift the energy manager" not in page


def test_what_holds_when_the_energy_manager_is_silent_is_set_without_touching_its_limit(admin):
    page = admin.get(MANAGER)
    assert "http://testserver/api/installation/limit" in text_of(page)
    assert "switched off" in text_of(page)
    form = page.context["adminform"].form
    give_limit(limit_a=20, valid_for_s=900, given_by="test")
    assert (form["after_expiry"].value(), form["fallback_a"].value()) == ("fallback", 6)
    assert admin.post(MANAGER, {"after_expiry": "nothing", "fallback_a": "8"}).status_code == 302
    kept = ExternalLimit.get_solo()
    assert (kept.after_expiry, kept.fallback_a, kept.limit_a) == ("nothing", 8, 20)


def test_the_page_of_the_energy_manager_says_where_modbus_listens(admin, settings):
    settings.MODBUS_PORT, settings.MODBUS_ADDRESS = 1502, "192.0.2.7"
    assert "at 192.0.2.7, port 1502" in text_of(admin.get(MANAGER))


@pytest.mark.parametrize(
    ("days", "words"),
    [([0, 1, 2, 3, 4], "Mon–Fri"), ([5, 6], "Sat, Sun"), ([0, 2, 3, 4, 6], "Mon, Wed–Fri, Sun"), ([3], "Thu")],
)
def test_days_are_written_shortly(days, words):
    assert days_in_words(days) == words
