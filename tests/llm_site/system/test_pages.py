"""The system pages and the health address: who may see them, and what they do."""

import io
import resource
import zipfile
from contextlib import closing
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.changes import lines_of
from accounts.models import Change, User
from accounts.services import apply_role, renew_token
from energy.models import Installation, Meter, Reading
from llm_site.system import health
from llm_site.system.archive import BackupRefused
from llm_site.system.health import Level, check_health, overall
from llm_site.system.job import BACKUP, RESTORE, JobStopped, announce_job, backup_folder, last_job, running, stop_job
from llm_site.system.kept_backups import keep_upload, make_backup
from tests.llm_site.system.rich_site import PASSPHRASE, back_up, run

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "llm-garage-20260101-120000.zip"
PAGES = [
    ("system", []),
    ("system-backups", []),
    ("system-backup-download", [NAME]),
    ("system-restore", [NAME]),
    ("system-logs", []),
]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.REDIS_URL = f"unix://{tmp_path}/no-redis.sock"
    (tmp_path / "log").mkdir()
    return tmp_path


def signed_in(role):
    user = User(username=role, role=role)
    apply_role(user)
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin():
    return signed_in("administrator")


@pytest.fixture
def backup():
    Installation.objects.update_or_create(pk=1, defaults={"name": "Garage Nord"})
    back_up(backup_folder() / NAME)
    return backup_folder() / NAME


@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize(("page", "arguments"), PAGES)
def test_only_administrators_see_the_pages(page, arguments, admin):
    address = reverse(page, args=arguments)
    with closing(admin.get(address)) as answer:
        assert answer.status_code == 200
    assert Client().get(address).status_code == 302
    assert signed_in("standard").get(address).status_code == 403
    assert signed_in("advanced").get(address).status_code == 403


@pytest.mark.usefixtures("backup")
def test_only_administrators_delete(admin):
    address = reverse("system-backup-delete", args=[NAME])
    assert signed_in("advanced").post(address).status_code == 403
    assert admin.get(address).status_code == 405
    assert (backup_folder() / NAME).exists()
    admin.post(address)
    assert not (backup_folder() / NAME).exists()


def kept():
    """Return what is on record: who, and the lines that people read."""
    return [(change.additional_data["who"], lines_of(change)) for change in Change.objects.order_by("pk")]


@pytest.mark.usefixtures("backup")
def test_who_asked_for_downloaded_or_deleted_a_backup_is_on_record(admin):
    Change.objects.all().delete()
    assert admin.get(reverse("system-backup-download", args=[NAME])).getvalue()
    admin.post(reverse("system-backup-delete", args=[NAME]))
    admin.post(reverse("system-backups"), {"make": "", "passphrase": PASSPHRASE, "again": PASSPHRASE})
    made = last_job().file
    assert kept() == [
        ("administrator", [f"Backup: – → {NAME}", "A backup was downloaded."]),
        ("administrator", [f"Backup: – → {NAME}", "A backup was deleted."]),
        ("administrator", [f"Backup: – → {made}", "A backup was asked for."]),
    ]
    assert PASSPHRASE not in str(list(Change.objects.values()))


@pytest.mark.parametrize("name", ["..%2Fsecret_key", "job.json", ".zip", "%2Fetc%2Fpasswd"])
def test_no_other_file_can_be_had(admin, name, folder):
    (folder / "secret_key").write_text("key")
    backup_folder()
    assert admin.get(f"/admin/system/backups/{name}/").status_code == 404


def test_the_page_shows_what_the_machine_is(admin, settings):
    settings.PORT, settings.TLS_CERT, settings.MDNS = 8123, "", True
    page = admin.get(reverse("system")).content.decode()
    uid = Installation.objects.get().uid
    assert uid in page
    assert f"http://hager-llm-{uid[-6:]}.local:8123/" in page
    assert f"ws://hager-llm-{uid[-6:]}.local:8123/ocpp/" in page
    assert settings.VERSION in page


def test_the_part_that_is_looked_at_again_is_what_the_page_shows(admin):
    fragment = admin.get(reverse("system"), headers={"HX-Request": "true"}).content.decode()
    assert fragment.strip().startswith('<div id="health"')
    assert "<html" not in fragment


