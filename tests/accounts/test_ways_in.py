"""What an administrator does to how a user comes in."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.changes import lines_of
from accounts.models import Change
from accounts.second_factor import has_second_factor
from accounts.services import save_user
from tests.accounts.codes import switch_on
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(marie):
    return reverse("admin:accounts_user_ways_in", args=[marie.pk])


@pytest.fixture
def administrator(client, anna):
    client.force_login(anna)
    return client


def test_the_users_page_leads_there(administrator, marie, page):
    assert page in administrator.get(reverse("admin:accounts_user_change", args=[marie.pk])).content.decode()


def test_a_lost_second_factor_is_removed(administrator, marie, page):
    switch_on(marie)
    assert "Remove the second factor" in administrator.get(page).content.decode()
    assert has_second_factor(marie)
    shown = administrator.post(page, {"remove_second_factor": ""}, follow=True).content.decode()
    assert "The second factor was removed." in shown
    assert not has_second_factor(marie)
    kept = Change.objects.filter(changes__has_key="second_factor").latest("pk")
    assert (kept.object_repr, kept.additional_data["who"], kept.changes["second_factor"]) == (
        "marie",
        "anna",
        [True, False],
    )


def test_the_sessions_of_a_user_are_shown_and_ended(administrator, marie, page):
    browser = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    browser.force_login(marie)
    browser.get("/account/")
    assert "127.0.0.1" not in administrator.get(page).content.decode()
    administrator.post(page, {"end_sessions": ""})
    assert browser.get("/account/").status_code == 302
    assert lines_of(Change.objects.latest("pk")) == ["Signed out of every other browser."]
    assert "Not signed in anywhere." in administrator.get(page).content.decode()


def test_a_form_without_a_button_does_nothing(administrator, marie, page):
    switch_on(marie)
    browser = Client()
    browser.force_login(marie)
    assert "Nothing was chosen." in administrator.post(page, follow=True).content.decode()
    assert browser.get("/account/").status_code == 200
    assert has_second_factor(marie)


def test_one_does_not_end_ones_own_session_there(administrator, anna):
    administrator.post(reverse("admin:accounts_user_ways_in", args=[anna.pk]), {"end_sessions": ""})
    assert administrator.get("/account/").status_code == 200


@pytest.mark.parametrize("role", ["standard", "advanced"])
def test_others_may_not(client, marie, page, role):
    switch_on(marie)
    client.force_login(save_user(username="other", role=role, password=PASSWORD))
    client.post(page, {"remove_second_factor": ""})
    assert has_second_factor(marie)


def test_a_user_who_does_not_exist_is_not_found(administrator):
    assert administrator.get(reverse("admin:accounts_user_ways_in", args=[4711])).status_code == 404


def test_no_page_shows_the_key_of_a_second_factor(administrator, marie):
    switch_on(marie)
    for address in ("/admin/otp_totp/totpdevice/", "/admin/otp_static/staticdevice/"):
        assert administrator.get(address).status_code == 404
