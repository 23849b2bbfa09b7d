"""The pages between badges and files: what they take, show, refuse and give."""

import io

import pytest
from celery import current_app
from django.test import Client
from kombu.exceptions import OperationalError

from accounts.services import save_user
from badges.csv_files.text import LARGEST_FILE
from badges.import_models import BadgeImport, ImportState
from badges.models import Badge
from badges.tasks import check_import, write_import
from tests.badges.importing import HEADING, check, write

pytestmark = pytest.mark.django_db

PAGE = "/admin/badges/badge/import/"


@pytest.fixture
def client(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    found = Client()
    found.force_login(save_user(username="paul", role="advanced"))
    return found


@pytest.fixture
def worker(monkeypatch):
    """Do at once what the worker is asked."""
    tasks = {"badges.tasks.check_import": check_import, "badges.tasks.write_import": write_import}
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **_options: tasks[name](*args))


def upload(client, text, name="badges.csv", **options):
    file = io.BytesIO(text if isinstance(text, bytes) else f"{HEADING}\n{text}".encode())
    file.name = name
    return client.post(PAGE, {"file": file, "upload": "1"}, follow=True, **options)


def said(answer):
    return " ".join(answer.content.decode().split())


@pytest.mark.usefixtures("worker")
def test_a_file_is_shown_then_imported(client):
    Badge.objects.create(id_tag="A1", comment="old")
    shown = said(upload(client, "A1,,new,,\nA2,,,31.12.2030,\n", name="garage.csv"))
    assert "garage.csv" in shown
    assert "Nothing is changed yet" in shown
    assert "<del>old</del> → new" in shown
    assert "31/12/2030" in shown
    run = BadgeImport.get_solo().run
    done = said(client.post(PAGE, {"confirm": "1", "run": run}, follow=True))
    assert "1 badge added, 1 changed, 0 unchanged." in done
    assert Badge.objects.get(id_tag="A1").comment == "new"


@pytest.mark.usefixtures("worker")
def test_wrong_rows_are_left_out_only_on_purpose(client):
    assert "Leave out the 1 wrong row" in said(upload(client, "A1,,,,\nA2,VIP,,,\n"))
    run = BadgeImport.get_solo().run
    assert "Nothing was imported: rows are wrong" in said(client.post(PAGE, {"confirm": "1", "run": run}))
    assert not Badge.objects.exists()
    done = said(client.post(PAGE, {"confirm": "1", "run": run, "leaves_out_wrong": "1"}, follow=True))
    assert "1 wrong row left out" in done
    assert "“VIP” is no type of badge" in done


@pytest.mark.usefixtures("worker")
def test_rows_are_shown_by_what_they_mean_and_page_by_page(client):
    upload(client, "".join(f"A{number},,,,\n" for number in range(101)) + "B1,VIP,,,\n")
    assert "Page 1 of 2" in said(client.get(PAGE))
    assert "A100" in said(client.get(f"{PAGE}?page=2"))
    wrong = said(client.get(f"{PAGE}?show=wrong"))
    assert "B1" in wrong
    assert "A1<" not in wrong
    assert client.get(f"{PAGE}?show=strange&page=x").status_code == 200


@pytest.mark.parametrize(
    ("raw", "said_"),
    [
        (b"", "The file is empty"),
        (b"\0\1\2\3", "not a CSV file"),
        (b"number;kind\nA1;x", "does not name the columns"),
        (f'{HEADING}\nA1,,"never ends'.encode(), "begins on line 2"),
    ],
)
def test_a_broken_file_is_refused_at_once_and_nothing_of_it_is_kept(client, raw, said_):
    assert said_ in said(upload(client, raw))
    assert BadgeImport.get_solo().state == ImportState.NEVER


def test_a_file_has_to_be_chosen(client):
    assert "Choose a file first" in said(client.post(PAGE, {"upload": "1"}))


class Unread(io.RawIOBase):
    """A body that nobody may read."""

    def readable(self):
        return True

    def readinto(self, _buffer):
        raise AssertionError("it was read")


def test_a_file_of_a_gigabyte_is_refused_before_it_is_read():
    client = Client(enforce_csrf_checks=True)
    client.force_login(save_user(username="paul", role="advanced"))
    body = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(2**30), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    answer = client.generic("POST", PAGE, **body)
    assert answer.status_code == 413
    assert "larger than 8 MB" in said(answer)


