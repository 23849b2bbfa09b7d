"""One station in the admin: its notices, its form, adding one by hand."""

import re

import pytest

from accounts.models import User
from stations.admin.station_form import power_in_words
from stations.models import Connector, Preconfiguration, Station

pytestmark = pytest.mark.django_db

LIST = "/admin/stations/station/"


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def add(identity="CP1", **values):
    station = Station.objects.create(identity=identity, **values)
    Connector.objects.create(station=station, number=1)
    return station


def page_of(admin, station):
    return admin.get(f"{LIST}{station.pk}/change/").content.decode()


def fields_of(admin, station):
    initial = admin.get(f"{LIST}{station.pk}/change/").context["adminform"].form.initial
    fields = {name: "" if value is None else value for name, value in initial.items()}
    return {**fields, "connectors-TOTAL_FORMS": 0, "connectors-INITIAL_FORMS": 0}


def added(admin, **entered):
    values = {"identity": "CP1", "phase_rotation": "L1", "max_current_a": 16, "min_current_a": 6, "priority": 0}
    return admin.post(f"{LIST}add/", {**values, **entered})


@pytest.mark.parametrize(
    ("current_a", "phases", "power"), [(16, 3, "11 kW"), (32, 3, "22 kW"), (16, 1, "3.7 kW"), (32, 1, "7.4 kW")]
)
def test_a_current_is_written_as_the_makers_write_its_power(current_a, phases, power):
    assert power_in_words(current_a, phases) == power


def test_a_pending_station_is_taken_into_service_from_its_page(admin):
    station = add()
    page = page_of(admin, station)
    assert "This station was found and is not in service yet" in page
    (address,) = re.findall(r'action="([^"]+/take-into-service/)"', page)
    assert admin.get(address).status_code == 405
    assert admin.post(address)["Location"] == f"{LIST}{station.pk}/change/"
    assert Station.objects.get().state == "configured"
    assert "is not in service yet" not in page_of(admin, station)


def test_a_full_edition_is_said_on_the_page_with_what_to_do(admin, settings):
    settings.EDITION = "XEM510"
    for number in range(10):
        add(f"old-{number}", state="configured")
    station = add()
    page = page_of(admin, station)
    assert "it takes 10 stations into service at most" in page
    assert "take-into-service" not in page
    answer = admin.post(f"{LIST}{station.pk}/take-into-service/", follow=True).content.decode()
    assert "Edition XEM510 has room for 0 more stations, 1 were chosen" in answer
    assert Station.objects.get(identity="CP1").state == "pending"


def test_who_may_only_look_takes_nothing_into_service(client):
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    station = add()
    assert client.post(f"{LIST}{station.pk}/take-into-service/").status_code == 403
    assert Station.objects.get().state == "pending"


def test_a_station_added_by_hand_is_in_service_and_says_what_to_enter_at_it(admin):
    answer = added(admin, name="Place 1", identity="FR*A 1")
    station = Station.objects.get()
    assert answer["Location"] == f"{LIST}{station.pk}/change/"
    assert (station.state, station.connectors.count()) == ("configured", 1)
    page = page_of(admin, station)
    assert "ws://testserver/ocpp/FR%2AA%201" in page
    assert "It has not connected yet" in page


def test_one_that_is_added_to_a_full_edition_waits_and_says_why(admin, settings):
    settings.EDITION = "XEM510"
    for number in range(10):
        add(f"old-{number}", state="configured")
    assert "A station that is added now waits." in admin.get(f"{LIST}add/").content.decode()
    added(admin)
    assert Station.objects.get(identity="CP1").state == "pending"
    assert "Edition XEM510 has room for 0 more stations" in admin.get(LIST).content.decode()


def test_a_password_made_with_a_station_is_shown_once_with_its_address(admin):
    page = added(admin, makes_password="on").content.decode()
    (password,) = re.findall(r"<code[^>]*>([0-9a-f]{40})</code>", page)
    assert "ws://testserver/ocpp/CP1" in page
    station = Station.objects.get()
    assert station.next_password_hash
    assert password not in page_of(admin, station)


def test_the_form_says_what_its_currents_make_and_what_the_station_falls_back_to(admin):
    station = add(max_current_a=16, phase_rotation="L2", standing_fail_safe_a=6.5, state="configured")
    page = page_of(admin, station)
    assert ">3.7 kW</output>" in page
    assert "The station holds 6.5 A per connector now." in page
    assert "At 0 A its cars stop when it hears nothing." in page
    assert 'value="16"' in page


def test_a_refused_profile_leads_to_the_page_where_it_is_made_possible(admin):
    station = add(state="configured")
    answer = admin.post(f"{LIST}{station.pk}/change/", {**fields_of(admin, station), "security_profile": 1})
    page = answer.content.decode()
    assert "The station has no password yet: set one first." in page
    assert f'href="{LIST}{station.pk}/security/">Security of this station</a>' in page


def test_what_a_connector_says_is_shown_in_words(admin):
    station = add(state="configured")
    refusal = "accepted but not obeyed, in any form: 16 A instead of 8 A"
    Connector.objects.update(error_code="GroundFailure", status="Faulted", refusal=refusal)
    page = page_of(admin, station)
    assert "earth fault" in page
    assert "It accepted the limit and does not keep it: 16 A &gt; 8 A." in page


def test_what_was_never_learned_takes_no_room_on_the_page(admin):
    assert "Limits are given as" not in page_of(admin, add())


def test_a_fail_safe_current_that_no_station_may_be_given_is_refused_at_its_field(admin):
    station = add(state="configured")
    answer = admin.post(f"{LIST}{station.pk}/change/", {**fields_of(admin, station), "fail_safe_a": "80.1"})
    assert answer.context["adminform"].form.errors["fail_safe_a"] == ["80 A at most: no station may be given more."]
    assert admin.post(f"{LIST}{station.pk}/change/", {**fields_of(admin, station), "fail_safe_a": "80"}).url == LIST


def test_what_is_learned_while_the_form_is_open_does_not_keep_it_from_being_saved(admin):
    station = add(state="configured")
    entered = {**fields_of(admin, station), "name": "Place 1"}
    Preconfiguration.objects.create(station=station)
    assert admin.post(f"{LIST}{station.pk}/change/", entered).status_code == 302
    station.refresh_from_db()
    assert station.name == "Place 1"
