"""One's own account: language, and the second factor's life."""

import html
import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
import time_machine
from django.test import Client

from accounts.second_factor import has_second_factor
from accounts.services import save_user
from tests.accounts.codes import code_now, key_on, switch_on
from tests.accounts.conftest import PASSWORD

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PAGES = ["/account/", "/account/second-factor/", "/account/second-factor/codes/", "/account/second-factor/off/"]
DEEDS = ["/account/sessions/end/", "/account/sessions/end-others/"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def me(client, marie):
    client.force_login(marie)
    return marie


@pytest.mark.parametrize("path", PAGES + DEEDS)
def test_who_is_not_signed_in_is_led_to_the_sign_in_page(client, path):
    answer = client.post(path) if path in DEEDS else client.get(path)
    assert answer.url == f"/sign-in/?next={path}"


@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.usefixtures("me")
def test_nothing_is_done_by_looking(client, path):
    assert client.get(path).status_code == 405


def test_a_second_factor_is_set_up_with_a_key_and_a_code(client, me):
    page = client.get("/account/second-factor/").content.decode()
    assert "<svg" in page
    key = key_on(page)
    answer = client.post("/account/second-factor/", {"password": PASSWORD, "code": code_now(key)})
    codes = re.findall(r"<code>([A-Z2-9]{5}-[A-Z2-9]{5})</code>", answer.content.decode())
    assert len(codes) == 10
    (download,) = re.findall(r'href="data:text/plain;charset=utf-8,([^"]+)"', answer.content.decode())
    assert unquote(html.unescape(download)).split() == codes
    assert "no-store" in answer["Cache-Control"]
    assert has_second_factor(me)
    assert "10 recovery codes are left." in client.get("/account/").content.decode()


def test_a_wrong_code_keeps_the_key_and_says_so_at_the_field(client, me):
    key = key_on(client.get("/account/second-factor/").content.decode())
    page = client.post("/account/second-factor/", {"password": PASSWORD, "code": "000000"}).content.decode()
    assert 'href="#id_code"' in page
    assert key_on(page) == key
    assert not has_second_factor(me)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_whoever_finds_the_browser_open_sets_up_no_second_factor(client, me, password):
    key = key_on(client.get("/account/second-factor/").content.decode())
    page = client.post("/account/second-factor/", {"password": password, "code": code_now(key)}).content.decode()
    assert 'href="#id_password"' in page
    assert not has_second_factor(me)


@pytest.mark.usefixtures("me")
def test_the_password_is_guessed_no_faster_there_than_at_the_sign_in_page(client):
    sent = {"password": "wrong", "code": "000000"}
    answers = [client.post("/account/second-factor/", sent).status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 200, 429]


def test_browsers_that_came_in_by_the_password_alone_are_signed_out_by_a_second_factor(client, me):
    other = Client()
    other.force_login(me)
    key = key_on(client.get("/account/second-factor/").content.decode())
    client.post("/account/second-factor/", {"password": PASSWORD, "code": code_now(key)})
    assert other.get("/account/").status_code == 302
    assert client.get("/account/").status_code == 200


def test_the_key_is_shown_to_nobody_once_it_counts(client, me):
    switch_on(me)
    assert client.get("/account/second-factor/").url == "/account/"


@pytest.mark.parametrize("path", PAGES[2:])
@pytest.mark.usefixtures("me")
def test_without_a_second_factor_there_is_nothing_to_renew_or_to_switch_off(client, path):
    assert client.get(path).url == "/account/"


def test_password_and_code_make_new_recovery_codes(client, me):
    key, old = switch_on(me)
    page = client.post(PAGES[2], {"password": PASSWORD, "code": code_now(key)}).content.decode()
    assert page.count("<code>") == 10
    assert not set(re.findall(r"<code>([^<]+)</code>", page)) & set(old)


def test_password_and_code_switch_it_off(client, me):
    _key, codes = switch_on(me)
    assert client.post(PAGES[3], {"password": PASSWORD, "code": codes[0]}).url == "/account/"
    assert not has_second_factor(me)


@pytest.mark.parametrize("path", PAGES[2:])
def test_a_wrong_password_uses_up_no_code(client, me, path):
    _key, codes = switch_on(me)
    page = client.post(path, {"password": "wrong", "code": codes[0]}).content.decode()
    assert "This is not your password." in page
    assert "10 recovery codes are left." in client.get("/account/").content.decode()


def test_a_known_password_does_not_let_codes_be_guessed_without_end(client, me):
    switch_on(me)
    answers = [client.post(PAGES[3], {"password": PASSWORD, "code": "000000"}).status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 200, 429]
    new = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert client.post("/password/", {"old_password": PASSWORD, **new}).status_code == 429
    assert has_second_factor(me)


@pytest.mark.parametrize("is_temporary", [True, False])
def test_the_present_password_is_no_new_one(client, is_temporary):
    user = save_user(username="paul", role="standard", password=PASSWORD, is_temporary=is_temporary)
    client.force_login(user)
    sent = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert "This is the present password: choose another one." in client.post("/password/", sent).content.decode()
    user.refresh_from_db()
    assert user.must_change_password is is_temporary
