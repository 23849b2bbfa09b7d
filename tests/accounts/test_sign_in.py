import re

import pytest
from django.utils import timezone

from accounts.models import AccessSettings
from accounts.passwords import RULES
from accounts.services import FIRST_PASSWORD, FIRST_USERNAME, create_first_user

pytestmark = pytest.mark.django_db
GOOD_PASSWORD = "Garage-2026"


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def first_user(client):
    create_first_user()
    return client


def sign_in(client, password=FIRST_PASSWORD):
    return client.post("/sign-in/", {"username": FIRST_USERNAME, "password": password})


def change_password(client, new, again=None):
    return client.post(
        "/password/", {"old_password": FIRST_PASSWORD, "new_password1": new, "new_password2": again or new}
    )


def test_the_delivered_password_leads_only_to_choosing_a_new_one(first_user):
    sign_in(first_user)
    for path in ("/", "/history/", "/live/history", "/live/overview", "/admin/"):
        answer = first_user.get(path)
        assert (answer.status_code, answer.url) == (302, "/password/")


def test_a_good_new_password_opens_the_overview(first_user):
    AccessSettings.objects.create(setup_done_at=timezone.now())
    sign_in(first_user)
    assert change_password(first_user, GOOD_PASSWORD).url == "/"
    assert first_user.get("/").status_code == 200


@pytest.mark.parametrize("weak", ["garage-2026", "GARAGE-2026", "Garage-Haus", "Ga-2026", "Garage2026"])
def test_a_password_that_breaks_one_rule_is_refused_at_its_field(first_user, weak):
    sign_in(first_user)
    page = change_password(first_user, weak).content.decode()
    assert page.count("The password still needs:") == 2  # in the summary and at the field
    assert 'href="#id_new_password2"' in page


def test_two_different_entries_are_refused(first_user):
    sign_in(first_user)
    assert change_password(first_user, GOOD_PASSWORD, GOOD_PASSWORD + "x").status_code == 200


def test_a_wrong_password_is_answered_with_a_message(first_user):
    answer = sign_in(first_user, "4321")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


def test_after_a_wrong_password_the_user_name_stays_and_the_password_is_asked_again(first_user):
    page = sign_in(first_user, "4321").content.decode()
    assert f'value="{FIRST_USERNAME}"' in page
    for answer, asked in ((page, "password"), (first_user.get("/sign-in/").content.decode(), "username")):
        assert re.findall(r'<input id="id_(\w+)"[^>]* autofocus', answer) == [asked]


def test_sign_in_goes_on_to_where_one_was_going(first_user):
    answer = first_user.post("/sign-in/", {"username": FIRST_USERNAME, "password": FIRST_PASSWORD, "next": "/history/"})
    assert answer.url == "/history/"


def test_the_page_names_the_five_rules_in_their_order(first_user):
    sign_in(first_user)
    page = first_user.get("/password/").content.decode()
    named = re.findall(r'<li data-rule="\w+">.*?</svg>\s*([^<]+)<', page, re.DOTALL)
    assert named[:5] == [str(rule) for rule, _holds in RULES]


def test_signing_out_needs_a_post_and_leads_to_the_overview(first_user):
    sign_in(first_user)
    assert first_user.get("/sign-out/").status_code == 405
    assert first_user.post("/sign-out/").url == "/"


@pytest.mark.parametrize(("language", "title"), [("fr", "Se connecter"), ("de", "Anmelden")])
def test_the_sign_in_page_speaks_the_browsers_language(client, language, title):
    page = client.get("/sign-in/", headers={"accept-language": language}).content.decode()
    assert f'<html lang="{language}">' in page
    assert title in page


@pytest.mark.parametrize(("again", "field"), [("Other-1234", "new_password2"), ("Garage-2026", "old_password")])
def test_what_is_wrong_with_a_new_password_is_said_at_its_field(first_user, again, field):
    sign_in(first_user)
    entered = {"old_password": FIRST_PASSWORD, "new_password1": "Garage-2026", "new_password2": again}
    if field == "old_password":
        entered["old_password"] = "wrong"
    page = first_user.post("/password/", entered).content.decode()
    (focused,) = re.findall(r"<input[^>]*autofocus>", page)
    assert f'name="{field}"' in focused
    assert f'aria-describedby="id_{field}_error"' in focused
    assert f'id="id_{field}_error"' in page
    name = {"old_password": "Present password", "new_password2": "New password again"}[field]
    assert f'<a href="#id_{field}">{name}</a>' in page
    assert f'<label for="id_{field}">{name}</label>' in page
