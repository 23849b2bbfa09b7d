"""The audit trail: what is kept of a change, and that secrets and heartbeats leave no trace."""

from datetime import UTC, date, datetime, timedelta

import pytest
from auditlog.registry import auditlog
from django.core.management import call_command
from django.utils import timezone, translation
from django_otp.plugins.otp_static.models import StaticToken

from accounts import audit
from accounts.changes import lines_of
from accounts.models import AccessSettings, Change, User
from accounts.origin import Way, changes_come_by
from accounts.second_factor import begin_set_up, confirm_set_up, remove_second_factor, renew_recovery_codes
from accounts.services import end_token, renew_token, save_user
from accounts.tasks import forget_old_changes
from badges.models import Badge, BadgeSettings
from energy.models import Installation
from stations.connections import withdraw_certificates
from stations.models import Certificate, Circuit, CpoServer, Station
from tests.accounts.codes import code_now

pytestmark = pytest.mark.django_db

PASSWORD = "Garage-2026"

# What of the tracked models is no configuration: keys, what stations say of themselves, what follows from the rest.
LEFT_OUT = {
    "accounts.user": "id last_login is_superuser is_staff first_name last_name date_joined language",
    "accounts.accesssettings": "id",
    "badges.badge": "id created_at",
    "badges.badgesettings": "id",
    "energy.installation": "id uid restored_at",
    "energy.meter": "id last_error failing_since lines_fault",
    "exports.exportsettings": "id mail_since language",
    "energy.retention": "id",
    "energy.timetablerow": "id",
    "energy.externallimit": "id limit_a valid_for_s valid_until given_by given_at",
    "stations.circuit": "id",
    "stations.cposerver": "id",
    "stations.station": (
        "id ip_address vendor model serial_number firmware_version wanted_security_profile connection_profile "
        "socket_id connected_at last_seen_at called_address standing_fail_safe_a"
    ),
    "stations.certificate": "id fingerprint request_hash pem not_before not_after answer issued_at",
}


def newest():
    return Change.objects.order_by("-pk")[0]


def told(change):
    return change.additional_data["who"], change.additional_data["way"]


def test_every_column_of_a_tracked_model_is_kept_or_left_out_on_purpose():
    for model in auditlog.get_models():
        label = model._meta.label_lower
        kept = auditlog.get_model_fields(model)["include_fields"]
        columns = {field.name for field in model._meta.concrete_fields}
        undecided = columns - set(kept) - set(LEFT_OUT[label].split())
        assert not undecided, f"{label}: {undecided}: track it in the apps.py of its app, or add it to LEFT_OUT here"
    assert {model._meta.label_lower for model in auditlog.get_models()} == LEFT_OUT.keys()


# --- what is kept


def test_a_change_is_kept_with_from_and_to_and_an_unchanged_save_is_not():
    station = Station.objects.create(identity="CP1")
    before = Change.objects.count()
    station.max_current_a = 16
    station.save()
    station.save()
    assert Change.objects.count() == before + 1
    assert newest().changes == {"max_current_a": [32, 16]}
    assert newest().object_repr == "CP1"


