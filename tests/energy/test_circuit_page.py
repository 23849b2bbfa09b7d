"""Circuits in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.signals import pre_delete
from django.utils import timezone

from accounts.models import User
from energy.circuits import branches
from energy.models import Installation
from stations.models import Circuit, Connector, Station

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


def test_the_tree_is_drawn_against_the_fuse_with_its_figures_in_words(admin):
    Installation.objects.create(fuse_a=63)
    outer = circuit("Basement", 40)
    circuit("Second basement", 50, parent=outer)
    station("CP1", outer, "L1", (12.5, None, None))
    page = admin.get(LIST).content.decode()
    assert "the fuse of the installation, 63 A" in page
    assert "12.5 of 40 A" in page
    assert "lies in Basement" in page
    assert "Above the 40 A of Basement, in which it lies: those count on L1." in page


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
    assert admin.post(address, entered).status_code == 200
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


def test_circuits_are_deleted_by_those_who_may(client):
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    attic = circuit("Attic")
    assert client.post(f"{LIST}{attic.pk}/delete/").status_code == 403
    assert Circuit.objects.exists()
