"""The REST API: who may read what, filters, pages, and its own description."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import renew_token
from badges.models import Badge
from energy.means import roll_up
from energy.models import Allocation, Installation, Meter, Reading
from stations.models import BadgeList, Circuit, Connector, LocalList, Preconfiguration, Station, Transaction
from stations.ocpp16.operations import OPERATIONS

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
FOR_ALL = ["stations", "stations/CP1", "connectors", "installation", "readings", "reading-means", "allocations"]
FOR_ADVANCED = ["badges", "transactions", "transactions/1"]
FOR_ADMINISTRATORS = ["stations/CP1/commands"]


class Api:
    """A program with the token of a user."""

    def __init__(self, role):
        User.objects.create(username=role, role=role)
        self.headers = {"authorization": f"Bearer {renew_token(username=role)}"}
        self.client = Client(headers=self.headers)

    def get(self, path, **parameters):
        query = {name.rstrip("_"): value for name, value in parameters.items()}
        return self.client.get(f"/api/{path}", query)

    def items(self, path, **parameters):
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.content
        return answer.json()["items"]


@pytest.fixture(autouse=True)
def garage():
    circuit = Circuit.objects.create(name="North", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    station = Station.objects.create(identity="CP1", name="Place 1", circuit=circuit, state="configured")
    other = Station.objects.create(identity="CP2")
    badge = Badge.objects.create(id_tag="CAFE01", comment="Emma Petit")
    station.badges.add(badge)
    for place in (station, other):
        connector = Connector.objects.create(station=place, number=1, status="Charging", current_l1_a=9.5)
        for hour in range(3):
            begun = NOON + timedelta(hours=hour)
            Transaction.objects.create(
                connector=connector,
                id_tag="CAFE01" if hour else "BEEF02",
                badge=badge if hour else None,
                meter_start_wh=1000,
                started_at=begun,
                meter_stop_wh=1300,
                stopped_at=begun + timedelta(minutes=30),
            )
        Allocation.objects.create(connector=connector, decided_at=NOON, limit_a=16, reason="station_maximum")
        Allocation.objects.create(
            connector=connector,
            decided_at=NOON + timedelta(hours=1),
            limit_a=0,
            reason="waiting",
            reason_params={"ahead": 2},
        )
    for second in range(5):
        lines = {f"{name}_l{line}_a": 10.0 for name in ("grid", "charging", "limit") for line in (1, 2, 3)}
        Reading.objects.create(at=NOON + timedelta(seconds=second), state="operational", **lines)
    return station


# --- who may


@pytest.mark.parametrize("path", FOR_ALL + FOR_ADVANCED + FOR_ADMINISTRATORS)
def test_without_a_token_nothing_is_told(client, path):
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["message"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        ("standard", FOR_ALL),
        ("advanced", FOR_ALL + FOR_ADVANCED),
        ("administrator", FOR_ALL + FOR_ADVANCED + FOR_ADMINISTRATORS),
    ],
)
def test_a_role_reads_what_is_its_own_and_no_more(role, paths):
    number = Transaction.objects.order_by("pk").first().pk
    api = Api(role)
    for path in FOR_ALL + FOR_ADVANCED + FOR_ADMINISTRATORS:
        answer = api.get(path.replace("transactions/1", f"transactions/{number}"))
        assert answer.status_code == (200 if path in paths else 403), path
        if path not in paths:
            assert f"{role} has {role}" in answer.json()["message"]


def test_a_standard_user_reads_no_badge_number_anywhere():
    api = Api("standard")
    for path in FOR_ALL:
        assert b"CAFE01" not in api.get(path).content


@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_only_an_administrator_sends_commands(garage, role):
    api = Api(role)
    answer = api.client.post("/api/stations/CP1/commands", {"action": "ClearCache"}, content_type="application/json")
    assert answer.status_code == 403
    assert not garage.commands.exists()


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_token_is_told_how_to_get_a_good_one(client, token):
    answer = client.get("/api/stations", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "manage.py api_token" in answer.json()["message"]


def test_the_token_of_a_user_who_is_not_active_opens_nothing():
    api = Api("administrator")
    User.objects.update(is_active=False)
    assert api.get("stations").status_code == 401


def test_a_new_token_ends_the_old_one():
    api = Api("standard")
    out = StringIO()
    call_command("api_token", "standard", stdout=out)
    assert api.get("stations").status_code == 401
    renewed = Client(headers={"authorization": f"Bearer {out.getvalue().strip()}"})
    assert renewed.get("/api/stations").status_code == 200
    assert out.getvalue().strip() not in User.objects.get().api_token_hash


def test_a_token_for_nobody_is_refused():
    with pytest.raises(CommandError, match="there is no user 'nobody'"):
        call_command("api_token", "nobody")


def test_a_signed_in_browser_reads_with_its_session(client):
    client.force_login(User.objects.create(username="standard"))
    assert client.get("/api/stations").status_code == 200
    assert client.get("/api/badges").status_code == 403


def test_a_signed_in_browser_sends_commands_only_with_its_csrf_token():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create(username="admin", role="administrator"))

    def send(**headers):
        body = {"action": "ClearCache"}
        return browser.post("/api/stations/CP1/commands", body, content_type="application/json", headers=headers)

    answer = send()
    assert (answer.status_code, "X-CSRFToken" in answer.json()["message"]) == (403, True)
    page = browser.get("/api/docs").content.decode()
    token = re.search(r'data-csrf-token="(\w+)"', page)[1]
    assert send(**{"x-csrftoken": token}).status_code == 409


def test_a_token_needs_no_csrf_token():
    api = Api("administrator")
    program = Client(enforce_csrf_checks=True, headers=api.headers)
    answer = program.post("/api/stations/CP1/commands", {"action": "ClearCache"}, content_type="application/json")
    assert answer.status_code == 409


def test_without_a_broker_no_command_is_taken(settings):
    nowhere = {"hosts": ["unix:///nowhere/redis.sock"]}
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": nowhere}
    }
    client = Api("administrator").client
    answer = client.post("/api/stations/CP1/commands", {"action": "ClearCache"}, content_type="application/json")
    assert answer.status_code == 503
    assert "nothing was sent" in answer.json()["message"]


def test_a_temporary_password_must_be_changed_first(client):
    client.force_login(User.objects.create(username="admin", role="administrator", must_change_password=True))
    answer = client.get("/api/stations")
    assert (answer.status_code, answer.json()["message"]) == (403, "Change the temporary password first: /password/")


# --- what is told


def test_a_station_is_told_with_its_connectors():
    station = Api("standard").get("stations/CP1").json()
    assert (station["name"], station["circuit"], station["is_connected"]) == ("Place 1", "North", False)
    assert [(connector["number"], connector["current_l1_a"]) for connector in station["connectors"]] == [(1, 9.5)]


def keep_list(station, **values):
    """Let a station hold a list of one badge."""
    BadgeList.objects.get_or_create(digest="one", defaults={"entries": [["CAFE01", "Accepted", ""]], "size": 1})
    kept = Preconfiguration.objects.create(station=station)
    return LocalList.objects.create(preconfiguration=kept, wanted_id="one", version=7, **values)


def test_a_station_is_told_with_its_list_of_badges():
    api = Api("standard")
    assert api.get("stations/CP1").json()["local_list"] is None
    kept = keep_list(Station.objects.get(identity="CP1"), left_out=2, held_at=NOON)
    told = {"is_supported": True, "version": 7, "left_out": 2, "error": ""}
    unknown = {"badges": None, "since": None, "is_current": False}
    assert api.get("stations/CP1").json()["local_list"] == told | unknown
    LocalList.objects.filter(pk=kept.pk).update(held="one", is_checked=True)
    current = {"badges": 1, "since": "2026-01-05T12:00:00Z", "is_current": True}
    assert api.get("stations/CP1").json()["local_list"] == told | current


def test_more_stations_cost_no_more_queries(django_assert_num_queries):
    api = Api("standard")
    api.get("installation")  # a first request also makes the rows there is one of
    with CaptureQueriesContext(connection) as few:
        assert [station["identity"] for station in api.get("stations").json()] == ["CP1", "CP2"]
    for number in range(3, 9):
        connector = Connector.objects.create(station=Station.objects.create(identity=f"CP{number}"), number=1)
        keep_list(connector.station, held_id="one")
    with django_assert_num_queries(len(few)):
        assert len(api.get("stations").json()) == 8


def test_the_connectors_of_one_station_can_be_asked_for():
    api = Api("standard")
    assert [connector["station"] for connector in api.get("connectors").json()] == ["CP1", "CP2"]
    assert [connector["station"] for connector in api.get("connectors", station="CP2").json()] == ["CP2"]


def test_times_have_a_zone_and_energy_its_unit():
    (transaction,) = Api("advanced").items("transactions", station="CP1", limit=1)
    assert (transaction["started_at"], transaction["energy_wh"]) == ("2026-01-05T14:00:00Z", 300)
    assert (transaction["station"], transaction["badge_comment"]) == ("CP1", "Emma Petit")


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 6),
        ({"station": "CP1"}, 3),
        ({"station": "CP9"}, 0),
        ({"badge": "cafe01"}, 4),
        ({"badge": "BEEF02", "station": "CP2"}, 1),
        ({"from_": "2026-01-05T13:00:00Z"}, 4),
        ({"from_": "2026-01-05T14:00:00+01:00", "to": "2026-01-05T14:00:00Z"}, 2),
        ({"to": "2026-01-05T13:00:00Z"}, 2),
    ],
)
def test_transactions_are_filtered(parameters, count):
    answer = Api("advanced").get("transactions", **parameters).json()
    assert (answer["count"], len(answer["items"])) == (count, count)


def test_pages_follow_each_other_without_a_gap():
    api = Api("advanced")
    pages = [api.get("transactions", limit=4, offset=offset).json() for offset in (0, 4, 8)]
    numbers = [entry["id"] for page in pages for entry in page["items"]]
    assert [len(page["items"]) for page in pages] == [4, 2, 0]
    assert len(set(numbers)) == 6
    assert {page["count"] for page in pages} == {6}


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"from_": "2026-01-05T13:00:00"}, "from: expected a time with its zone"),
        ({"to": "yesterday"}, "to: expected a time such as "),
        ({"limit": 1001}, "limit: expected 1000 or less"),
        ({"limit": 0}, "limit: expected 1 or more"),
        ({"limit": "all"}, "limit: expected a whole number"),
        ({"from_": "0001-01-01T00:00:00+10:00"}, "from: expected a time within the years 1 to 9999"),
        ({"to": "9999-12-31T23:59:59-10:00"}, "to: expected a time within the years 1 to 9999"),
        ({"offset": -1}, "offset: "),
        ({"offset": 10**30}, "offset: "),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(parameters, complaint):
    answer = Api("advanced").get("transactions", **parameters)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(complaint)


@pytest.mark.parametrize(
    "path", ["connectors?station=%00", "transactions?station=a%00", "transactions?badge=%00", "allocations?station=%00"]
)
def test_a_filter_with_a_nul_is_refused(path):
    answer = Api("advanced").get(path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["message"]


def test_readings_are_told_of_a_period_the_newest_first():
    items = Api("standard").items("readings", from_="2026-01-05T12:00:01Z", to="2026-01-05T12:00:04Z")
    assert [item["at"][-3:-1] for item in items] == ["03", "02", "01"]
    assert items[0]["limit_l3_a"] == 10.0


def test_means_of_readings_are_told_by_their_length():
    roll_up(now=NOON + timedelta(hours=1))
    api = Api("standard")
    assert {item["span_s"] for item in api.items("reading-means")} == {60, 900}
    (quarter,) = api.items("reading-means", span_s=900, from_="2026-01-05T12:00:00Z")
    assert (quarter["begins_at"], quarter["limit_l3_a"]) == ("2026-01-05T12:00:00Z", 10.0)


def test_allocations_are_told_with_their_reason_in_words():
    api = Api("standard")
    items = api.items("allocations", station="CP1")
    assert [(item["limit_a"], item["reason_text"]) for item in items] == [
        (0, "waiting: 2 ahead"),
        (16, "station maximum"),
    ]
    assert [item["reason"] for item in api.items("allocations", connector=1, to="2026-01-05T12:30:00Z")] == [
        "station_maximum",
        "station_maximum",
    ]
    assert api.items("allocations", connector=2) == []
    assert len(api.items("allocations", from_="2026-01-05T12:30:00Z")) == 2


def test_badges_are_told_with_the_stations_that_name_them():
    (badge,) = Api("advanced").items("badges")
    assert (badge["id_tag"], badge["comment"], badge["stations"]) == ("CAFE01", "Emma Petit", ["CP1"])


def test_the_installation_is_told_with_its_meter():
    Installation.objects.create(fuse_a=63)
    Meter.objects.create(model="eastron_sdm630", url="tcp://192.168.1.20:502")
    told = Api("standard").get("installation").json()
    assert (told["fuse_a"], told["usable_a"], told["is_configured"]) == (63, 50.4, True)
    assert (told["meter"]["model"], told["meter"]["is_present"]) == ("eastron_sdm630", True)


@pytest.mark.parametrize(
    ("path", "message"),
    [("stations/CP9", "there is no station 'CP9'"), ("transactions/999999", "there is no transaction 999999")],
)
def test_what_is_not_there_is_said_so(path, message):
    answer = Api("advanced").get(path)
    assert (answer.status_code, answer.json()) == (404, {"message": message})


# --- its description


def test_the_openapi_document_names_every_operation_and_what_it_may_answer(client):
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    command = document["paths"]["/api/stations/{identity}/commands"]["post"]
    assert set(command["responses"]) == {"200", "404", "409", "422", "502", "504"}
    assert document["components"]["schemas"]["CommandIn"]["properties"]["action"]["enum"] == sorted(OPERATIONS)
    assert set(document["components"]["securitySchemes"]) == {"Token", "SignedIn"}


def test_the_page_to_try_it_takes_nothing_from_another_host(client):
    page = client.get("/api/docs").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 3
    assert all(address.startswith("/static/ninja/") for address in addresses)
    assert '"validatorUrl": null' in page
