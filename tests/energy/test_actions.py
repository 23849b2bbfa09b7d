"""What administrators do from the overview, and what visitors and users see of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AccessSettings, Change, User
from energy.dashboard import ROWS_SHOWN, compute_overview
from stations.commanding import note_sent, settle_command
from stations.models import Command, Station, Transaction
from stations.signals import decide_again
from tests.energy.overview_rows import add_connector

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def connector():
    connector = add_connector(status="Charging")
    Transaction.objects.create(connector=connector, id_tag="A", meter_start_wh=0, started_at=timezone.now())
    return connector


@pytest.fixture
def admin(client):
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})
    client.force_login(User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True))
    return client


def act(client, connector, action):
    return client.post(f"/places/{connector.pk}/{action}/").status_code


def test_stop_ends_the_transaction_that_runs_there(admin, connector):
    assert act(admin, connector, "stop") == 204
    (command,) = Command.objects.all()
    assert (command.action, command.payload) == (
        "RemoteStopTransaction",
        {"transactionId": connector.transactions.get().pk},
    )
    assert command.requested_by.username == "admin"


def test_a_charging_that_has_ended_meanwhile_is_not_stopped_again(admin, connector):
    Transaction.objects.update(stopped_at=timezone.now() + timedelta(seconds=1), meter_stop_wh=1)
    assert act(admin, connector, "stop") == 204
    assert not Command.objects.exists()


def test_unlock_names_the_connector(admin, connector):
    act(admin, connector, "unlock")
    assert [(row.action, row.payload) for row in Command.objects.all()] == [("UnlockConnector", {"connectorId": 1})]


def test_a_station_goes_first_and_back_in_turn_with_a_decision_and_on_record(
    admin, connector, django_capture_on_commit_callbacks
):
    wishes = []
    decide_again.connect(lambda **_: wishes.append(1), dispatch_uid="test", weak=False)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            act(admin, connector, "first")
        assert Station.objects.get().priority == 1
        assert wishes == [1]
    finally:
        decide_again.disconnect(dispatch_uid="test")
    assert Change.objects.order_by("-pk")[0].changes == {"priority": [0, 1]}
    assert "Back in turn" in admin.get("/").content.decode()
    act(admin, connector, "in-turn")
    assert Station.objects.get().priority == 0


def test_nothing_else_can_be_asked_for(admin, connector):
    assert act(admin, connector, "explode") == 404
    assert admin.post("/places/999999/stop/").status_code == 404


@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_who_is_no_administrator_can_neither_act_nor_sees_buttons(client, connector, role):
    client.force_login(User.objects.create(username="marie", role=role, is_staff=role == "advanced"))
    assert act(client, connector, "stop") == 403
    assert "/places/" not in client.get("/").content.decode()
    assert not Command.objects.exists()


def test_a_visitor_comes_to_the_sign_in_page(client, connector):
    assert act(client, connector, "stop") == 302
    assert "/places/" not in client.get("/").content.decode()


def test_the_name_of_a_place_leads_an_administrator_to_its_session(admin, connector):
    link = f"/admin/stations/transaction/{connector.transactions.get().pk}/change/"
    assert link in admin.get("/").content.decode()
    assert admin.get(link).status_code == 200


# --- the outcome


def outcome():
    return compute_overview(timezone.now()).sessions[0].at.outcome


def test_the_outcome_stands_beside_the_place_it_was_asked_of(admin, connector):
    add_connector("CP2", status="Charging")
    assert outcome() == ""
    act(admin, connector, "stop")
    assert outcome() == "Stop: waiting for the station"
    command = Command.objects.get()
    note_sent(command_id=command.pk)
    settle_command(command_id=command.pk, state="accepted", answer={"status": "Accepted"})
    assert outcome() == "Stop: Accepted"
    assert compute_overview(timezone.now()).places[0].outcome == ""
    act(admin, connector, "unlock")
    assert outcome() == "Unlock: waiting for the station"


def test_a_station_that_is_away_is_told_as_outcome(admin, connector):
    Station.objects.update(socket_id="")
    act(admin, connector, "unlock")
    assert outcome() == "Unlock: Not connected"


def test_an_outcome_is_shown_for_two_minutes(admin, connector):
    act(admin, connector, "unlock")
    Command.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    assert outcome() == ""


# --- places without a session


def test_a_free_place_leads_an_administrator_to_a_remote_start_there(admin):
    connector = add_connector(status="Available")
    link = f"/admin/stations/station/{connector.station_id}/send-command/RemoteStartTransaction/?connectorId=1"
    assert link in admin.get("/").content.decode()
    assert 'value="1" selected' in admin.get(link).content.decode()


def test_a_visitor_is_told_which_places_are_free(client):
    add_connector("CP1", status="Available")
    add_connector("CP2", status="Faulted")
    page = client.get("/").content.decode()
    assert "Place CP1" in page
    assert "Place CP2" not in page


def test_a_large_site_fills_no_page(admin):
    for number in range(ROWS_SHOWN + 5):
        add_connector(f"CP{number}")
    assert f"{ROWS_SHOWN} of {ROWS_SHOWN + 5} shown" in admin.get("/").content.decode()
