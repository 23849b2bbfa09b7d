"""A backup holds everything, and comes back whole or not at all."""

import io
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Session, User
from accounts.secrets import keyed_hash
from energy.models import Installation, Reading
from llm_site.system.archive import MANIFEST, SECRETS, Backup, BackupRefused, kept_models, manifest_mac, seal_secrets
from llm_site.system.job import BACKUP, RESTORE, JobStopped, announce_job, last_job, running
from llm_site.system.restore import PENDING, SPARE_NUMBERS, check, finish_restore, restore
from stations.models import Command, Connector, Station, Transaction
from tests.llm_site.system.rich_site import NOON, PASSPHRASE, back_up, fill_site, manage, run

pytestmark = pytest.mark.django_db(transaction=True)

# What is no longer true when a backup is restored.
FORGOTTEN = {
    "stations.station": {"socket_id", "connected_at", "standing_fail_safe_a"},
    "stations.connector": {"accepted_limit_a", "accepted_at", "lasting_limit_a", "lasting_replaces_standing"},
    "stations.command": {"state", "error_text"},
    "energy.installation": {"restored_at"},
}
GONE = {"stations.locallist", "energy.controllerstate"}


@pytest.fixture(autouse=True)
def site(settings, tmp_path, monkeypatch):
    """Fill the database, and keep what tests restore away from the data folder."""
    monkeypatch.delenv("LLM_SECRET_KEY", raising=False)
    settings.DATA_DIR = tmp_path / "here"
    (settings.DATA_DIR / "tls").mkdir(parents=True)
    (settings.DATA_DIR / "tls" / "server.key").write_text("the key")
    fill_site()
    return settings.DATA_DIR


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory):
    """The data folder of a load manager that was never used, on SQLite."""
    made = tmp_path_factory.mktemp("empty")
    assert manage(made, "migrate", "-v0").returncode == 0
    return made


@pytest.fixture
def other_folder(empty_folder, tmp_path):
    """A data folder of another load manager."""
    return shutil.copytree(empty_folder, tmp_path / "other")


def restore_here(path, report=lambda *_: None):
    with Backup(path) as backup:
        restore(backup, secrets=check(backup, PASSPHRASE), report=report)


def rows_of(path):
    """Read a backup as model → list of rows (column → value)."""
    with Backup(path) as backup:
        return {
            table.model: [
                dict(zip(table.columns, json.loads(line), strict=True))
                for line in backup.zip.read(table.member).splitlines()
            ]
            for table in backup.manifest.tables
        }


def test_it_goes_to_another_database_and_back_without_a_difference(site, other_folder, tmp_path):
    first, second, third = (tmp_path / f"{number}.zip" for number in "123")
    Reading.objects.bulk_create(
        Reading(at=NOON - timedelta(seconds=number), state="operational", **currents(number))
        for number in range(1, 2500)
    )
    back_up(first)
    made = manage(other_folder, "restore", str(first), given=f"{PASSPHRASE}\n")
    assert made.returncode == 0, made.stderr
    made = manage(other_folder, "backup", str(second), given=f"{PASSPHRASE}\n")
    assert made.returncode == 0, made.stderr
    restore_here(second)
    back_up(third)

    before, between, after = rows_of(first), rows_of(second), rows_of(third)
    assert before.keys() == {model._meta.label_lower for model in kept_models()}
    assert [name for name, rows in before.items() if not rows] == []
    for name, rows in before.items():
        kept = [{key: value for key, value in row.items() if key not in FORGOTTEN.get(name, ())} for row in rows]
        for moved in (between, after):
            here = [{key: row[key] for key in kept[0]} for row in moved[name] if not is_of_the_restore(row)]
            assert here == ([] if name in GONE else kept), name
    assert (other_folder / "secret_key").read_text() == (site / "secret_key").read_text()
    assert (other_folder / "tls" / "server.key").read_text() == "the key"


def is_of_the_restore(row):
    return (row.get("additional_data") or {}).get("note") == "A backup was restored."


def test_a_restore_is_on_record_once_it_is_done(other_folder, tmp_path):
    back_up(tmp_path / "b.zip")
    assert manage(other_folder, "restore", str(tmp_path / "b.zip"), given="another passphrase").returncode
    assert manage(other_folder, "restore", str(tmp_path / "b.zip"), given=PASSPHRASE).returncode == 0
    assert manage(other_folder, "backup", str(tmp_path / "c.zip"), given=f"{PASSPHRASE}\n").returncode == 0
    (entry,) = [row for row in rows_of(tmp_path / "c.zip")["auditlog.logentry"] if is_of_the_restore(row)]
    assert entry["changes"] == {"backup": [None, "b.zip"]}


