"""The pages of the admin that send a command to one station."""

import html
import json
import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from badges.models import Badge
from stations.admin.command_form import field_at
from stations.commanding import note_sent, request_command, settle_command
from stations.models import Command, CommandState, Connector, Preconfiguration, Station, Transaction
from stations.ocpp16.blanking import HIDDEN
from stations.ocpp16.operations import OPERATIONS

pytestmark = pytest.mark.django_db

SETTINGS = [
    {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
    {"key": "AuthorizationKey", "readonly": False, "value": "s3cret"},
    {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
]


@pytest.fixture
def administrator(client):
    client.force_login(User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def station():
    created = Station.objects.create(identity="CP1", name="Place 1", socket_id="elsewhere/1")
    for number in (1, 2):
        Connector.objects.create(station=created, number=number)
    return created


def url_of(station, action=""):
    return f"/admin/stations/station/{station.pk}/send-command/{action + '/' if action else ''}"


def page(administrator, address, **headers):
    answer = administrator.get(address, headers=headers)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def form_of(administrator, station, action, query=""):
    answer = administrator.get(url_of(station, action) + query)
    return answer.context["form"]


def choices_of(form, name):
    return [value for value, _label in form.fields[name].choices]


def running(station, connector=1):
    return Transaction.objects.create(
        connector=station.connectors.get(number=connector),
        id_tag="04AABB",
        meter_start_wh=0,
        started_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
    )


def answered(station, action, payload=None, answer=None, state=CommandState.ACCEPTED):
    command = request_command(station=station, action=action, payload=payload or {}, user=None)
    note_sent(command_id=command.pk)
    settle_command(command_id=command.pk, state=state, answer=answer or {})
    return command


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_every_operation_has_a_page_and_takes_its_json(administrator, station, action):
    assert action in page(administrator, url_of(station, action))
    shown = administrator.get(url_of(station, action) + "?json").context["form"]
    payload = shown["payload"].initial
    sent = administrator.post(url_of(station, action) + "?json", {"payload": json.dumps(payload)})
    assert sent.status_code == 302
    assert Command.objects.get().payload == payload


def test_what_is_entered_is_sent_and_its_outcome_shown(administrator, station):
    answer = administrator.post(url_of(station, "Reset"), {"type": "Hard"}, follow=True)
    command = Command.objects.get()
    assert (command.action, command.payload, command.requested_by.username) == ("Reset", {"type": "Hard"}, "admin")
    assert answer.redirect_chain == [(f"{url_of(station, 'Reset')}?command={command.pk}#outcome", 302)]
    assert "Waiting for the station" in answer.content.decode()


def test_who_asked_stays_on_record_when_the_user_is_deleted(administrator, station):
    sent = administrator.post(url_of(station, "Reset"), {"type": "Hard"})
    User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator")
    User.objects.get(username="admin").delete()
    administrator.force_login(User.objects.get(username="eve"))
    assert "· admin" in page(administrator, sent.url)
    assert "admin" in page(administrator, "/admin/stations/command/?q=admin")
    assert (Command.objects.get().requested_by, Command.objects.get().requester) == (None, "admin")


def test_a_station_that_is_away_is_the_outcome_at_once(administrator, station):
    Station.objects.update(socket_id="")
    shown = administrator.post(url_of(station, "ClearCache"), follow=True).content.decode()
    assert "Not connected" in shown
    assert "CP1 is not connected" not in shown  # stored in English
    assert "every 2s" not in shown


def test_the_outcome_is_looked_for_again_until_it_is_there(administrator, station):
    command = request_command(station=station, action="GetLocalListVersion", payload={}, user=None)
    address = f"{url_of(station, 'GetLocalListVersion')}?command={command.pk}"
    assert f'hx-get="{address}"' in page(administrator, address)
    part = page(administrator, address, hx_request="true")
    assert "<html" not in part
    assert "outcome-state" not in part
    note_sent(command_id=command.pk)
    settle_command(command_id=command.pk, state=CommandState.ACCEPTED, answer={"listVersion": 7})
    part = page(administrator, address, hx_request="true")
    assert "every 2s" not in part
    assert re.search(r"#outcome-state.*>Accepted<", part)
    assert re.search(r"listVersion</dt>\s*<dd[^>]*>7<", part)


def test_the_last_command_of_an_operation_is_shown_without_asking_for_it(administrator, station):
    answered(station, "Reset", {"type": "Soft"}, {"status": "Rejected"}, CommandState.REJECTED)
    answered(station, "ClearCache")
    assert "Rejected" in page(administrator, url_of(station, "Reset"))
    assert "not sent to this station yet" in page(administrator, url_of(station, "GetLocalListVersion"))


def test_the_configuration_is_a_table_with_a_way_to_change_what_may_be_changed(administrator, station):
    answered(station, "GetConfiguration", answer={"configurationKey": SETTINGS, "unknownKey": ["Colour"]})
    shown = page(administrator, url_of(station, "GetConfiguration"))
    rows = re.findall(r"<tr.*?</tr>", shown[shown.index('id="settings"') :], re.DOTALL)[1:]
    assert [re.search(r'scope="row">(\w+)<', row)[1] for row in rows] == [
        "AuthorizationKey",
        "HeartbeatInterval",
        "NumberOfConnectors",
    ]
    change = url_of(station, "ChangeConfiguration")
    assert f'href="{change}?key=AuthorizationKey"' in rows[0]
    assert HIDDEN in rows[0]
    assert f'href="{change}?key=HeartbeatInterval&value=60"' in rows[1]
    assert "read only" in rows[2]
    assert "href" not in rows[2]
    assert "Colour" in shown


@pytest.mark.parametrize(
    "answer",
    [
        {"configurationKey": "none"},
        {"configurationKey": [1, {"value": "x"}]},
        {"configurationKey": None},
        {},
        {"a": [1]},
    ],
)
def test_an_answer_of_any_form_can_be_shown(administrator, station, answer):
    answered(station, "GetConfiguration", answer=answer)
    page(administrator, url_of(station, "GetConfiguration"))
    page(administrator, url_of(station, "ChangeConfiguration"))


def test_values_in_the_address_are_filled_in(administrator, station):
    form = form_of(administrator, station, "ChangeConfiguration", "?key=HeartbeatInterval&value=60")
    assert 'value="HeartbeatInterval"' in str(form["key"])
    assert 'value="60"' in str(form["value"])


@pytest.mark.parametrize(
    ("action", "offered"),
    [
        ("UnlockConnector", [1, 2]),
        ("ChangeAvailability", [0, 1, 2]),
        ("ReserveNow", [0, 1, 2]),
        ("TriggerMessage", ["", 1, 2]),
        ("RemoteStartTransaction", ["", 1, 2]),
    ],
)
def test_the_connectors_are_those_of_the_station(administrator, station, action, offered):
    assert choices_of(form_of(administrator, station, action), "connectorId") == offered


def test_a_connector_the_station_does_not_have_is_refused(administrator, station):
    answer = administrator.post(url_of(station, "UnlockConnector"), {"connectorId": "3"})
    assert "connectorId" in answer.context["form"].errors
    assert not Command.objects.exists()


def test_the_running_transactions_are_offered_to_be_stopped(administrator, station):
    transaction = running(station, connector=2)
    form = form_of(administrator, station, "RemoteStopTransaction")
    assert choices_of(form, "transactionId") == [transaction.pk]
    assert "connector 2, badge 04AABB" in str(form["transactionId"])
    administrator.post(url_of(station, "RemoteStopTransaction"), {"transactionId": str(transaction.pk)})
    assert Command.objects.get().payload == {"transactionId": transaction.pk}


def test_without_a_running_transaction_its_number_can_be_typed(administrator, station):
    administrator.post(url_of(station, "RemoteStopTransaction"), {"transactionId": "77"})
    assert Command.objects.get().payload == {"transactionId": 77}


def test_known_badges_and_keys_are_suggested(administrator, station):
    Badge.objects.create(id_tag="04AABB")
    Badge.objects.create(id_tag="04CCDD", is_active=False)
    Preconfiguration.objects.create(station=station, reported={"LightIntensity": ["100", False]})
    answered(station, "GetConfiguration", answer={"configurationKey": SETTINGS})
    badges = form_of(administrator, station, "ReserveNow").suggestions
    assert badges == {"idTag": ["04AABB"]}
    keys = form_of(administrator, station, "ChangeConfiguration").suggestions["key"]
    assert keys == ["AuthorizationKey", "HeartbeatInterval", "LightIntensity", "NumberOfConnectors"]
    assert '<option value="04AABB">' in page(administrator, url_of(station, "RemoteStartTransaction"))


@pytest.mark.parametrize(
    ("action", "name"),
    [("ReserveNow", "reservationId"), ("GetLog", "requestId"), ("SendLocalList", "listVersion")],
)
def test_the_next_free_number_is_filled_in(administrator, station, action, name):
    assert form_of(administrator, station, action).initial[name] == 1
    request_command(station=station, action=action, payload={**OPERATIONS[action], name: 41}, user=None)
    assert form_of(administrator, station, action).initial[name] == 42


def test_the_last_reservation_is_the_one_to_cancel(administrator, station):
    request_command(
        station=station, action="ReserveNow", payload={**OPERATIONS["ReserveNow"], "reservationId": 5}, user=None
    )
    assert form_of(administrator, station, "CancelReservation").initial["reservationId"] == 5


def test_a_time_is_filled_in_that_makes_sense(administrator, station):
    until = form_of(administrator, station, "ReserveNow").initial["expiryDate"]
    assert 3000 < (until - timezone.now()).total_seconds() <= 3600
    download = form_of(administrator, station, "UpdateFirmware").initial["retrieveDate"]
    assert download <= timezone.now()


def test_what_is_entered_as_json_starts_from_the_example_or_from_nothing(administrator, station):
    profile = str(form_of(administrator, station, "SetChargingProfile")["csChargingProfiles"])
    assert (
        json.loads(html.unescape(re.search(r">(.*)</textarea>", profile, re.DOTALL)[1]))
        == (OPERATIONS["SetChargingProfile"]["csChargingProfiles"])
    )
    assert "null" not in str(form_of(administrator, station, "RemoteStartTransaction")["chargingProfile"])
    administrator.post(url_of(station, "RemoteStartTransaction"), {"idTag": "04AABB", "chargingProfile": ""})
    assert Command.objects.get().payload == {"idTag": "04AABB"}


def test_an_example_of_words_is_shown_but_not_sent(administrator, station):
    location = str(form_of(administrator, station, "GetDiagnostics")["location"])
    assert 'placeholder="ftp://192.168.1.2/logs/"' in location
    assert "value=" not in location


def test_a_complaint_of_the_schema_stands_at_its_field(administrator, station):
    entered = {"connectorId": "1", "csChargingProfiles": '{"chargingProfileId": "one"}'}
    answer = administrator.post(url_of(station, "SetChargingProfile"), entered)
    assert list(answer.context["form"].errors) == ["csChargingProfiles"]
    assert "Nothing was sent." in answer.content.decode()
    assert not Command.objects.exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (["log", "remoteLocation"], "log.remoteLocation"),
        (["profile", "schedule", 0, "limit"], "profile"),
        (["other"], None),
        ([], None),
    ],
)
def test_a_complaint_finds_the_field_of_its_place(path, name):
    assert field_at(path, {"log.remoteLocation", "profile"}) == name


@pytest.mark.parametrize(
    "payload", ['{"type": "Gently"}', "[1]", "no JSON", "{}", '{"type": ["Soft"]}', '{"type": "\\u0000"}']
)
def test_json_that_does_not_fit_is_refused_on_the_page(administrator, station, payload):
    answer = administrator.post(url_of(station, "Reset") + "?json", {"payload": payload})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["payload"]
    assert not Command.objects.exists()


def test_a_character_no_database_keeps_is_refused_on_the_page(administrator, station):
    entered = {"payload": '{"vendorId": "com.example", "data": "a\\u0000b"}'}
    answer = administrator.post(url_of(station, "DataTransfer") + "?json", entered)
    assert list(answer.context["form"].errors) == ["payload"]
    assert not Command.objects.exists()


def test_what_comes_of_it_is_said_with_the_cars_that_charge(administrator, station):
    assert "as if power were cut" in page(administrator, url_of(station, "Reset"))
    assert "here now" not in page(administrator, url_of(station, "Reset"))
    running(station)
    assert "1 car charges here now." in page(administrator, url_of(station, "Reset"))


def test_the_stations_page_has_the_tools_and_its_last_commands(administrator, station):
    answered(station, "GetLocalListVersion")
    shown = page(administrator, f"/admin/stations/station/{station.pk}/change/")
    assert "GetLocalListVersion" in shown
    for action in ("", "RemoteStartTransaction", "Reset", "UpdateFirmware"):
        assert f'href="{url_of(station, action)}"' in shown
    everything = page(administrator, url_of(station))
    for action in OPERATIONS:
        assert f'href="{url_of(station, action)}"' in everything


@pytest.mark.parametrize("action", ["", "Reset", "GetLog"])
def test_only_an_administrator_reaches_the_pages(client, station, action):
    client.force_login(User.objects.create(username="advanced", role="advanced", is_staff=True))
    assert client.get(url_of(station, action)).status_code == 403
    assert client.get(url_of(station, action), headers={"hx-request": "true"}).status_code == 403
    assert client.post(url_of(station, action), {"type": "Soft"}).status_code == 403
    assert not Command.objects.exists()


@pytest.mark.parametrize("address", ["send-command/BootNotification/", "send-command/Nothing/"])
def test_what_a_central_system_cannot_ask_has_no_page(administrator, station, address):
    assert administrator.get(f"/admin/stations/station/{station.pk}/{address}").status_code == 404


def test_a_station_that_does_not_exist_has_no_page(administrator):
    assert administrator.get("/admin/stations/station/99/send-command/Reset/").status_code == 404
    assert administrator.get("/admin/stations/station/x/send-command/").status_code == 404


def test_a_command_of_another_station_is_not_shown(administrator, station):
    other = Station.objects.create(identity="CP2")
    command = request_command(station=other, action="Reset", payload={"type": "Soft"}, user=None)
    assert "not sent to this station yet" in page(administrator, f"{url_of(station, 'Reset')}?command={command.pk}")


def test_a_number_that_no_row_can_have_is_passed_over(administrator, station):
    number = "9" * 5000
    answered(station, "ClearCache")
    assert administrator.get(url_of(station, "ClearCache"), {"command": number}).status_code == 200
    assert administrator.get(f"/admin/stations/station/{station.pk}/security/", {"command": number}).status_code == 200
    address = reverse("admin:stations_station_test_fail_safe", args=[station.pk])
    for name in ("connector", "stop"):
        assert administrator.post(address, {name: number}).status_code == 302