def test_what_is_new_and_what_is_deleted_is_kept_with_its_values():
    circuit = Circuit.objects.create(name="North", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    assert newest().get_action_display() == "create"
    circuit.delete()
    assert newest().get_action_display() == "delete"
    assert newest().changes["limit_l1_a"] == [32, None]


def test_a_circuit_is_named_not_numbered():
    circuit = Circuit.objects.create(name="North", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32)
    station = Station.objects.create(identity="CP1")
    station.circuit = circuit
    station.save()
    assert lines_of(newest()) == ["Circuit: – → North"]


def test_the_badges_of_a_station_are_named_from_either_side():
    station, badge = Station.objects.create(identity="CP1"), Badge.objects.create(id_tag="CAFE01")
    station.badges.add(badge)
    assert lines_of(newest()) == ["Allowed badges: added CAFE01"]
    badge.stations.set([])
    assert (newest().object_repr, lines_of(newest())) == ("CAFE01", ["Charging stations: removed CP1"])


def test_an_update_of_many_rows_is_kept_of_those_that_changed():
    for identity in ("CP1", "CP2"):
        Station.objects.create(identity=identity)
    Station.objects.filter(identity="CP2").update(priority=3)
    before = Change.objects.count()
    assert audit.update_recorded(Station.objects.all(), priority=3) == 2
    assert Change.objects.count() == before + 1
    assert (newest().object_repr, newest().changes) == ("CP1", {"priority": [0, 3]})
    assert set(Station.objects.values_list("priority", flat=True)) == {3}


def test_rows_of_settings_come_to_be_unnoticed_and_change_noticed():
    rule = BadgeSettings.get_solo()
    Installation.get_solo()
    assert not Change.objects.exists()
    rule.access_rule = "badge"
    rule.save()
    assert lines_of(newest()) == ["Access rule: Free access → Badge required"]


# --- secrets


def test_of_a_password_is_kept_that_it_changed():
    user = save_user(username="anna", role="standard", password=PASSWORD)
    save_user(username="anna", password="Garage-2027")
    assert lines_of(newest()) == ["Password: changed, not shown"]
    for change in Change.objects.all():
        assert user.password not in str(change.changes)
        assert "pbkdf2" not in str(change.changes)


def test_of_a_token_is_kept_that_it_was_made_and_taken_away():
    user = save_user(username="anna", role="standard")
    token = renew_token(username="anna")
    assert lines_of(newest()) == ["API token: changed, not shown"]
    assert token not in str(newest().changes)
    end_token(user=user)
    assert lines_of(newest()) == ["API token: taken away"]


def test_no_secret_of_any_tracked_model_is_kept():
    secret = "f00dbabe" * 8
    rows = [
        Station.objects.create(identity="CP1", password_hash=secret, next_password_hash=secret),
        CpoServer.objects.create(name="CPO", url="wss://cpo.example", password_sealed=secret),
        User.objects.create(username="anna", password=secret, api_token_hash=secret),
    ]
    for row in rows:
        row.delete()
    assert not any("f00d" in str(change.changes) for change in Change.objects.all())


# --- who and from where


def test_a_page_names_the_user_and_the_address(client):
    user = save_user(username="anna", role="administrator")
    client.force_login(user)
    client.post("/admin/badges/badge/add/", {"id_tag": "CAFE01", "type": "standard"}, REMOTE_ADDR="192.0.2.7")
    change = newest()
    assert (change.object_repr, told(change), change.remote_addr) == ("CAFE01", ("anna", "page"), "192.0.2.7")
    assert change.actor == user


@pytest.mark.parametrize(("trusted", "address"), [(["192.0.2.7"], "198.51.100.9"), ([], "192.0.2.7")])
def test_an_address_is_taken_from_a_trusted_proxy_alone(client, settings, trusted, address):
    settings.TRUSTED_PROXIES = trusted
    client.force_login(save_user(username="anna", role="administrator"))
    where = {"REMOTE_ADDR": "192.0.2.7", "headers": {"x-forwarded-for": "203.0.113.1, 198.51.100.9"}}
    client.post("/admin/badges/badge/add/", {"id_tag": "CAFE01", "type": "standard"}, **where)
    assert newest().remote_addr == address


def test_the_name_stays_when_the_user_is_gone(client):
    anna = save_user(username="anna", role="administrator")
    client.force_login(anna)
    client.post("/admin/badges/badge/add/", {"id_tag": "CAFE01", "type": "standard"})
    number = newest().pk
    anna.delete()
    assert told(Change.objects.get(pk=number)) == ("anna", "page")


def test_the_command_line_is_named(capsys):
    save_user(username="anna", role="administrator")
    with changes_come_by(Way.COMMAND_LINE):
        call_command("api_token", "anna")
    assert told(newest()) == ("", "command_line")
    assert capsys.readouterr().out


def test_what_nobody_asked_for_is_the_load_managers_own():
    Station.objects.create(identity="CP1")
    assert told(newest()) == ("", "itself")
    assert newest().remote_addr is None


# --- in words


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Mode: Dynamic → Static"),
        ("fr", "Mode\N{NO-BREAK SPACE}: Dynamique → Statique"),
        ("de", "Betriebsart: Dynamisch → Statisch"),
    ],
)
def test_an_entry_speaks_the_language_of_who_reads_it(language, line):
    row = Installation.get_solo()
    row.mode = "static"
    row.save()
    with translation.override(language):
        assert lines_of(newest()) == [line]


