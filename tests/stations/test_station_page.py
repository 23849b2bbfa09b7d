"""What the admin shows of a station's pre-configuration, and its restoring."""

import pytest
from django.db.models.signals import pre_save
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from stations import preconfiguration
from stations.models import BadgeList, Connector, LocalList, Preconfiguration, Station

pytestmark = pytest.mark.django_db

CAN = {
    "SupportedFeatureProfiles": ["Core,SmartCharging", True],
    "ChargingScheduleAllowedChargingRateUnit": ["Current", True],
    "ConnectorPhaseRotation": ["1.STR", False],
}
PROVEN = {"proven": ["TxProfile", "A", "Relative", 0], "failed": [], "is_exhausted": False}
EXHAUSTED = {"proven": None, "failed": [], "is_exhausted": True}


@pytest.fixture
def admin(client):
    client.force_login(User.objects.create(username="eve", is_staff=True, is_superuser=True, role="administrator"))
    return client


def station(**values):
    created = Station.objects.create(identity="CP1", state="configured")
    Connector.objects.create(station=created, number=1)
    Preconfiguration.objects.create(station=created, **{"read_at": timezone.now(), "reported": CAN, **values})
    return created


def page(admin, shown):
    answer = admin.get(reverse("admin:stations_station_change", args=[shown.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_form_that_works_and_the_abilities_are_shown(admin):
    shown = page(admin, station(ladders={"live": PROVEN}))
    assert "TxProfile, A, Relative, stackLevel 0" in shown
    assert "Limits in A" in shown
    assert "L2L3L1" in shown
    assert "Not tried yet." in shown


def test_a_station_without_smart_charging_is_said_to_be_beyond_limits(admin):
    assert "Cannot be limited: no SmartCharging." in page(
        admin, station(reported={"SupportedFeatureProfiles": ["Core", True]})
    )


def test_a_station_that_took_no_form_is_said_to_be_beyond_limits(admin):
    assert "every form of charging profile was refused" in page(admin, station(ladders={"live": EXHAUSTED}))


def test_a_form_that_the_station_accepts_and_does_not_keep_is_shown_as_such(admin):
    kept = {**PROVEN, "disobeyed": [PROVEN["proven"]]}
    assert "TxProfile, A, Relative, stackLevel 0: accepted but not obeyed" in page(
        admin, station(ladders={"live": kept})
    )


def test_how_far_updates_and_uploads_have_come_is_shown(admin):
    shown = station()
    shown.progress.create(kind="firmware", status="Downloading", at=timezone.now())
    answer = page(admin, shown)
    assert "Downloading" in answer
    assert "Firmware" in answer


def test_settings_are_shown_with_what_came_of_them(admin):
    tried = [["MeterValueSampleInterval", "10", "Accepted"], ["WebSocketPingInterval", "30", "Rejected"]]
    shown = page(admin, station(tried=tried))
    assert "MeterValueSampleInterval = 10" in shown
    assert "WebSocketPingInterval = 30: Rejected" in shown


def test_restoring_forgets_and_tells_the_process_that_holds_the_socket(
    admin, monkeypatch, django_capture_on_commit_callbacks
):
    published = []
    monkeypatch.setattr(preconfiguration, "publish", published.append)
    chosen = station()
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin.post(
            reverse("admin:stations_station_changelist"), {"action": "restore", "_selected_action": [chosen.pk]}
        )
    assert answer.status_code == 302
    assert not Preconfiguration.objects.exists()
    assert {"type": "stations.onboard", "station_ids": [chosen.pk]} in published


def with_list(**values):
    shown = station(reported={"SupportedFeatureProfiles": ["LocalAuthListManagement", True]})
    BadgeList.objects.create(digest="three", entries=[], size=3)
    LocalList.objects.create(preconfiguration=shown.preconfiguration, wanted_id="three", version=7, **values)
    return shown


def test_the_list_of_badges_is_shown_with_what_it_lacks(admin):
    shown = page(admin, with_list(held_id="three", held_at=timezone.now(), left_out=2, is_checked=True))
    assert "Badges on it: 3; version 7, since" in shown
    assert "2 badges do not fit" in shown


def test_a_refused_list_and_a_silent_station_are_shown(admin):
    shown = page(admin, with_list(error="Full: Failed", unanswered=3))
    assert "Not known yet." in shown
    assert "Full: Failed<br>it does not answer" in shown


def test_a_list_under_way_is_not_up_to_date(admin):
    assert "not up to date" in page(admin, with_list(target_id="three"))


def test_a_station_that_keeps_no_list_says_so(admin):
    assert "None: it keeps no list." in page(admin, station())


def test_a_station_that_refused_the_message_keeps_no_list(admin):
    shown = page(admin, with_list(is_supported=False, error="SendLocalList: NotSupported"))
    assert "None: it keeps no list." in shown
    assert "SendLocalList: NotSupported" in shown


def test_the_list_can_be_sent_anew(admin):
    chosen = with_list(held_id="three", is_checked=True, refusals=2, error="Full: Failed", unanswered=3)
    admin.post(reverse("admin:stations_station_changelist"), {"action": "send_list", "_selected_action": [chosen.pk]})
    kept = LocalList.objects.get()
    assert (kept.held, kept.is_checked, kept.refusals, kept.error, kept.unanswered) == (None, False, 0, "", 0)
    assert kept.version == 7


@pytest.mark.parametrize("tool", ["security", "show_messages", "download_messages"])
@pytest.mark.parametrize("number", ["abc", "12345"])
def test_the_pages_of_a_station_that_is_none_are_not_found(admin, tool, number):
    assert admin.get(reverse(f"admin:stations_station_{tool}", args=[number])).status_code == 404


@pytest.mark.parametrize("button", ["approve", "restore", "send_list"])
def test_who_may_only_look_at_stations_is_offered_no_action_that_changes_them(client, button, settings):
    settings.ROLE_PERMISSIONS = {"advanced": ["stations.view_station"]}
    client.force_login(User.objects.create(username="ann", is_staff=True, role="advanced"))
    seen = with_list(held_id="three", is_checked=True)
    Station.objects.update(state="pending")
    client.post(reverse("admin:stations_station_changelist"), {"action": button, "_selected_action": [seen.pk]})
    assert Station.objects.get().state == "pending"
    assert LocalList.objects.get().is_checked


def test_what_the_socket_wrote_while_the_form_was_saved_stays(admin):
    shown = station()
    Station.objects.update(max_current_a=32)
    address = reverse("admin:stations_station_change", args=[shown.pk])
    initial = admin.get(address).context["adminform"].form.initial
    fields = {name: "" if value is None else value for name, value in initial.items()}
    for prefix in ("connectors", "preconfiguration", "progress", "commands"):
        fields |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}

    def connect(**_signal):
        Station.objects.update(socket_id="web/here", next_password_hash="of-the-new-one")

    pre_save.connect(connect, sender=Station)
    try:
        answer = admin.post(address, {**fields, "name": "Place 1"})
    finally:
        pre_save.disconnect(connect, sender=Station)
    assert answer.status_code == 302
    kept = Station.objects.get()
    assert (kept.name, kept.socket_id, kept.next_password_hash) == ("Place 1", "web/here", "of-the-new-one")
