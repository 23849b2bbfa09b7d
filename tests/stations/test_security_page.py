"""A station's security in the admin, its certificates and its events."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.secrets import keyed_hash
from stations import commanding
from stations.certificates import authority, issue_certificate
from stations.models import Certificate, Command, SecurityEvent, Station
from stations.ocpp16.blanking import HIDDEN
from tests.certificates import request_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


@pytest.fixture
def station():
    return Station.objects.create(identity="CP1", state="configured", password_hash=keyed_hash("old"), max_current_a=32)


def page(station):
    return reverse("admin:stations_station_security", args=[station.pk])


def press(admin, station, button, **fields):
    answer = admin.post(page(station), {button: "", **fields})
    command = Command.objects.first()
    return answer, command


def test_the_page_tells_how_a_station_is_secured(admin, station):
    issued = issue_certificate(station_id=station.pk, connection_profile=1, request=request_for("CP1"))
    shown = admin.get(page(station)).content.decode()
    assert "0: no security" in shown
    assert issued.serial_number in shown
    assert "3: TLS and client certificate" in shown


def test_a_new_password_is_told_to_the_station_and_to_nobody_else(
    admin, station, monkeypatch, django_capture_on_commit_callbacks
):
    published = []
    monkeypatch.setattr(commanding, "publish", published.append)
    Station.objects.update(socket_id="web/here")
    with django_capture_on_commit_callbacks(execute=True):
        answer, command = press(admin, station, "change_password")
    assert answer.url == f"{page(station)}?command={command.pk}"
    assert command.payload == {"key": "AuthorizationKey", "value": HIDDEN}
    (told,) = [message["payload"]["value"] for message in published if message["type"] == "stations.command"]
    station.refresh_from_db()
    assert station.next_password_hash == keyed_hash(told)
    assert admin.get(answer.url).headers["Refresh"] == "2"


def test_a_password_to_enter_by_hand_is_shown_once(admin, station):
    answer, _ = press(admin, station, "make_password")
    station.refresh_from_db()
    shown = answer.content.decode()
    (password,) = re.findall(r"<code[^>]*>([0-9a-f]{40})</code>", shown)
    assert station.next_password_hash == keyed_hash(password)
    assert "no-store" in answer.headers["Cache-Control"]
    assert password not in admin.get(page(station)).content.decode()


def test_the_root_certificate_is_installed_and_downloaded(admin, station):
    Station.objects.update(socket_id="web/here")
    _, command = press(admin, station, "install_root")
    root = authority().certificate_pem
    assert command.payload == {"certificateType": "CentralSystemRootCertificate", "certificate": root}
    answer = admin.get(reverse("admin:stations_certificate_download_root"))
    assert answer.content.decode() == root


def test_a_station_is_asked_for_a_request(admin, station):
    _, command = press(admin, station, "ask_for_request")
    assert command.payload == {"requestedMessage": "SignChargePointCertificate"}


def test_a_station_is_asked_to_raise_its_profile_where_it_can(admin, station):
    _, command = press(admin, station, "raise_profile", profile="1")
    assert command.payload == {"key": "SecurityProfile", "value": "1"}
    answer = admin.post(page(station), {"raise_profile": "", "profile": "2"}, follow=True)
    assert "No TLS is served" in answer.content.decode()
    assert Command.objects.count() == 1


@pytest.mark.parametrize("button", ["", "something"])
def test_what_no_button_stands_for_does_nothing(admin, station, button):
    assert admin.post(page(station), {button: ""}).status_code == 302
    assert not Command.objects.exists()


def test_the_page_is_for_administrators(client, station, settings):
    settings.ROLE_PERMISSIONS = {"advanced": ["stations.view_station", "stations.change_station"]}
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    assert client.get(page(station)).status_code == 403


def form_of(admin, station, **changes):
    """Save the station's form with a change; returns the answer."""
    address = reverse("admin:stations_station_change", args=[station.pk])
    initial = admin.get(address).context["adminform"].form.initial
    fields = {name: "" if value is None else value for name, value in initial.items()}
    management = {}
    for prefix in ("connectors", "preconfiguration", "progress", "commands"):
        management |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return admin.post(address, {**fields, **management, **changes})


def test_the_form_raises_the_profile_and_never_lowers_it(admin, station):
    assert form_of(admin, station, security_profile=1).status_code == 302
    refused = form_of(admin, station, security_profile=0)
    assert "can only be raised" in refused.content.decode()
    assert form_of(admin, station, name="Place 1").status_code == 302
    station.refresh_from_db()
    assert (station.security_profile, station.name) == (1, "Place 1")


def test_a_certificate_is_withdrawn_not_changed_or_deleted(admin, station):
    issued = issue_certificate(station_id=station.pk, connection_profile=1, request=request_for("CP1"))
    listed = reverse("admin:stations_certificate_changelist")
    assert issued.serial_number in admin.get(listed, {"q": "CP1"}).content.decode()
    assert admin.post(listed, {"action": "withdraw", "_selected_action": [issued.pk]}).status_code == 302
    assert Certificate.objects.get().state == "withdrawn"
    assert admin.post(reverse("admin:stations_certificate_delete", args=[issued.pk])).status_code == 403


def test_events_are_listed_filtered_and_searched_and_not_changed(admin, station):
    now = timezone.now()
    for kind in ("FirmwareUpdated", "SettingSystemTime"):
        SecurityEvent.objects.create(station=station, type=kind, at=now, received_at=now, tech_info=f"<{kind}>")
    listed = reverse("admin:stations_securityevent_changelist")
    shown = admin.get(listed, {"type": "FirmwareUpdated", "station__id__exact": station.pk}).content.decode()
    assert "&lt;FirmwareUpdated&gt;" in shown
    assert "&lt;SettingSystemTime&gt;" not in shown
    assert "&lt;SettingSystemTime&gt;" in admin.get(listed, {"q": "SettingSystem"}).content.decode()
    assert admin.get(reverse("admin:stations_securityevent_add")).status_code == 403


def test_a_station_goes_with_what_is_kept_of_it(admin, station):
    now = timezone.now()
    SecurityEvent.objects.create(station=station, type="FirmwareUpdated", at=now, received_at=now)
    issue_certificate(station_id=station.pk, connection_profile=1, request=request_for("CP1"))
    admin.post(reverse("admin:stations_station_delete", args=[station.pk]), {"post": "yes"})
    assert not Station.objects.exists()


def test_a_command_sent_by_hand_that_would_lower_the_profile_is_refused_at_its_form(admin, station):
    Station.objects.update(security_profile=1)
    address = reverse("admin:stations_station_operation", args=[station.pk, "ChangeConfiguration"])
    answer = admin.post(address, {"key": "SecurityProfile", "value": "0"})
    assert answer.status_code == 200
    assert "CP1: The security profile is 1 and can only be raised." in answer.content.decode()
    assert not Command.objects.exists()


def test_a_command_to_several_stations_names_the_one_it_would_lock_out_and_goes_to_none(admin, station):
    other = Station.objects.create(identity="CP2", state="configured")
    address = reverse("admin:stations_station_fleet_command", args=["ChangeConfiguration"])
    chosen = f"{address}?stations={station.pk},{other.pk}"
    answer = admin.post(chosen, {"key": "SecurityProfile", "value": "1"})
    assert "CP2: The station has no password yet" in answer.content.decode()
    assert not Command.objects.exists()
