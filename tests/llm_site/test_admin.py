"""The admin: one sign-in page, and no address that breaks it."""

import re

import pytest
from django.http import Http404
from django.utils import timezone
from django.views.defaults import page_not_found

from accounts.models import AccessSettings, User
from accounts.services import save_user
from badges.models import Badge

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


@pytest.mark.parametrize(
    ("role", "path", "needed"),
    [
        ("standard", "/admin/", "Advanced"),
        ("standard", "/admin/login/", "Advanced"),
        ("standard", "/admin/badges/badge/add/", "Advanced"),
        ("standard", "/admin/accounts/user/", "Advanced"),
        ("standard", "/admin/stations/station/", "Administrator"),
        ("standard", "/admin/system/backups/", "Administrator"),
        ("advanced", "/admin/stations/station/", "Administrator"),
        ("advanced", "/admin/energy/installation/check/", "Administrator"),
        ("advanced", "/admin/system/", "Administrator"),
    ],
)
def test_who_may_not_is_told_which_profile_may(client, role, path, needed):
    client.force_login(save_user(username="marie", role=role))
    page = client.get(path, follow=True)
    text = page.content.decode()
    assert page.status_code == 403
    assert f"for users with the profile “{needed}” or above; yours is “{role.capitalize()}”." in text
    assert '<a class="button quiet" href="/">Back to the overview</a>' in text


def test_what_nobody_may_is_not_put_down_to_the_profile(client, administrator):
    client.force_login(administrator)
    page = client.get(f"/admin/accounts/user/{administrator.pk}/delete/")
    assert page.status_code == 403
    assert "for users with the profile" not in page.content.decode()


def test_what_was_deleted_meanwhile_leads_to_the_list_of_all_pages(client, administrator):
    client.force_login(administrator)
    page = client.get("/admin/badges/badge/99/change/", follow=True)
    assert page.redirect_chain == [("/admin/", 302)]
    assert "<h1>All pages</h1>" in page.content.decode()


@pytest.mark.parametrize(
    ("path", "buttons"),
    [
        ("/admin/badges/badge/add/", {"_save", "_addanother", "_continue"}),
        ("/admin/stations/station/add/", {"_save", "_addanother"}),
        ("/admin/energy/scenario/add/", {"_save"}),
        ("/admin/badges/badgesettings/", {"_save"}),
    ],
)
def test_a_form_offers_no_button_that_does_the_same_as_another(client, administrator, path, buttons):
    client.force_login(administrator)
    assert {*re.findall(r'name="(_\w+)"', client.get(path).content.decode())} == buttons


def test_a_badge_is_saved_and_the_next_one_asked_for(client, administrator):
    client.force_login(administrator)
    page = client.post("/admin/badges/badge/add/", {"id_tag": "04A1B2C3", "_addanother": ""}, follow=True)
    assert page.redirect_chain == [("/admin/badges/badge/add/", 302)]
    assert "04A1B2C3" in page.content.decode()
    assert Badge.objects.get().id_tag == "04A1B2C3"


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