def currents(number):
    names = [f"{kind}_l{line}_a" for kind in ("charging", "limit") for line in (1, 2, 3)]
    return dict.fromkeys(names, number / 7)


def test_sessions_sockets_and_open_commands_end_with_a_restore(tmp_path):
    tomorrow = timezone.now() + timedelta(days=1)
    Session.objects.create(session_key="k", session_data="d", expire_date=tomorrow, started_at=NOON, seen_at=NOON)
    Station.objects.update(socket_id="web/1", connected_at=NOON)
    back_up(tmp_path / "b.zip")
    restore_here(tmp_path / "b.zip")
    assert not Session.objects.exists()
    assert set(Station.objects.values_list("socket_id", "connected_at")) == {("", None)}
    assert set(Command.objects.values_list("state", flat=True)) == {"not_connected"}
    assert set(Connector.objects.values_list("accepted_limit_a", flat=True)) == {None}


def test_new_rows_get_numbers_of_their_own_and_transactions_spare_those_begun_since(tmp_path):
    back_up(tmp_path / "b.zip")
    begun = start_transaction(NOON + timedelta(days=1))
    restore_here(tmp_path / "b.zip")
    assert not Transaction.objects.filter(pk=begun.pk).exists()
    assert start_transaction(NOON + timedelta(days=2)).pk > begun.pk + SPARE_NUMBERS - 1
    assert Station.objects.create(identity="new").pk not in (None, 0)


def start_transaction(at):
    return Transaction.objects.create(connector=Connector.objects.first(), id_tag="A", meter_start_wh=0, started_at=at)


def test_the_restored_key_opens_what_was_restored(other_folder, tmp_path):
    User.objects.create(username="program", api_token_hash=keyed_hash("its token"))
    back_up(tmp_path / "b.zip")
    assert manage(other_folder, "restore", str(tmp_path / "b.zip"), given=PASSPHRASE).returncode == 0
    found = run(
        other_folder,
        "-c",
        "import django; django.setup(); from accounts.models import User; from accounts.secrets import matches;"
        "print(matches('its token', User.objects.get(username='program').api_token_hash))",
    )
    assert found.stdout == "True\n", found.stderr


def test_another_passphrase_changes_nothing(tmp_path):
    back_up(tmp_path / "b.zip")
    with Backup(tmp_path / "b.zip") as backup, pytest.raises(BackupRefused, match="passphrase is not the one"):
        check(backup, "another passphrase")


@pytest.mark.parametrize("passphrase", ["", "9 letters"])
def test_a_short_passphrase_makes_no_backup(other_folder, passphrase, tmp_path):
    done = manage(other_folder, "backup", str(tmp_path / "b.zip"), given=f"{passphrase}\n")
    assert "at least 10 characters" in done.stderr
    assert not (tmp_path / "b.zip").exists()


def changed(path, name, change):
    """Write a backup again with one of its members changed."""
    target = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.namelist():
            content = source.read(member)
            copy.writestr(member, change(content) if member == name else content)
    return target


def refusal(path):
    with pytest.raises(BackupRefused) as refused, Backup(path) as backup:
        check(backup, PASSPHRASE)
    return str(refused.value)