def test_a_page_that_looks_again_is_sent_to_the_sign_in_page_as_a_whole():
    answer = Client().get(reverse("system-backups"), headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith(reverse("sign-in"))
    assert answer.content == b""


def parts():
    return {part.key: part for part in check_health()}


def reading(age_s, grid=10.0):
    names = [f"{kind}_l{line}_a" for kind in ("charging", "limit") for line in (1, 2, 3)]
    at = timezone.now() - timedelta(seconds=age_s)
    Reading.objects.create(at=at, state="operational", grid_l1_a=grid, **dict.fromkeys(names, 0.0))


def test_a_broker_that_is_away_and_a_loop_that_stands_still_are_down():
    found = parts()
    assert found["broker"].level == found["loop"].level == Level.DOWN
    reading(60)
    assert "has not run since" in parts()["loop"].text
    assert overall(check_health()) == Level.DOWN
    reading(0)
    assert parts()["loop"].level == Level.OK


def test_the_meter_is_judged_by_its_age_and_its_error():
    assert parts()["meter"].level == Level.DEGRADED
    Installation.objects.update(mode="static", static_limit_a=20)
    assert parts()["meter"].level == Level.OK
    Meter.objects.update(model="eastron_sdm630", url="tcp://127.0.0.1:5020")
    assert parts()["meter"].text == "has not been read yet"
    reading(3)
    assert parts()["meter"].level == Level.OK
    Meter.objects.update(failing_since=timezone.now(), last_error="time-out")
    assert "time-out" in parts()["meter"].text
    assert parts()["meter"].advice


def test_a_full_disk_is_said(monkeypatch):
    monkeypatch.setattr(health, "DISK_FULL", 2**70)
    monkeypatch.setattr(health, "DISK_LOW", 2**70)
    assert parts()["disk"].level == Level.DOWN


def test_without_the_database_the_address_answers_503_and_names_no_details(monkeypatch):
    def away():
        raise DatabaseError("password=secret")

    monkeypatch.setattr(health, "_database", away)
    answer = Client().get("/api/health")
    assert answer.status_code == 503
    assert answer.json() == {"status": "down"}


def test_the_address_tells_administrators_the_parts():
    user = User.objects.create(username="a", role="administrator")
    other = User.objects.create(username="b", role="advanced")
    headers = {"authorization": f"Bearer {renew_token(username=user.username)}"}
    told = Client(headers=headers).get("/api/health").json()["parts"]
    assert {"database", "broker", "loop"} <= {part["part"] for part in told}
    headers = {"authorization": f"Bearer {renew_token(username=other.username)}"}
    assert set(Client(headers=headers).get("/api/health").json()) == {"status"}


def test_the_passphrase_is_typed_twice_and_is_long(admin):
    address = reverse("system-backups")
    for first, second, said in (
        ("short", "short", "at least 10 characters"),
        (PASSPHRASE, "another one!", "two passphrases differ"),
        (PASSPHRASE, "", "required"),
    ):
        page = admin.post(address, {"make": "1", "passphrase": first, "again": second}).content.decode()
        assert said in page
    assert list(backup_folder().glob("*.zip")) == []


def test_while_the_broker_is_away_no_backup_is_begun(admin):
    page = admin.post(reverse("system-backups"), {"make": "1", "passphrase": PASSPHRASE, "again": PASSPHRASE})
    assert "broker is away" in page.content.decode()
    assert last_job().state == "failed"


def test_a_backup_is_made_listed_downloaded_and_shown(admin, backup):
    page = admin.get(reverse("system-backups")).content.decode()
    assert "Garage Nord" in page
    with closing(admin.get(reverse("system-backup-download", args=[NAME]))) as answer:
        assert answer.getvalue() == backup.read_bytes()
    shown = admin.get(reverse("system-restore", args=[NAME])).content.decode()
    assert "Garage Nord" in shown
    assert "manage.py restore" in shown  # no supervisor runs here


def test_the_worker_keeps_how_a_backup_ended():
    from llm_site.system.backup import sealed_secrets

    announce_job(BACKUP, NAME)
    make_backup(NAME, sealed_secrets(PASSPHRASE))
    assert last_job().state == "done"
    assert (backup_folder() / NAME).exists()
    announce_job(BACKUP, "second.zip")
    stop_job()
    make_backup("second.zip", sealed_secrets(PASSPHRASE))
    assert last_job().state == "stopped"
    assert sorted(path.name for path in backup_folder().iterdir()) == ["job.json", NAME, "lock"]


KILLED = """
import os, django
django.setup()
from llm_site.system.job import BACKUP, announce_job, running
announce_job(BACKUP, "x.zip")
with running(BACKUP, "x.zip"): os.kill(os.getpid(), 9)
"""


def test_a_job_that_was_killed_is_at_once_said_to_be_broken_off_and_lets_another_begin(admin, folder):
    assert run(folder, "-c", KILLED).returncode == -9
    assert "broken off" in admin.get(reverse("system-backups")).content.decode()
    announce_job(BACKUP, NAME)


def test_of_two_clicks_on_restore_one_is_refused():
    announce_job(RESTORE, NAME)
    with pytest.raises(BackupRefused, match="under way"):
        announce_job(RESTORE, NAME)
    with running(RESTORE, NAME), pytest.raises(BackupRefused, match="under way"):
        announce_job(RESTORE, NAME)
    with pytest.raises(JobStopped), running(RESTORE, NAME):
        pass


def test_the_end_of_a_job_that_fails_is_kept():
    announce_job(BACKUP, NAME)
    with pytest.raises(ValueError, match="no room"), running(BACKUP, NAME):
        raise ValueError("no room")
    assert (last_job().state, last_job().error) == ("failed", "no room")


def upload(admin, content):
    file = SimpleUploadedFile("b.zip", content)
    return admin.post(reverse("system-backups"), {"upload": "1", "file": file})


def test_an_upload_is_checked_before_it_is_kept(admin, backup):
    content = backup.read_bytes()
    assert "is not a backup" in upload(admin, content[:-200]).content.decode()
    assert sorted(path.name for path in backup_folder().glob("uploaded*")) == []
    answer = upload(admin, content)
    assert answer.status_code == 302
    assert "/restore/" in answer.url


def test_two_uploads_within_a_second_are_both_kept(admin, backup, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    content = backup.read_bytes()
    assert upload(admin, content).url != upload(admin, content).url
    assert len(list(backup_folder().glob("uploaded-*.zip"))) == 2


def test_a_disk_without_room_for_a_new_backup_is_said_at_the_field(admin):
    (backup_folder() / "job.json.part").symlink_to("/dev/full")
    page = admin.post(reverse("system-backups"), {"make": "1", "passphrase": PASSPHRASE, "again": PASSPHRASE})
    assert page.status_code == 200
    assert "No space left on device" in page.content.decode()


def test_a_disk_without_room_for_an_upload_is_said_and_nothing_is_kept(backup):
    content = backup.read_bytes()
    most, hardest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hardest))
    try:
        with pytest.raises(BackupRefused, match="File too large"):
            keep_upload(SimpleUploadedFile("b.zip", content))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hardest))
    assert [path.name for path in backup_folder().iterdir()] == [NAME]


