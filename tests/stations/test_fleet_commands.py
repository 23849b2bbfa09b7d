"""One command to several stations, from their list in the admin."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.models import User
from stations.commanding import note_sent, settle_command, withdraw_commands
from stations.models import Command, CommandState, Connector, Station
from stations.ocpp16.operations import OPERATIONS

pytestmark = pytest.mark.django_db

PAGES = "/admin/stations/station/send-commands/"


@pytest.fixture
def administrator(client):
    client.force_login(User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def stations():
    created = [Station.objects.create(identity=f"CP{number}", socket_id="elsewhere/1") for number in (1, 2, 3)]
    for station in created:
        Connector.objects.create(station=station, number=1)
    Connector.objects.create(station=created[0], number=2)
    return created


def query_of(stations):
    return "?stations=" + ",".join(str(station.pk) for station in stations)


def send(administrator, stations, operation="Reset", entered=None):
    """Send a command to stations; returns the address of the page that follows them."""
    answer = administrator.post(f"{PAGES}{operation}/{query_of(stations)}", entered or {"type": "Soft"})
    assert answer.status_code == 302
    return answer["Location"]


def test_the_way_from_the_list_to_the_outcome(administrator, stations):
    chosen = {"action": "send_to_chosen", "_selected_action": [station.pk for station in stations[:2]]}
    choice = administrator.post("/admin/stations/station/", chosen)["Location"]
    assert parse_qs(urlsplit(choice).query) == {"stations": [f"{stations[0].pk},{stations[1].pk}"]}
    shown = administrator.get(choice).content.decode()
    assert "2 stations: CP1, CP2" in shown
    form = re.search(rf'href="({PAGES}Reset/[^"]*)"', shown)[1]
    assert "2 stations: CP1, CP2" in administrator.get(form).content.decode()
    outcome = administrator.post(form, {"type": "Hard"})["Location"]
    assert [(command.station.identity, command.payload) for command in Command.objects.order_by("pk")] == [
        ("CP1", {"type": "Hard"}),
        ("CP2", {"type": "Hard"}),
    ]
    assert "Finished: 0 of 2" in administrator.get(outcome).content.decode()


def test_the_outcomes_are_looked_for_again_until_the_last_is_there(administrator, stations):
    outcome = send(administrator, stations[:2])
    first, second = Command.objects.order_by("pk")
    note_sent(command_id=first.pk)
    settle_command(command_id=first.pk, state=CommandState.ACCEPTED, answer={})
    part = administrator.get(outcome, headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part
    assert "Finished: 1 of 2" in part
    assert "every 2s" in part
    settle_command(command_id=second.pk, state=CommandState.NOT_CONNECTED, error_text="CP2 is not connected")
    part = administrator.get(outcome, headers={"hx-request": "true"}).content.decode()
    assert "Finished: 2 of 2" in part
    assert "Not connected" in part
    assert "CP2 is not connected" not in part  # stored in English
    assert "every 2s" not in part


def test_what_was_not_sent_yet_can_be_stopped(administrator, stations):
    outcome = send(administrator, stations)
    on_the_wire = Command.objects.order_by("pk").first()
    note_sent(command_id=on_the_wire.pk)
    assert "id='stop'" in administrator.get(outcome).content.decode()
    shown = administrator.post(outcome, follow=True).content.decode()
    assert shown.count("Withdrawn") == 2
    assert "id='stop'" not in shown
    on_the_wire.refresh_from_db()
    assert on_the_wire.state == CommandState.SENT
    for command in Command.objects.exclude(pk=on_the_wire.pk):
        assert not note_sent(command_id=command.pk)


def test_stopping_leaves_the_commands_of_others_alone(administrator, stations):
    send(administrator, stations[:1])
    mine = Command.objects.get()
    send(administrator, stations[1:])
    assert withdraw_commands(command_ids=[mine.pk]) == 1
    assert Command.objects.filter(state=CommandState.QUEUED).count() == 2


def test_a_station_that_is_away_does_not_hold_up_the_others(administrator, stations):
    Station.objects.filter(pk=stations[1].pk).update(socket_id="")
    send(administrator, stations)
    states = Command.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["queued", "not_connected", "queued"]


def test_what_does_not_fit_is_sent_to_nobody(administrator, stations):
    answer = administrator.post(f"{PAGES}Reset/{query_of(stations)}", {"type": "Gently"})
    assert "type" in answer.context["form"].errors
    assert not Command.objects.exists()


def test_the_payload_can_be_json_here_too(administrator, stations):
    address = f"{PAGES}Reset/{query_of(stations)}"
    form = administrator.get(address)
    assert form.context["json_url"].endswith("&json")
    administrator.post(f"{address}&json", {"payload": '{"type": "Soft"}'})
    assert Command.objects.filter(payload={"type": "Soft"}).count() == 3


def test_every_connector_that_one_of_them_has_is_offered_once(administrator, stations):
    form = administrator.get(f"{PAGES}UnlockConnector/{query_of(stations)}").context["form"]
    assert [value for value, _label in form.fields["connectorId"].choices] == [1, 2]


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"RemoteStopTransaction"}))
def test_every_other_operation_has_its_form(administrator, stations, operation):
    assert administrator.get(f"{PAGES}{operation}/{query_of(stations)}").status_code == 200


@pytest.mark.parametrize(
    "address",
    ["", "?stations=", "?stations=x,-1,²,99999999999999999999", "Reset/?stations=0", "outcome/", "outcome/?commands=7"],
)
@pytest.mark.usefixtures("stations")
def test_an_address_without_rows_is_not_found(administrator, address):
    assert administrator.get(PAGES + address).status_code == 404


@pytest.mark.parametrize("operation", ["RemoteStopTransaction", "BootNotification"])
def test_what_several_stations_cannot_be_asked_has_no_page(administrator, stations, operation):
    assert administrator.get(f"{PAGES}{operation}/{query_of(stations)}").status_code == 404
    assert f"{PAGES}{operation}/" not in administrator.get(PAGES + query_of(stations)).content.decode()


def test_only_an_administrator_sends_to_several(client, stations, settings):
    settings.ROLE_PERMISSIONS = {"advanced": ["stations.view_station", "stations.change_station"]}
    client.force_login(User.objects.create(username="advanced", role="advanced", is_staff=True))
    for address in (query_of(stations), f"Reset/{query_of(stations)}", "outcome/?commands=1"):
        assert client.get(PAGES + address).status_code == 403
        assert client.post(PAGES + address, {"type": "Soft"}).status_code == 403
    shown = client.get("/admin/stations/station/").content.decode()
    assert "CP1" in shown
    assert "send_to_chosen" not in shown
    assert not Command.objects.exists()
