"""The list of stations in the admin, and what is done from it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from badges.models import Badge
from stations.models import Circuit, Connector, Frame, Preconfiguration, Station, Transaction
from tests.stations.machine import stand_at

pytestmark = pytest.mark.django_db

LIST = "/admin/stations/station/"


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def add(identity, connectors=1, **values):
    station = Station.objects.create(identity=identity, **values)
    for number in range(1, connectors + 1):
        Connector.objects.create(station=station, number=number)
    return station


def shown(admin, address=LIST, **query):
    answer = admin.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(page):
    """Return the text of each row of the list."""
    found = re.findall(r'<tr class="data-row.*?</tr>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


def act(admin, action, *stations):
    return admin.post(LIST, {"action": action, "_selected_action": [station.pk for station in stations]})


def test_an_empty_list_says_which_address_to_enter_at_a_station(admin):
    page = shown(admin)
    assert "No station yet" in page
    assert "ws://testserver/ocpp/" in page
    assert "nothing here yet" not in page


def fields_of_the_form_with(button, page):
    """Return what the form of a button would send, without its token."""
    form = page[page.rindex("<form", 0, page.index(button)) : page.index(button)]
    entered = re.findall(r'<input name="(_?\w+)" type="hidden" value="(\w+)"', form)
    return {name: [value for other, value in entered if other == name] for name, _value in entered}


def test_those_that_wait_are_taken_into_service_with_one_button(admin):
    waiting = [add("CP1"), add("CP2")]
    out = add("CP3", state="not_usable")
    fields = fields_of_the_form_with("Take all 2 into service", shown(admin))
    assert fields == {"action": ["approve"], "_selected_action": [str(station.pk) for station in waiting]}
    admin.post(LIST, fields)
    assert {*Station.objects.filter(state="configured")} == {*waiting}
    assert "into service" not in shown(admin)[: shown(admin).index("changelist-form")]
    assert Station.objects.get(pk=out.pk).state == "not_usable"


def test_more_stations_than_the_edition_takes_are_to_be_chosen(admin, settings):
    settings.EDITION = "XEM510"
    for number in range(11):
        add(f"CP{number}")
    page = shown(admin)
    assert "Tick those that are to serve" in page
    assert "Take all" not in page


def test_at_the_machine_itself_the_list_and_a_new_station_name_its_addresses_in_the_network(admin, monkeypatch):
    stand_at(monkeypatch, "192.168.1.2", "10.0.0.2")
    for path in (LIST, f"{LIST}{Station.objects.create(identity='CP1').pk}/change/"):
        page = admin.get(path, headers={"host": "127.0.0.1:8000"}).content.decode()
        assert "ws://192.168.1.2:8000/ocpp/" in page
        assert "ws://10.0.0.2:8000/ocpp/" in page
        assert "127.0.0.1" not in page
    stand_at(monkeypatch)
    page = admin.get(LIST, headers={"host": "127.0.0.1:8000"}).content.decode()
    assert "This page was opened under an address of this machine alone" in page


def test_who_waits_comes_first_and_the_others_by_name(admin):
    for name in ("Place 10", "Place 2"):
        add(name.replace(" ", "-"), name=name, state="configured")
    add("new", state="pending")
    first, second, third = rows(shown(admin))
    assert ("new" in first, "Place 2" in second, "Place 10" in third) == (True, True, True)
    assert "1 station waits to be taken into service" in shown(admin)


def test_a_row_tells_state_connection_circuit_and_limit(admin):
    basement = Circuit.objects.create(name="Basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    now = timezone.now()
    twin = add(
        "CP1",
        connectors=2,
        state="configured",
        host_name="hager-evcs-1",
        circuit=basement,
        socket_id="web/1",
        last_seen_at=now - timedelta(minutes=2, seconds=10),
    )
    Connector.objects.filter(station=twin).update(accepted_limit_a=13.5)
    Transaction.objects.create(connector=twin.connectors.get(number=2), id_tag="A", meter_start_wh=0, started_at=now)
    (row,) = rows(shown(admin))
    for part in ("hager-evcs-1", "CP1", "L1L2L3", "Configured", "Connected, heard 2 min ago", "Basement", "2: 13.5 A"):
        assert part in row
    assert "1: 13.5 A" not in row


def test_a_station_that_is_not_usable_says_why(admin, settings):
    add("CP1", state="not_usable")
    assert "Taken out of service, or came while the edition was full" in rows(shown(admin))[0]
    settings.EDITION = "XEM510"
    for number in range(10):
        add(f"old-{number}", state="configured")
    page = shown(admin)
    assert "Edition full: 10 stations at most" in page
    assert "The edition XEM510 is full" in page


def test_the_list_is_filtered_by_state_connection_and_circuit(admin):
    basement = Circuit.objects.create(name="Basement", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    add("here", socket_id="web/1", state="configured")
    add("away", circuit=basement)
    for query in ({"connected": "no"}, {"state__exact": "pending"}, {"circuit__id__exact": basement.pk}):
        (row,) = rows(shown(admin, **query))
        assert "away" in row
    assert len(rows(shown(admin, connected="yes"))) == 1
    assert "Nothing fits the search and the filters." in shown(admin, q="nowhere")


def test_the_list_costs_as_many_queries_for_twenty_stations_as_for_one(admin, django_assert_max_num_queries):
    for number in range(20):
        add(f"CP{number}", state="configured", socket_id="web/1")
    shown(admin)
    with django_assert_max_num_queries(22):
        shown(admin)


def test_the_reason_why_stations_are_not_usable_is_looked_up_once(admin, settings, django_assert_max_num_queries):
    settings.EDITION = "XEM510"
    for number in range(20):
        add(f"CP{number}", state="not_usable")
    shown(admin)
    with django_assert_max_num_queries(24):
        shown(admin)


def test_stations_go_out_of_service_and_back(admin):
    station = add("CP1", state="configured")
    act(admin, "take_out", station)
    assert Station.objects.get().state == "not_usable"
    act(admin, "approve", station)
    assert Station.objects.get().state == "configured"


def together(admin, *stations):
    return act(admin, "configure_together", *stations)["Location"]


def test_several_are_configured_together_after_a_preview(admin):
    first, second, third = (add(f"CP{number}", name=f"Place {number}") for number in (1, 2, 3))
    badge = Badge.objects.create(id_tag="A1")
    Station.objects.filter(pk=second.pk).update(max_current_a=16, takes_all_badges=False)
    second.badges.add(badge)
    address = together(admin, first, second)
    page = shown(admin, address)
    assert "2 stations: Place 1, Place 2" in page
    assert "Select value" not in page  # the admin's own words are English alone
    entered = {
        "set_max_current_a": "on",
        "max_current_a": "16",
        "set_takes_all_badges": "on",
        "set_badges": "on",
        "badges": [badge.pk],
        "phase_rotation": "L3",
        "priority": "nonsense",
    }
    preview = admin.post(address, {**entered, "preview": ""}).content.decode()
    assert "1 of 2 would change." in preview
    assert Station.objects.get(pk=first.pk).max_current_a == 32
    assert admin.post(address, {**entered, "apply": ""})["Location"] == LIST
    changed = Station.objects.get(pk=first.pk)
    assert (changed.max_current_a, changed.phase_rotation, changed.priority) == (16, "L1L2L3", 0)
    assert (changed.takes_all_badges, list(changed.badges.all())) == (False, [badge])
    assert Station.objects.get(pk=third.pk).max_current_a == 32


@pytest.mark.parametrize(
    ("entered", "error"),
    [
        ({}, "Nothing is ticked"),
        ({"set_max_current_a": "on", "max_current_a": "10"}, "CP1: The maximum must not be below the minimum."),
        ({"set_min_current_a": "on", "min_current_a": "5"}, "greater than or equal to 6"),
        ({"set_max_current_a": "on"}, "This field is required."),
    ],
)
def test_settings_that_do_not_go_are_refused_for_all(admin, entered, error):
    station = add("CP1", min_current_a=16)
    page = admin.post(together(admin, station), {**entered, "apply": ""}).content.decode()
    assert "Nothing was changed." in page
    assert error in page
    assert (Station.objects.get().min_current_a, Station.objects.get().max_current_a) == (16, 32)


def test_pending_ones_are_taken_into_service_with_their_settings_where_the_edition_has_room(admin, settings):
    settings.EDITION = "XEM510"
    for number in range(9):
        add(f"old-{number}", state="configured")
    chosen = [add("CP1"), add("CP2")]
    entered = {"takes_into_service": "on", "apply": ""}
    refused = admin.post(together(admin, *chosen), entered).content.decode()
    assert "has room for 1 more stations, 2 were chosen" in refused
    admin.post(together(admin, chosen[0]), entered)
    assert Station.objects.get(identity="CP1").state == "configured"


def test_deleting_says_what_it_means_and_keeps_a_running_transaction_until_it_may_end(admin):
    station = add("CP1", state="configured", socket_id="web/1", name="Place 1")
    now = timezone.now()
    Transaction.objects.create(connector=station.connectors.get(), id_tag="A", meter_start_wh=0, started_at=now)
    address = f"{LIST}{station.pk}/delete/"
    page = shown(admin, address)
    for part in ("1 charging session is kept", "1 car charges here now", "1 station is connected"):
        assert part in page
    assert "Nothing was deleted" in admin.post(address).content.decode()
    assert Station.objects.exists()
    assert admin.post(address, {"ends_running": "on"})["Location"] == LIST
    assert not Station.objects.exists()
    assert "Place 1 · 1 (deleted)" in shown(admin, "/admin/stations/transaction/", q="Place 1")


def test_several_are_deleted_from_the_list(admin):
    first, second = add("CP1"), add("CP2")
    page = act(admin, "delete_chosen", first, second)["Location"]
    assert "No charging session was recorded here." in shown(admin, page)
    admin.post(page)
    assert not Station.objects.exists()


@pytest.mark.parametrize("path", ["configure-together/?stations={}", "delete-stations/?stations={}", "{}/delete/"])
def test_the_pages_that_change_stations_are_for_those_who_may(client, path):
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    address = LIST + path.format(add("CP1").pk)
    assert client.get(address).status_code == 403
    assert client.post(address, {"apply": "", "takes_into_service": "on"}).status_code == 403
    assert Station.objects.get().state == "pending"


def test_messages_are_filtered_by_station(admin):
    for identity in ("CP1", "CP2"):
        Frame.objects.create(station=add(identity), number=1, at_s=0, is_incoming=True, text=f"<{identity}>")
    page = shown(admin, "/admin/stations/frame/", station__id__exact=Station.objects.get(identity="CP2").pk)
    assert "&lt;CP2&gt;" in page
    assert "&lt;CP1&gt;" not in page
    assert "By charging station" in page


def test_a_wiring_that_the_station_says_otherwise_is_marked_and_can_be_entered(admin):
    station = add("CP1", state="configured")
    reported = {"ConnectorPhaseRotation": ["1.STR", False]}
    Preconfiguration.objects.create(station=station, reported=reported)
    assert "says L2L3L1" in rows(shown(admin))[0]
    assert "1 station says that its phases are wired otherwise than entered" in shown(admin)
    act(admin, "take_rotation", station)
    assert "wired otherwise" not in shown(admin)
    (row,) = rows(shown(admin))
    assert ("L2L3L1" in row, "says" in row) == (True, False)


def test_what_stations_say_of_their_wiring_is_entered_with_one_button(admin):
    add("CP3")
    stating = [add("CP1"), add("CP2")]
    for station in stating:
        reported = {"ConnectorPhaseRotation": ["0.STR,1.STR", False]}
        Preconfiguration.objects.create(station=station, reported=reported)
    fields = fields_of_the_form_with("Enter the phase rotations that all 2 say", shown(admin))
    assert fields == {"action": ["take_rotation"], "_selected_action": [str(station.pk) for station in stating]}
    admin.post(LIST, fields)
    assert "wired otherwise" not in shown(admin)