def test_dates_numbers_and_yes_or_no_are_written_as_the_pages_write_them():
    badge = Badge.objects.create(id_tag="CAFE01")
    badge.expires_on, badge.is_active = date(2026, 3, 1), False
    badge.save()
    with translation.override("de"):
        assert set(lines_of(newest())) == {"Läuft ab am: – → 1. März 2026", "Aktiv: Ja → Nein"}
    access = AccessSettings.get_solo()
    access.setup_done_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    access.save()
    with timezone.override("Europe/Paris"), translation.override("de"):
        assert lines_of(newest()) == ["Einrichtung abgeschlossen: – → 1. März 2026, 13:00"]


def test_an_entry_of_a_field_that_is_gone_can_still_be_read():
    Station.objects.create(identity="CP1")
    Change.objects.update(changes={"colour": ["red", "blue"]})
    assert lines_of(newest()) == ["Colour: red → blue"]


# --- upkeep


def test_changes_are_kept_for_two_years():
    for identity, age in (("CP1", 732), ("CP2", 730)):
        Station.objects.create(identity=identity)
        Change.objects.filter(object_repr=identity).update(timestamp=timezone.now() - timedelta(days=age))
    forget_old_changes()
    assert list(Change.objects.values_list("object_repr", flat=True)) == ["CP2"]


def test_a_certificate_that_is_withdrawn_is_kept():
    station = Station.objects.create(identity="CP1")
    now = timezone.now()
    certificate = Certificate.objects.create(
        station=station, common_name="CP1", serial_number="7", fingerprint="7", pem="", not_before=now, not_after=now
    )
    withdraw_certificates(certificate_ids=[certificate.pk])
    assert lines_of(newest()) == ["State: Sent, not answered → Withdrawn"]


# --- the second factor


def kept_of_the_second_factor(user):
    """Return what is on record of it: fields, and the lines that people read."""
    changes = [change for change in Change.objects.order_by("pk") if change.object_repr == user.username]
    return [line for change in changes for line in lines_of(change) if "actor" in line or "codes" in line]


def test_what_becomes_of_a_second_factor_is_on_record_and_its_secrets_are_not():
    user = save_user(username="marie", role="standard", password=PASSWORD)
    device = begin_set_up(user=user)
    codes = confirm_set_up(user=user, code=code_now(device.bin_key))
    on = ["Second factor: No → Yes", "Recovery codes: changed, not shown"]
    assert kept_of_the_second_factor(user) == on
    codes += renew_recovery_codes(user=user)
    assert kept_of_the_second_factor(user) == [*on, "Recovery codes: changed, not shown"]
    remove_second_factor(user=user)
    remove_second_factor(user=user)
    assert kept_of_the_second_factor(user)[3:] == ["Second factor: Yes → No"]
    kept = str(list(Change.objects.values_list("changes", "changes_text", "additional_data", "serialized_data")))
    hidden = {device.key, device.bin_key.hex(), *codes, *(code.replace("-", "") for code in codes)}
    hidden |= set(StaticToken.objects.values_list("token", flat=True))
    assert not [secret for secret in hidden if secret in kept]
