"""The pages of badges, as a caretaker uses them."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.utils import timezone

from accounts.models import AccessSettings
from accounts.services import save_user
from badges.models import Badge, BadgeSettings, Refusal, Scan
from badges.scanning import note_scanned, start_scan
from stations.models import Command, Connector, Station, StopRequest, Transaction

pytestmark = pytest.mark.django_db

LIST, SCAN, STOPS = "/admin/badges/badge/", "/admin/badges/badge/scan/", "/admin/stations/station/stops-by-supervisors/"


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def caretaker(client):
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})
    client.force_login(save_user(username="paul", role="advanced"))
    return client


@pytest.fixture
def station():
    station = Station.objects.create(identity="CP1", socket_id="web/1")
    Connector.objects.create(station=station, number=1)
    return station


def text_of(answer):
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def numbers_in(answer):
    return [badge.id_tag for badge in answer.context["cl"].result_list]


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


# --- the list


def test_a_cell_without_a_value_shows_a_dash(caretaker):
    Badge.objects.create(id_tag="A1")
    cells = re.findall(r"<td[^>]*field-expires_on[^>]*>(.*?)</td>", caretaker.get(LIST).content.decode(), re.DOTALL)
    assert [re.sub(r"<[^>]+>|\s", "", cell) for cell in cells] == ["–"]


def test_the_tabs_count_and_choose(caretaker):
    for number, kind in enumerate(["standard", "standard", "supervisor", "pending"]):
        Badge.objects.create(id_tag=f"A{number}", type=kind)
    shown = caretaker.get(LIST)
    assert "Standard (2) Supervisor (1) Pending (1) All (4)" in text_of(shown)
    assert numbers_in(caretaker.get(f"{LIST}?type__exact=pending")) == ["A3"]


@pytest.mark.parametrize("wanted", ["a1b2", "müll", "anna@example"])
def test_badges_are_found_by_number_comment_and_e_mail(caretaker, wanted):
    Badge.objects.create(id_tag="A1B2C3", comment="Müller", email="anna@example.org")
    Badge.objects.create(id_tag="FF")
    assert numbers_in(caretaker.get(LIST, {"q": wanted})) == ["A1B2C3"]


@pytest.mark.parametrize(
    ("used", "found"),
    [
        ("week", ["NOW"]),
        ("month", ["NOW", "WEEKS"]),
        ("not-month", ["NEVER", "YEARS"]),
        ("not-year", ["NEVER", "YEARS"]),
        ("never", ["NEVER"]),
        ("nonsense", ["NEVER", "NOW", "WEEKS", "YEARS"]),
    ],
)
def test_badges_are_found_by_their_last_use(caretaker, station, used, found):
    Badge.objects.create(id_tag="NEVER")
    for name, days in (("NOW", 0), ("WEEKS", 20), ("YEARS", 800)):
        badge, at = Badge.objects.create(id_tag=name), timezone.now() - timedelta(days=days)
        Transaction.objects.create(
            connector=station.connectors.get(),
            id_tag=name,
            badge=badge,
            meter_start_wh=0,
            meter_stop_wh=1,
            started_at=at,
            stopped_at=at,
        )
    assert numbers_in(caretaker.get(LIST, {"used": used})) == found


def test_stopping_somebody_s_charging_is_a_use_of_a_supervisor_s_badge(caretaker, station):
    stopping, charging, both = [Badge.objects.create(id_tag=number, type="supervisor") for number in ("A1", "B2", "C3")]
    now = timezone.now()
    for badge, days in ((charging, 2), (both, 3)):
        Transaction.objects.create(
            connector=station.connectors.get(),
            id_tag=badge.id_tag,
            badge=badge,
            meter_start_wh=0,
            meter_stop_wh=1,
            started_at=now - timedelta(days=days),
            stopped_at=now - timedelta(days=days),
        )
    for badge in (stopping, both):
        StopRequest.objects.create(station=station, badge=badge, asked_at=now - timedelta(days=1))
    rows = caretaker.get(LIST).context["cl"].result_list
    assert {badge.id_tag: (now - badge.used_at).days for badge in rows} == {"A1": 1, "B2": 2, "C3": 1}
    assert numbers_in(caretaker.get(LIST, {"used": "never"})) == []
    assert numbers_in(caretaker.get(LIST, {"used": "not-month"})) == []


def test_deleting_stands_last_of_what_can_be_done_with_several(caretaker):
    Badge.objects.create(id_tag="A1")
    choices = [value for value, _name in caretaker.get(LIST).context["action_form"].fields["action"].choices]
    assert choices[-1] == "delete_selected"


def test_the_enter_key_saves_and_does_no_more(caretaker):
    page = caretaker.get(f"{LIST}add/").content.decode().partition('id="submit-row"')[2]
    assert re.findall(r'name="(_\w+)"', page)[0] == "_save"


def test_deleting_badges_says_what_it_means_and_keeps_what_they_stopped(caretaker, station):
    badge = Badge.objects.create(id_tag="5A", type="supervisor")
    StopRequest.objects.create(station=station, badge=badge, id_tag="5A", asked_at=timezone.now())
    several = {"action": "delete_selected", "_selected_action": [badge.pk]}
    for asked in (caretaker.get(f"{LIST}{badge.pk}/delete/"), caretaker.post(LIST, several)):
        assert "A car that charges with it goes on." in text_of(asked)
    caretaker.post(f"{LIST}{badge.pk}/delete/", {"post": "yes"})
    assert not Badge.objects.exists()
    assert "5A" in text_of(caretaker.get(STOPS)).partition("In the last seven days")[2]


def test_the_rule_is_said_and_edited_by_administrators(caretaker, client):
    assert "Everybody may charge" in text_of(caretaker.get(LIST))
    BadgeSettings.objects.update(access_rule="badge")
    shown = text_of(caretaker.get(LIST))
    assert "Badge required" in shown
    assert ("Show rule" in shown, "Edit rule" in shown) == (True, False)
    client.force_login(save_user(username="admin", role="administrator"))
    assert "Edit rule" in text_of(client.get(LIST))


# --- one badge


def test_a_badge_is_added_by_its_number_alone(caretaker):
    assert caretaker.post(f"{LIST}add/", {"id_tag": " a1b2c3 "}).url == LIST
    badge = Badge.objects.get()
    assert (badge.id_tag, badge.type, badge.is_active, badge.is_good_everywhere) == ("a1b2c3", "standard", True, True)


def test_a_number_is_typed_as_it_is_printed(caretaker):
    assert "maxlength" not in caretaker.get(f"{LIST}add/").content.decode().partition('name="id_tag"')[2][:200]
    caretaker.post(f"{LIST}add/", {"id_tag": "04:a1:b2:c3:d4:e5:f6:07:18:29"})
    assert Badge.objects.get().id_tag == "04a1b2c3d4e5f6071829"


def test_a_known_number_typed_as_it_is_printed_is_refused(caretaker):
    Badge.objects.create(id_tag="04A1B2C3")
    assert "has this number already" in text_of(caretaker.post(f"{LIST}add/", {"id_tag": "04 a1 b2 c3"}))


@pytest.mark.parametrize(
    ("number", "why"),
    [("A1B2C3", "has this number already (Pending)"), ("é1", "letters without accents"), ("x" * 21, "at most 20")],
)
def test_a_number_that_cannot_be_is_refused_at_its_field(caretaker, number, why):
    Badge.objects.create(id_tag="a1b2c3", type="pending")
    assert why in text_of(caretaker.post(f"{LIST}add/", {"id_tag": number}))
    assert Badge.objects.count() == 1


def test_a_number_that_another_reader_may_have_given_is_added_with_a_hint(caretaker):
    Badge.objects.create(id_tag="04A1B2C3D4E580", comment="Anna")
    (hint, _added) = said(caretaker.post(f"{LIST}add/", {"id_tag": "80E5D4C3B2A104"}))
    assert "looks like 04A1B2C3D4E580 (Anna)" in hint


def test_a_badge_is_good_for_the_chosen_stations(caretaker, station):
    badge = Badge.objects.create(id_tag="A1")
    entered = {"id_tag": "A1", "type": "standard", "is_active": "on", "expires_on": "2026-12-31"}
    refused = caretaker.post(f"{LIST}{badge.pk}/change/", entered)
    assert "it could charge nowhere" in text_of(refused)
    assert caretaker.post(f"{LIST}{badge.pk}/change/", {**entered, "stations": [station.pk]}).status_code == 302
    badge.refresh_from_db()
    assert (badge.is_good_everywhere, badge.expires_on) == (False, date(2026, 12, 31))
    assert list(badge.stations.all()) == [station]


def test_a_badge_that_waits_for_a_type_says_which_one_it_may_be(caretaker):
    badge = Badge.objects.create(id_tag="80E5D4C3B2A104", type="pending")
    Badge.objects.create(id_tag="04A1B2C3D4E580", comment="Anna")
    assert "It looks like 04A1B2C3D4E580 (Anna)" in text_of(caretaker.get(f"{LIST}{badge.pk}/change/"))


# --- several at once


def together(client, badges, **entered):
    chosen = {"action": "configure_together", "_selected_action": [badge.pk for badge in badges], "select_across": 0}
    return client.post(LIST, {**chosen, **entered})


@pytest.fixture
def two():
    return [Badge.objects.create(id_tag=number, comment=number, type="pending") for number in ("A1", "B2")]


def test_several_badges_get_what_is_ticked_and_keep_the_rest(caretaker, station, two):
    assert "A1 (A1), B2 (B2)" in text_of(together(caretaker, two))
    entered = {
        "apply": "",
        "set_type": "on",
        "type": "supervisor",
        "set_is_good_everywhere": "on",
        "stations": [station.pk],
        "comment": "all alike",
    }
    assert said(together(caretaker, two, **entered))[-1] == "2 badges changed."
    rows = Badge.objects.order_by("pk").values_list("type", "comment", "is_good_everywhere", "stations")
    assert list(rows) == [("supervisor", "A1", False, station.pk), ("supervisor", "B2", False, station.pk)]
    assert said(together(caretaker, two, **entered))[-1] == "0 badges changed."


def test_a_priority_is_given_to_several_badges_and_taken_from_one(caretaker, two):
    assert said(together(caretaker, two, apply="", set_priority="on", priority="3"))[-1] == "2 badges changed."
    assert set(Badge.objects.values_list("priority", flat=True)) == {3}
    entered = {"id_tag": "A1", "type": "standard", "is_active": "on", "is_good_everywhere": "on", "priority": ""}
    assert caretaker.post(f"{LIST}{two[0].pk}/change/", entered).status_code == 302
    assert list(Badge.objects.order_by("pk").values_list("priority", flat=True)) == [None, 3]


def test_ticking_a_switch_alone_bars_nobody(caretaker, two):
    page = together(caretaker, two).content.decode()
    switches = re.findall(r'<input[^>]*name="(?:is_active|is_good_everywhere)"[^>]*>', page)
    assert len(switches) == 2
    assert all("checked" in switch for switch in switches)


@pytest.mark.parametrize(
    ("entered", "why"),
    [
        ({"type": "supervisor"}, "Nothing is ticked"),
        ({"set_email": "on", "email": "nobody"}, "valid email"),
        ({"set_priority": "on", "priority": "40000"}, "less than or equal to 32767"),
        ({"set_is_good_everywhere": "on"}, "they could charge nowhere"),
        ({"set_type": "on", "type": "pending"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_changes_none_of_them(caretaker, two, entered, why):
    assert why in text_of(together(caretaker, two, apply="", **entered))
    assert set(Badge.objects.values_list("type", "email", "is_good_everywhere")) == {("pending", "", True)}


def test_too_many_badges_at_once_are_refused(caretaker, two, monkeypatch):
    monkeypatch.setattr("badges.badge_list.MOST_TOGETHER", 1)
    shown = text_of(together(caretaker, two, apply="", set_comment="on", comment="x"))
    assert "Choose 1 badges at most at a time." in shown
    assert not Badge.objects.filter(comment="x").exists()


# --- refused badges


def test_an_unknown_badge_that_was_refused_is_added_from_the_list(caretaker):
    Badge.objects.create(id_tag="B0", is_active=False)
    for number, reason in (("A1", "unknown"), ("b0", "inactive"), ("x" * 30, "unknown")):
        Refusal.objects.create(id_tag=number, station="Place 1", reason=reason)
    page = caretaker.get("/admin/badges/refusal/").content.decode()
    assert page.count("Add this badge") == page.count("Open the badge") == 1
    address = re.search(r'href="([^"]+)">Add this badge', page).group(1)
    assert 'value="A1"' in caretaker.get(address).content.decode()


def test_a_refused_badge_is_told_to_be_like_a_known_one(caretaker):
    Badge.objects.create(id_tag="04A1B2C3D4E580", comment="Anna")
    Refusal.objects.create(id_tag="80E5D4C3B2A104", station="Place 1", reason="unknown")
    assert "Looks like 04A1B2C3D4E580 (Anna)" in text_of(caretaker.get("/admin/badges/refusal/"))


# --- scanning


def test_a_scan_begins_at_chosen_stations_and_is_stopped(caretaker, station):
    assert "Choose the stations before which" in text_of(caretaker.post(SCAN, {"where": "chosen"}))
    assert not Scan.objects.exists()
    page = caretaker.post(SCAN, {"where": "chosen", "stations": [station.pk]}).url
    scan = Scan.objects.get()
    assert (scan.station_ids, scan.started_by.username) == ([station.pk], "paul")
    assert "At: CP1." in text_of(caretaker.get(page))
    assert "Badges are being scanned" in text_of(caretaker.get(LIST))
    assert caretaker.post(page).url == page
    assert "The scan has ended" in text_of(caretaker.get(page))


def test_the_page_of_a_scan_is_told_only_what_is_new(caretaker):
    scan = start_scan(station_ids=[], user=None)
    page, htmx = f"{SCAN}{scan.pk}/", {"HX-Request": "true"}
    state = re.search(r"\?state=([\d.]+)", caretaker.get(page).content.decode()).group(1)
    assert caretaker.get(page, {"state": state}, headers=htmx).status_code == 204
    note_scanned(scans=[scan], id_tag="A1", station="Place 1")
    fresh = caretaker.get(page, {"state": state}, headers=htmx)
    assert "A1 Place 1" in text_of(fresh)
    caretaker.logout()
    assert caretaker.get(page, headers=htmx).headers["HX-Redirect"] == f"/sign-in/?next={page}"


# --- the Supervisor


def test_who_manages_badges_chooses_which_car_a_supervisor_means(caretaker, station):
    badge, connector = Badge.objects.create(id_tag="5A", type="supervisor"), station.connectors.get()
    now = datetime.now(UTC)
    begun = Transaction.objects.create(connector=connector, id_tag="A1", meter_start_wh=0, started_at=now)
    wish = StopRequest.objects.create(station=station, badge=badge, asked_at=now, open_until=now + timedelta(minutes=9))
    assert "Choose which one is to stop" in text_of(caretaker.get(LIST))
    assert "Stop connector 1" in text_of(caretaker.get(STOPS))
    assert "Nothing was stopped" in said(caretaker.post(STOPS, {"request": wish.pk, "transaction": "x"}))[0]
    caretaker.post(STOPS, {"request": wish.pk, "transaction": begun.pk})
    assert Command.objects.get().payload == {"transactionId": begun.pk}
    shown = text_of(caretaker.get(STOPS))
    assert "The station was asked to end the charging." in shown
    assert "Nobody asks now." in shown
