"""The audit trail as a whole: by which way a change came, and the page that shows it."""

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as product
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts.access import Token
from accounts.audit import record
from accounts.changes import lines_of
from accounts.models import Change, Role
from accounts.origin import note_request
from accounts.secrets import keyed_hash
from accounts.services import renew_token, save_user
from badges.models import Badge
from llm_site.site_file.apply import apply_site
from stations.commanding import request_command
from stations.models import Station
from stations.ocpp16.handshake import Offer
from stations.ocpp16.normalise import Boot
from stations.preconfiguration import restore_preconfiguration
from stations.security import make_password
from stations.services import admit_station, boot_station
from stations.setting_up import approve_stations

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def anna(client):
    user = save_user(username="anna", role="administrator")
    client.force_login(user)
    Change.objects.all().delete()
    return user


def entries():
    return [
        (change.object_repr, change.additional_data["who"], change.additional_data["way"], change.changes)
        for change in Change.objects.order_by("pk")
    ]


def test_no_middleware_turns_live_pages_into_threads():
    for path in product.MIDDLEWARE:
        assert path.startswith("whitenoise.") or import_string(path).async_capable, path


# --- by which way


def test_a_site_file_is_named_with_all_it_changes():
    apply_site(
        """
        installation: {fuse_a: 50}
        badges: [{id_tag: CAFE01, stations: [CP1]}, {id_tag: CAFE02}]
        stations: [{identity: CP1, badges: [CAFE02]}]
        users: [{username: marie, role: standard, password: Garage-2026, token: a-token-of-some-length-1234}]
        """
    )
    assert {way for _row, _who, way, _changes in entries()} == {"site_file"}
    kept = [(row, sorted(changes)) for row, _who, _way, changes in entries()]
    assert ("Installation", ["fuse_a"]) in kept
    assert kept.count(("CP1", ["badges"])) == 1
    assert {row for row, _names in kept} == {"Installation", "CP1", "CAFE01", "CAFE02", "marie"}
    before = len(kept)
    apply_site("users: [{username: marie, token: null}]")
    assert [row for row, *_ in entries()[before:]] == ["marie"]
    assert "a-token" not in str(entries())


def within(request, change):
    """Do a change while a request is answered."""
    return note_request(lambda _request: change())(request)


def test_a_site_file_on_a_page_names_the_user_too(rf, anna):
    request = rf.post("/site/")
    request.user = anna
    within(request, lambda: apply_site("installation: {fuse_a: 50}"))
    assert [entry[:3] for entry in entries()] == [("Installation", "anna", "site_file")]


def test_the_user_of_a_token_is_known(rf, anna):
    token = renew_token(username="anna")
    Change.objects.all().delete()
    request = rf.post("/api/stations")
    request.user = AnonymousUser()

    def change():
        Token(Role.ADMINISTRATOR).authenticate(request, token)
        Station.objects.create(identity="CP1")

    within(request, change)
    assert [entry[:3] for entry in entries()] == [("CP1", "anna", "api")]
    assert Change.objects.get().actor == anna


def test_an_async_view_is_named_too_and_what_comes_after_is_not(rf):
    async def view(_request):
        await Station.objects.acreate(identity="CP1")

    async_to_sync(note_request(view))(rf.post("/live/something"))
    Station.objects.create(identity="CP2")
    assert [entry[:3] for entry in entries()] == [("CP1", "", "page"), ("CP2", "", "itself")]


# --- what services change in many rows at once


def test_stations_taken_into_service_are_each_kept():
    stations = [Station.objects.create(identity=identity) for identity in ("CP1", "CP2")]
    Change.objects.all().delete()
    approve_stations(station_ids=[station.pk for station in stations])
    assert [(row, changes) for row, *_, changes in entries()] == [
        ("CP1", {"state": ["pending", "configured"]}),
        ("CP2", {"state": ["pending", "configured"]}),
    ]


def test_a_pre_configuration_that_begins_anew_is_kept_in_words():
    station = Station.objects.create(identity="CP1")
    restore_preconfiguration(station_ids=[station.pk])
    assert lines_of(Change.objects.order_by("-pk")[0]) == ["Its pre-configuration begins anew."]


def test_a_station_password_that_is_made_is_kept_and_not_shown():
    station = Station.objects.create(identity="CP1")
    password = make_password(station_id=station.pk)
    change = Change.objects.order_by("-pk")[0]
    station.refresh_from_db()
    assert lines_of(change) == ["New password: changed, not shown"]
    assert password not in str(change.changes)
    assert station.next_password_hash not in str(change.changes)


