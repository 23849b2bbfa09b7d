"""The admin: one sign-in page, and no address that breaks it."""

import pytest
from django.http import Http404
from django.utils import timezone
from django.views.defaults import page_not_found

from accounts.models import AccessSettings, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def administrator():
    AccessSettings.objects.create(setup_done_at=timezone.now())
    return User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True)


@pytest.mark.parametrize("path", ["/admin/", "/admin/stations/station/?state__exact=pending"])
def test_who_is_not_signed_in_comes_to_the_one_sign_in_page_and_on(client, path, administrator):
    administrator.set_password("Garage-2026")
    administrator.save()
    page = client.get(path, follow=True)
    assert page.templates[0].name == "accounts/sign_in.html"
    goal = page.context["next"]
    answer = client.post("/sign-in/", {"username": "admin", "password": "Garage-2026", "next": goal})
    assert answer.url == path


def test_a_user_without_admin_rights_comes_to_the_overview_with_a_word(client):
    client.force_login(User.objects.create(username="marie"))
    page = client.get("/admin/", follow=True)
    assert [address for address, _ in page.redirect_chain] == ["/admin/login/?next=/admin/", "/"]
    assert "You may not change settings." in page.content.decode()


def test_the_admins_sign_in_address_sends_a_signed_in_administrator_on(client, administrator):
    client.force_login(administrator)
    assert client.get("/admin/login/?next=/admin/energy/installation/").url == "/admin/energy/installation/"
    assert client.get("/admin/login/").url == "/admin/"


def test_the_admins_sign_in_address_sends_nobody_to_another_host(client, administrator):
    assert client.get("/admin/login/?next=https://example.org/").url == "/sign-in/?next=/admin/"
    client.force_login(administrator)
    assert client.get("/admin/login/?next=//example.org/").url == "/admin/"


@pytest.mark.parametrize(
    "page",
    [
        "stations/station/?q=%00",
        "stations/transaction/?q=a%00b",
        "stations/straymessage/?station__identity=%00",
        "badges/badge/?q=%00",
        "stations/station/?state__exact=%00",
        "stations/station/?identity=%00",
        "stations/station/%00/change/",
    ],
)
def test_a_nul_in_an_address_is_no_server_error(client, administrator, page):
    client.force_login(administrator)
    assert client.get(f"/admin/{page}", follow=True).status_code < 500


def test_a_page_that_is_not_there_leads_back(client):
    page = client.get("/nope/", headers={"accept-language": "fr"})
    told = page.content.decode()
    assert (page.status_code, 'href="/"' in told, "Page introuvable" in told) == (404, True, True)


def test_it_asks_the_database_nothing_as_it_is_made_outside_the_request(rf, administrator, django_assert_num_queries):
    request = rf.get("/nope/")
    request.user = administrator
    with django_assert_num_queries(0):
        assert page_not_found(request, Http404()).status_code == 404