def test_a_damaged_backup_is_listed_with_its_flaw_beside_the_others(admin, backup):
    content = bytearray(backup.read_bytes())
    with zipfile.ZipFile(backup) as archive:
        begin = archive.getinfo("manifest.json").header_offset + 30 + len("manifest.json")
    content[begin : begin + 40] = b"\xff" * 40
    (backup_folder() / "damaged.zip").write_bytes(content)
    page = admin.get(reverse("system-backups")).content.decode()
    assert "damaged.zip is not a backup" in page
    assert "Garage Nord" in page
    assert admin.get(reverse("system-restore", args=["damaged.zip"])).status_code == 302
    assert "is not a backup" in upload(admin, bytes(content)).content.decode()


@pytest.mark.usefixtures("backup")
def test_a_restore_is_confirmed_by_the_name_of_the_site(admin, monkeypatch):
    monkeypatch.setattr("llm_site.system.page.can_restore", lambda: True)
    address = reverse("system-restore", args=[NAME])
    page = admin.post(address, {"passphrase": PASSPHRASE, "site_name": "Garage Süd"}).content.decode()
    assert "not the name of the site" in page
    page = admin.post(address, {"passphrase": PASSPHRASE, "site_name": "Garage Nord"}).content.decode()
    assert "cannot stop and start its own processes" in page


def test_the_logs_come_as_one_file_each_from_the_beginning_of_a_line(admin, folder, monkeypatch):
    monkeypatch.setattr("llm_site.system.logs.MOST_OF_EACH", 20)
    (folder / "log" / "web.log").write_text("first line\nsecond line\nthird line\n")
    (folder / "log" / "beat.log").write_text("short\n")
    with closing(admin.get(reverse("system-logs"))) as answer:
        content = io.BytesIO(answer.getvalue())
    with zipfile.ZipFile(content) as archive:
        assert archive.read("web.log") == b"third line\n"
        assert archive.read("beat.log") == b"short\n"