def test_a_station_that_raises_its_profile_or_serves_at_once_is_kept(settings):
    settings.ACCEPT_STATIONS = "auto"
    station = Station.objects.create(identity="CP1", password_hash=keyed_hash("secret"), wanted_security_profile=1)
    Change.objects.all().delete()
    admit_station(identity="CP1", offer=Offer(password=b"secret"), socket_id="web/1")
    boot_station(station_id=station.pk, boot=Boot("Acme", "One", "7", "1.0"))
    assert [entry[1:] for entry in entries()] == [
        ("", "itself", {"security_profile": [0, 1]}),
        ("", "itself", {"state": ["pending", "configured"]}),
    ]
    station.refresh_from_db()
    assert (station.security_profile, station.state, station.firmware_version) == (1, "configured", "1.0")


# --- the page


def listed(client, **query):
    page = client.get(reverse("admin:accounts_change_changelist"), query)
    assert page.status_code == 200
    return [change.object_repr for change in page.context["cl"].result_list]


@pytest.fixture
def kept(client, anna):  # noqa: ARG001 (signed in)
    """Keep a change by a user, one by a site file and one by nobody."""
    client.post(reverse("admin:badges_badge_add"), {"id_tag": "CAFE01", "type": "standard"}, REMOTE_ADDR="192.0.2.7")
    apply_site("installation: {fuse_a: 50}")
    Station.objects.create(identity="CP1")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["CP1", "Installation", "CAFE01"]),
        ({"who": "anna"}, ["CAFE01"]),
        ({"way": "site_file"}, ["Installation"]),
        ({"way": "itself"}, ["CP1"]),
        ({"q": "192.0.2.7"}, ["CAFE01"]),
        ({"q": "cafe"}, ["CAFE01"]),
        ({"q": "50"}, ["Installation"]),
        ({"q": "anna"}, ["CAFE01"]),
        ({"what": "none"}, []),
        ({"what": "9" * 30}, []),
        ({"timestamp__year": "1999"}, []),
    ],
)
def test_the_page_finds_changes_by_who_what_and_when(client, query, found):
    assert listed(client, **query) == found


@pytest.mark.usefixtures("kept")
def test_the_page_filters_by_what_was_changed(client):
    kind = Change.objects.get(object_repr="CP1").content_type_id
    assert listed(client, what=kind) == ["CP1"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Installation fuse (A): – → 50", "Site file", "anna"]),
        ("fr", ["Fichier de site", "anna"]),
        ("de", ["Standortdatei", "anna"]),
    ],
)
def test_the_list_reads_from_what_to_what_in_the_readers_language(client, language, words):
    page = client.get(reverse("admin:accounts_change_changelist"), headers={"accept-language": language})
    for word in words:
        assert word in page.content.decode()


@pytest.mark.usefixtures("anna")
def test_a_long_change_is_cut_in_the_list_and_whole_on_its_page(client):
    station = Station.objects.create(identity="CP1")
    record(station, {f"field_{number}": [0, number] for number in range(1, 8)})
    change = Change.objects.order_by("-pk")[0]
    text = client.get(reverse("admin:accounts_change_changelist")).content.decode()
    assert "Field_4: 0 → 4" in text
    assert "Field_5: 0 → 5" not in text
    assert "and 3 more" in text
    page = client.get(reverse("admin:accounts_change_change", args=[change.pk])).content.decode()
    assert "Field_7: 0 → 7" in page


@pytest.mark.usefixtures("anna")
def test_what_is_gone_is_named_without_a_link(client):
    badge = Badge.objects.create(id_tag="CAFE01")
    number = badge.pk
    badge.delete()
    text = client.get(reverse("admin:accounts_change_changelist")).content.decode()
    assert text.count("Badge: CAFE01") == 2
    assert text.count(f'href="/admin/badges/badge/{number}/change/"') == 1


@pytest.mark.usefixtures("anna")
def test_a_row_of_settings_is_named_by_its_kind(client):
    apply_site("dashboard: {access: restricted}")
    text = client.get(reverse("admin:accounts_change_changelist")).content.decode()
    assert ">Sign-in and overview</a>" in text


@pytest.mark.usefixtures("kept")
def test_more_changes_cost_no_more_queries(client, django_assert_max_num_queries):
    for number in range(20):
        Station.objects.create(identity=f"X{number}")
    with django_assert_max_num_queries(16):
        listed(client)


@pytest.mark.usefixtures("anna")
def test_the_commands_of_all_stations_are_in_one_list_with_who_asked(client, anna):
    station = Station.objects.create(identity="CP1")
    request_command(station=station, action="ClearCache", payload={}, user=anna)
    page = client.get(reverse("admin:stations_command_changelist"), {"q": "anna"}).content.decode()
    assert "ClearCache" in page
