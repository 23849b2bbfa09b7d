"""The pages for what failed in the load manager itself."""

import asyncio

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import AccessSettings
from accounts.services import save_user
from llm_site.errors import server_error
from tests.http_client import ask

BACKUPS = "/admin/system/backups/"
LARGE = 3 * 2**20  # bytes: more than is kept in memory


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def full_disk():
    with open("/dev/full", "r+b", buffering=0) as file:
        yield lambda **_options: file


@pytest.fixture
def administrator():
    AccessSettings.objects.create(setup_done_at=timezone.now())
    client = Client(raise_request_exception=False)
    client.force_login(save_user(username="anna", role="administrator"))
    return client


@pytest.mark.django_db
def test_a_page_that_fails_says_what_that_means(administrator, monkeypatch):
    def fail():
        raise RuntimeError("of no concern to people")

    monkeypatch.setattr("llm_site.system.page.check_health", fail)
    answer = administrator.get("/admin/system/", headers={"accept-language": "de"})
    text = answer.content.decode()
    assert (answer.status_code, 'href="/"' in text) == (500, True)
    assert "Das Laden geht weiter" in text
    assert "of no concern" not in text


@pytest.mark.django_db
def test_it_asks_the_database_nothing(rf, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert server_error(rf.get("/")).status_code == 500


@pytest.mark.django_db
def test_an_upload_that_finds_no_room_says_so(administrator, full_disk, monkeypatch):
    monkeypatch.setattr("django.core.files.uploadedfile.tempfile.NamedTemporaryFile", full_disk)
    answer = administrator.post(BACKUPS, {"upload": "", "file": SimpleUploadedFile("llm.zip", bytes(LARGE))})
    assert answer.status_code == 507
    assert "Nothing was changed, and charging goes on." in answer.content.decode()


def test_so_does_one_that_finds_none_before_it_is_looked_at(full_disk, monkeypatch):
    monkeypatch.setattr("django.core.handlers.asgi.tempfile.SpooledTemporaryFile", full_disk)
    answer = asyncio.run(ask("POST", BACKUPS, "x" * LARGE, headers=[(b"accept-language", b"fr")]))
    assert answer.status == 507
    assert "la charge continue" in answer.body.decode()