def test_a_file_that_is_a_little_too_large_is_refused(client):
    assert "larger than 8 MB" in said(upload(client, b"badgeId\n" + b"A\n" * (LARGEST_FILE // 2)))


def test_a_form_without_the_token_is_refused():
    client = Client(enforce_csrf_checks=True)
    client.force_login(save_user(username="paul", role="advanced"))
    assert client.post(PAGE, {"again": "1"}).status_code == 403


def test_a_broker_that_is_away_is_said(client, monkeypatch):
    def fail(*_arguments, **_options):
        raise OperationalError

    monkeypatch.setattr(current_app, "send_task", fail)
    assert "the broker does not answer" in said(upload(client, "A1,,,,\n"))
    assert BadgeImport.get_solo().state == ImportState.STOPPED
    job = check("A1,,,,\n")
    assert "the broker does not answer" in said(client.post(PAGE, {"confirm": "1", "run": job.run}))
    assert not Badge.objects.exists()


def test_progress_is_asked_for_again_and_again_and_can_be_stopped(client, monkeypatch):
    monkeypatch.setattr(current_app, "send_task", lambda *_arguments, **_options: None)
    assert 'hx-trigger="every 1s"' in said(upload(client, "A1,,,,\n"))
    BadgeImport.objects.update(done=1, total=3)
    part = said(client.get(PAGE, headers={"HX-Request": "true"}))
    assert 'hx-swap-oob="innerHTML:#import-state">The file is checked: 33 % of 3 rows.' in part
    assert "<html" not in part
    stopped = said(client.post(PAGE, {"stop": "1", "run": BadgeImport.get_solo().run}, follow=True))
    assert "The import was stopped. Nothing was changed." in stopped
    assert "every 1s" not in stopped


def test_a_check_that_stands_still_is_said_and_can_begin_again(client, monkeypatch):
    monkeypatch.setattr(current_app, "send_task", lambda *_arguments, **_options: None)
    upload(client, "A1,,,,\n")
    BadgeImport.objects.update(heard_at=None)
    assert "The import stands still" in said(client.get(PAGE))
    assert "The file is checked: 0 %" in said(client.post(PAGE, {"again": "1"}, follow=True))


def test_a_file_that_is_no_longer_kept_has_to_be_chosen_again(client):
    write(check("A1,,,,\n"))
    assert "no longer kept" in said(client.post(PAGE, {"again": "1"}))


@pytest.mark.parametrize("run", ["", "x", "9" * 30, "-1"])
def test_what_is_no_number_of_an_import_does_nothing(client, run):
    job = check("A1,,,,\n")
    client.post(PAGE, {"stop": "1", "run": run})
    client.post(PAGE, {"confirm": "1", "run": run})
    assert BadgeImport.get_solo().state == job.state


# --- files that are given


@pytest.mark.parametrize(("language", "separator"), [("en", ","), ("fr", ";"), ("de", ";")])
def test_the_template_has_the_columns_and_an_example(client, language, separator):
    answer = client.get(f"{PAGE}template/", headers={"accept-language": language})
    lines = ["badgeId,type,comment,expirationDate,email", "a1b2c3,STANDARD,exemple,30.01.2023,exemple@llm.fr", ""]
    assert answer.content == b"\xef\xbb\xbf" + "\r\n".join(lines).replace(",", separator).encode()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="llm-badges-template.csv"'


def test_the_template_can_be_imported(client):
    job = check(client.get(f"{PAGE}template/").content)
    assert (job.new, job.wrong) == (1, 0)


def test_the_export_has_every_badge_and_no_formula(client):
    Badge.objects.create(id_tag="B1", type="supervisor", comment="=1+1", expires_on="2030-12-31")
    Badge.objects.create(id_tag="A1", email="anna@example.org")
    answer = client.get("/admin/badges/badge/export/")
    assert answer.content.decode("utf-8-sig").splitlines() == [
        HEADING,
        "A1,STANDARD,,,anna@example.org",
        "B1,SUPERVISOR,'=1+1,31.12.2030,",
    ]
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_the_list_of_badges_leads_to_both(client):
    shown = said(client.get("/admin/badges/badge/"))
    for address in (PAGE, "/admin/badges/badge/export/"):
        assert f'href="{address}"' in shown
