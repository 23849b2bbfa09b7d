"""Circuits in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.signals import pre_delete
from django.utils import timezone

from accounts.models import User
from energy.circuits import branches
from energy.models import Allocation, Installation, Reading, TimeTableRow
from stations.models import Circuit, Connector, Station, Transaction

pytestmark = pytest.mark.django_db

LIST = "/admin/stations/circuit/"


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def circuit(name, limit_a=32, parent=None):
    return Circuit.objects.create(name=name, limit_l1_a=limit_a, limit_l2_a=limit_a, limit_l3_a=limit_a, parent=parent)


def station(identity, where, rotation, currents):
    made = Station.objects.create(identity=identity, state="configured", circuit=where, phase_rotation=rotation)
    l1, l2, l3 = currents
    Connector.objects.create(
        station=made, number=1, current_l1_a=l1, current_l2_a=l2, current_l3_a=l3, measured_at=timezone.now()
    )
    return made


def test_a_circuit_carries_what_its_own_stations_draw_and_those_further_in():
    outer = circuit("Basement")
    inner = circuit("Second basement", parent=outer)
    circuit("Attic")
    station("CP1", outer, "L2L3L1", (10, 6, 0))
    station("CP2", inner, "L3", (8, None, None))
    found = [(branch.circuit.name, branch.depth, branch.drawn_a, branch.stations) for branch in branches()]
    assert found == [
        ("Attic", 0, (0, 0, 0), 0),
        ("Basement", 0, (0, 10, 14), 1),
        ("Second basement", 1, (0, 0, 8), 1),
    ]


def tree_of(admin):
    """Fetch the picture alone, as the page does again and again; as one line of words."""
    page = admin.get(LIST, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_tree_shows_the_main_fuse_and_each_circuit_inside_what_feeds_it(admin):
    Installation.objects.create(fuse_a=63, derating_percent=20)
    Reading.objects.create(
        at=timezone.now(), grid_l1_a=40, grid_l2_a=0, grid_l3_a=0, charging_l1_a=12.5, charging_l2_a=0, charging_l3_a=0,
        limit_l1_a=23, limit_l2_a=50, limit_l3_a=50,
    )  # fmt: skip
    outer = circuit("Basement", 40)
    station("CP1", circuit("Second basement", 32, parent=outer), "L1", (12.5, None, None))
    station("CP2", None, "L1", (0, None, None))
    page = tree_of(admin)
    assert "Main fuse 63 A fuse 50.4 A usable" in page
    assert "Building 27.5 + Charging 12.5 of 50.4 A" in page
    assert "Charging 12.5 of 40 A" in page
    assert "Charging 12.5 of 32 A" in page
    found = [page.index(name) for name in ("Main fuse", "CP2", "Basement", "Second basement", "CP1")]
    assert found == sorted(found)


def test_the_tree_says_why_a_car_in_a_full_circuit_waits(admin):
    made = station("CP1", circuit("Basement", 8), "L1", (0, None, None))
    Station.objects.update(socket_id="open")
    connector = made.connectors.get()
    Connector.objects.update(status="SuspendedEVSE")
    Transaction.objects.create(connector=connector, id_tag="A", meter_start_wh=0, started_at=timezone.now())
    why = {"reason": "waiting", "reason_params": {"ahead": 1, "circuit": "Basement"}}
    Allocation.objects.create(connector=connector, decided_at=timezone.now(), limit_a=0, **why)
    assert "CP1 Held back waiting: circuit Basement is full, 1 ahead" in tree_of(admin)


def test_the_tree_marks_a_circuit_that_is_over_its_limit_in_words(admin):
    basement = circuit("Basement", 10)
    station("CP1", basement, "L2", (10, None, None))
    assert "Over" not in tree_of(admin)
    Connector.objects.update(current_l1_a=12)
    assert "Charging 12.0 of 10 A Over" in tree_of(admin)


def test_the_tree_counts_with_the_limit_that_the_time_table_sets(admin):
    basement = circuit("Basement", 32)
    row = {"days": list(range(7)), "begins": "00:00", "ends": "00:00"}
    TimeTableRow.objects.create(circuit=basement, limit_a=40, **row)
    assert "of 32 A" in tree_of(admin)
    assert "Time table" not in tree_of(admin)
    TimeTableRow.objects.update(limit_a=16)
    assert "Basement Time table: 16 A" in tree_of(admin)
    assert "Charging 0.0 of 16 A" in tree_of(admin)


def test_the_tree_names_a_dozen_places_of_a_circuit_and_counts_the_others(admin):
    basement = circuit("Basement")
    for number in range(15):
        station(f"CP{number:02}", basement, "L1", (0, None, None))
    page = tree_of(admin)
    assert "15 stations" in page
    assert "CP11" in page
    assert "CP12" not in page
    assert "and 3 more places" in page


def test_the_tree_leads_to_the_stations_of_each_fuse(admin):
    basement = circuit("Basement")
    station("CP1", basement, "L1", (0, None, None))
    station("CP2", None, "L1", (0, None, None))
    links = re.findall(r'href="(/admin/stations/station/[^"]*circuit__[^"]+)"', admin.get(LIST).content.decode())
    found = [[row.identity for row in admin.get(link).context["cl"].result_list] for link in links]
    assert found == [["CP2"], ["CP1"]]


def test_the_tree_says_what_all_stations_together_have_where_a_fixed_current_is_shared(admin):
    Installation.objects.create(mode="static", fuse_a=63, static_limit_a=48)
    circuit("Basement")
    assert "Maximum per phase 48 A" in tree_of(admin)


def test_a_circuit_above_the_one_it_lies_in_is_named_under_the_tree(admin):
    circuit("Second basement", 50, parent=circuit("Basement", 40))
    warning = "Second basement: Above the 40 A of Basement, in which it lies: those count on L1."
    assert warning in admin.get(LIST).content.decode()


def test_without_circuits_the_page_says_what_they_are_for(admin):
    assert "Circuits are needed only where" in admin.get(LIST).content.decode()


def test_a_limit_above_the_outer_one_is_saved_with_a_warning_and_shown_at_its_field(admin):
    outer, inner = circuit("Basement", 32), circuit("Second basement", 20)
    address = f"{LIST}{inner.pk}/change/"
    entered = {"name": "Second basement", "parent": outer.pk, "limit_l1_a": 40, "limit_l2_a": 20, "limit_l3_a": 20}
    warning = "Above the 32 A of Basement, in which it lies: those count on L1."
    assert warning in admin.post(address, entered, follow=True).content.decode()
    assert Circuit.objects.get(name="Second basement").limit_l1_a == 40
    assert warning in admin.get(address).content.decode()


def test_a_circuit_cannot_be_put_into_one_that_lies_in_it(admin):
    outer = circuit("Basement")
    inner = circuit("Second basement", parent=circuit("First", parent=outer))
    address = f"{LIST}{outer.pk}/change/"
    choices = re.search(r'<select name="parent".*?</select>', admin.get(address).content.decode(), re.DOTALL)[0]
    assert "Second basement" not in choices
    entered = {"name": "Basement", "parent": inner.pk, "limit_l1_a": 32, "limit_l2_a": 32, "limit_l3_a": 32}
    refused = admin.post(address, entered)
    assert refused.context["adminform"].form.errors["parent"] == [
        "That circuit lies in Basement itself, or is deleted. Choose another one, or none."
    ]
    assert Circuit.objects.get(name="Basement").parent is None


def test_a_circuit_with_something_in_it_is_kept_and_says_what(admin):
    outer = circuit("Basement")
    circuit("Second basement", parent=outer)
    made = station("CP1", outer, "L1", (0, None, None))
    address = f"{LIST}{outer.pk}/delete/"
    page = admin.post(address).content.decode()
    assert f'href="/admin/stations/station/{made.pk}/change/"' in page
    assert "Second basement" in page
    assert Circuit.objects.count() == 2


def test_an_empty_circuit_is_deleted(admin):
    attic = circuit("Attic")
    assert "what cars may draw does not change" in admin.get(f"{LIST}{attic.pk}/delete/").content.decode()
    assert admin.post(f"{LIST}{attic.pk}/delete/")["Location"] == LIST
    assert not Circuit.objects.exists()
    assert admin.get(f"{LIST}{attic.pk}/delete/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_circuit_into_which_a_station_comes_while_it_is_deleted_stays_and_says_so(admin):
    attic, made = circuit("Attic"), station("CP1", None, "L1", (0, None, None))

    def come(**_signal):
        Station.objects.update(circuit=attic)

    pre_delete.connect(come, sender=Circuit)
    try:
        answer = admin.post(f"{LIST}{attic.pk}/delete/")
    finally:
        pre_delete.disconnect(come, sender=Circuit)
    assert answer.url == f"{LIST}{attic.pk}/delete/"
    Station.objects.filter(pk=made.pk).update(circuit=attic)
    assert f"/admin/stations/station/{made.pk}/change/" in admin.get(answer.url).content.decode()
    assert not LogEntry.objects.exists()


def test_the_tree_is_shown_to_those_who_may_see_circuits(client):
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    assert client.get(LIST, headers={"HX-Request": "true"}).status_code == 403


def test_circuits_are_deleted_by_those_who_may(client):
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    attic = circuit("Attic")
    assert client.post(f"{LIST}{attic.pk}/delete/").status_code == 403
    assert Circuit.objects.exists()