def test_a_changed_line_or_manifest_is_noticed(tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    assert "badges.badge" in refusal(changed(path, "badges.badge.jsonl", lambda text: text.replace(b"1", b"2")))
    assert "was changed" in refusal(
        changed(path, MANIFEST, lambda text: text.replace(b"0123456789ab", b"ba9876543210"))
    )


def test_a_file_that_is_no_backup_or_half_of_one_is_refused(tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert "is not a backup" in refusal(path)


def test_damage_anywhere_in_the_file_is_refused(tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    whole = path.read_bytes()
    packed = zipfile.ZipFile(io.BytesIO(whole)).getinfo(MANIFEST).header_offset + 30 + len(MANIFEST)
    catalogue = whole.index(b"PK\x01\x02")
    for begin, length in ((packed, 40), (60, 40), (catalogue + 8, 1), (catalogue + 10, 1), (catalogue + 42, 4)):
        spoilt = bytes(byte ^ 0xFF for byte in whole[begin : begin + length])
        path.write_bytes(whole[:begin] + spoilt + whole[begin + length :])
        assert refusal(path)


def test_rows_packed_in_another_way_and_damaged_are_refused(tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED):
        other = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w", method) as copy:
            for member in source.namelist():
                copy.writestr(member, source.read(member))
        begin = zipfile.ZipFile(other).getinfo("accounts.user.jsonl").header_offset + 30 + len("accounts.user.jsonl")
        whole = other.read_bytes()
        other.write_bytes(whole[:begin] + b"\xff" * 12 + whole[begin + 12 :])
        assert "accounts.user" in refusal(other)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"uid": ["a"]},
        {"site_name": {"a": 1}},
        {"made_at": 7},
        {"made_at": "9999-12-31T23:59:59+00:00"},
        {"migrations": "all"},
        {"migrations": [{}]},
        {"tables": [{"model": 1, "columns": [], "rows": 0, "sha256": ""}]},
        {"tables": [{"model": "badges.badge", "columns": [["id"]], "rows": 0, "sha256": ""}]},
        {"tables": [{"model": "badges.badge", "columns": "id", "rows": 0, "sha256": ""}]},
        {"tables": [{"model": "badges.badge", "columns": ["id"], "rows": "1", "sha256": ""}]},
        {"tables": [{"model": "badges.badge", "columns": ["id"], "rows": -1, "sha256": ""}]},
        {"tables": [{"model": "badges.badge", "columns": ["id"], "rows": 0, "sha256": None}]},
    ],
)
def test_a_manifest_with_something_else_than_it_should_hold_is_refused(change, tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    spoilt = changed(path, MANIFEST, lambda text: json.dumps({**json.loads(text), **change}).encode())
    assert "is not a backup" in refusal(spoilt)


def test_a_manifest_nested_too_deep_or_keys_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    assert "is not a backup" in refusal(changed(path, MANIFEST, lambda _text: b"[" * 100_000))
    endless = changed(path, SECRETS, lambda text: json.dumps({**json.loads(text), "scrypt_n": float("inf")}).encode())
    assert "keys in the backup cannot be read" in refusal(endless)


def test_a_newer_backup_is_refused_and_an_older_one_comes_in_where_only_was_added(tmp_path, settings):
    path = tmp_path / "b.zip"
    manifest = back_up(path)

    def with_migrations(migrations):
        encoded = replace(manifest, migrations=migrations).encode()
        mac = manifest_mac(encoded, settings.SECRET_KEY)
        made = changed(path, MANIFEST, lambda _text: encoded)
        return changed(made, SECRETS, lambda text: json.dumps({**json.loads(text), "manifest_mac": mac}).encode())

    def without(name):
        return with_migrations([known for known in manifest.migrations if known != name])

    assert "newer version" in refusal(with_migrations([*manifest.migrations, "energy.0999_future"]))
    assert "another form" in refusal(without("contenttypes.0002_remove_content_type_name"))
    restore_here(without("energy.0002_uid"))
    assert Installation.objects.get().restored_at > NOON


def test_a_stopped_or_failed_restore_changes_nothing(site, tmp_path):
    path = tmp_path / "b.zip"
    back_up(path)
    Installation.objects.update(name="Later")
    key = (site / "secret_key").exists()

    def stop(done, total, doing):  # noqa: ARG001 (what is reported)
        if done:
            raise JobStopped

    with pytest.raises(JobStopped):
        restore_here(path, report=stop)
    assert Installation.objects.get().name == "Later"
    assert Installation.objects.get().restored_at == NOON
    assert (site / "secret_key").exists() == key
    assert not (site / PENDING).exists()


KILLED = """
import os, sys, django
django.setup()
from pathlib import Path
from django.db import transaction
from llm_site.system.archive import Backup
from llm_site.system.restore import check, restore
def die(): os.kill(os.getpid(), 9)
def report(done, total, doing):
    if sys.argv[3] == "within" and doing == "stations.station": die()
    if sys.argv[3] == "after" and not done: transaction.on_commit(die)
with Backup(Path(sys.argv[1])) as backup:
    restore(backup, secrets=check(backup, sys.argv[2]), report=report)
"""


def test_killed_within_it_leaves_the_old_state_and_after_the_commit_the_new_one(other_folder, tmp_path):
    path, victim = tmp_path / "b.zip", other_folder
    back_up(path)
    old_key = (victim / "secret_key").read_text()
    assert run(victim, "-c", KILLED, str(path), PASSPHRASE, "within").returncode == -9
    assert names_in(victim) == []
    assert (victim / "secret_key").read_text() == old_key
    assert run(victim, "-c", KILLED, str(path), PASSPHRASE, "after").returncode == -9
    assert (victim / "secret_key").read_text() == old_key
    assert manage(victim, "restore", "--finish").returncode == 0
    assert names_in(victim) == [station.identity for station in Station.objects.all()]
    assert (victim / "secret_key").read_text() != old_key
    assert not (victim / PENDING).exists()


def names_in(folder):
    with closing(sqlite3.connect(folder / "llm.sqlite3")) as database:
        return [identity for (identity,) in database.execute("SELECT identity FROM stations_station")]


def test_a_key_whose_restore_was_not_committed_is_thrown_away(site):
    (site / "secret_key").write_text("the old one")
    restored_at = (NOON + timedelta(days=1)).isoformat()
    (site / PENDING).write_text(json.dumps({"secret_key": "new", "tls": {}, "restored_at": restored_at}))
    finish_restore()
    assert (site / "secret_key").read_text() == "the old one"
    assert not (site / PENDING).exists()


def test_a_key_from_the_environment_that_is_another_is_said_before_anything_changes(other_folder, tmp_path):
    back_up(tmp_path / "b.zip")
    done = manage(other_folder, "restore", str(tmp_path / "b.zip"), given=PASSPHRASE, LLM_SECRET_KEY="x" * 40)
    assert done.returncode == 1
    assert "LLM_SECRET_KEY is set" in done.stderr


def test_a_name_in_the_backup_leads_to_no_other_folder(site, tmp_path):
    Installation.objects.update(restored_at=NOON)
    secrets = {"secret_key": "k", "tls": {"../../evil.pem": "x"}, "restored_at": NOON.isoformat()}
    (site / PENDING).write_text(json.dumps(secrets))
    finish_restore()
    assert (site / "tls" / "evil.pem").exists()
    assert not list(tmp_path.glob("evil.pem"))


def test_a_backup_is_of_one_moment_and_lets_others_write(tmp_path):
    def write_on(done, total, doing):  # noqa: ARG001 (what is reported)
        if doing == "accounts.user":
            insert_elsewhere()

    from llm_site.system.backup import write_backup

    write_backup(tmp_path / "b.zip", secrets=seal_secrets({"secret_key": "k", "tls": {}}, PASSPHRASE), report=write_on)
    assert User.objects.filter(username="meanwhile").exists()
    assert "meanwhile" not in {row["username"] for row in rows_of(tmp_path / "b.zip")["accounts.user"]}


def insert_elsewhere():
    """Write over a connection of its own, as another process would."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO accounts_user (username, password, is_superuser, is_staff, is_active, first_name, "
                "last_name, email, date_joined, role, must_change_password, language) VALUES "
                "('meanwhile', '', false, false, true, '', '', '', '2026-01-01 00:00:00+00:00', 'standard', false, '')"
            )
    finally:
        other.close()


def test_two_makings_at_once_are_refused(other_folder, tmp_path, settings):
    settings.DATA_DIR = other_folder
    announce_job(BACKUP, "x.zip")
    with running(BACKUP, "x.zip"):
        done = manage(other_folder, "backup", str(tmp_path / "b.zip"), given=PASSPHRASE)
    assert "under way" in done.stderr


def test_a_restore_that_was_announced_is_begun_once(other_folder, tmp_path, settings):
    back_up(tmp_path / "b.zip")
    settings.DATA_DIR = other_folder
    asked = "--by=anna", "--from=192.0.2.7", str(tmp_path / "b.zip")
    announce_job(RESTORE, "b.zip")
    done = manage(other_folder, "restore", *asked, given=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    assert last_job().state == "done"
    with closing(sqlite3.connect(other_folder / "llm.sqlite3")) as database:
        (kept,) = database.execute(
            "SELECT remote_addr, additional_data FROM auditlog_logentry WHERE additional_data LIKE '%was restored%'"
        )
    assert (kept[0], json.loads(kept[1])["who"], json.loads(kept[1])["way"]) == ("192.0.2.7", "anna", "page")
    again = manage(other_folder, "restore", *asked, given=PASSPHRASE)
    assert "nothing was changed" in again.stderr
