"""The sign-in page: its lock-out, its second step, and what comes first after it."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.utils import timezone

from accounts.models import AccessSettings, User
from accounts.second_factor import remove_second_factor
from accounts.services import renew_token, save_user
from tests.accounts.codes import code_now, switch_on
from tests.accounts.conftest import PASSWORD

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def sign_in(client, name="marie", password=PASSWORD, **extra):
    return client.post("/sign-in/", {"username": name, "password": password, **extra})


def is_signed_in(client):
    return client.get("/account/").status_code == 200


@pytest.mark.usefixtures("marie")
@pytest.mark.parametrize("name", ["marie", "nobody"])
def test_after_five_wrong_passwords_even_the_right_one_waits(client, clock, name):
    for _ in range(5):
        assert sign_in(client, name, "wrong").status_code == 200
    answer = sign_in(client, name)
    assert (answer.status_code, answer["Retry-After"]) == (429, "30")
    assert "Too many attempts. Try again in 30 s." in answer.content.decode()
    clock.shift(30)
    assert sign_in(client, "marie").status_code == 302


@pytest.mark.usefixtures("marie")
def test_an_unknown_name_is_answered_like_a_wrong_password(client):
    pages = [sign_in(client, name, "wrong").context["form"].non_field_errors() for name in ("marie", "nobody")]
    assert pages[0] == pages[1]


@pytest.mark.usefixtures("marie")
class CountingHasher(MD5PasswordHasher):
    """Counts the passwords that were worked on: what takes the time of a sign-in."""

    done = 0

    def encode(self, password, salt):
        CountingHasher.done += 1
        return super().encode(password, salt)


def test_an_unknown_name_costs_as_much_as_a_wrong_password(client, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    save_user(username="marie", role="standard", password=PASSWORD)
    costs = []
    for name in ("marie", "nobody"):
        before = CountingHasher.done
        sign_in(client, name, "wrong")
        costs.append(CountingHasher.done - before)
    assert costs == [1, 1]


def test_a_deactivated_user_is_answered_like_a_wrong_password(client):
    User.objects.update(is_active=False)
    assert "User name or password is wrong." in str(sign_in(client).context["form"].non_field_errors())
    assert not is_signed_in(client)


@pytest.mark.usefixtures("marie")
def test_behind_a_trusted_proxy_the_address_is_that_of_the_visitor(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    attacker, caretaker = (Client(headers={"x-forwarded-for": address}) for address in ("10.0.0.1", "10.0.0.2"))
    for _ in range(5):
        sign_in(attacker, password="wrong")
    assert sign_in(attacker).status_code == 429
    assert sign_in(caretaker).status_code == 302


@pytest.mark.usefixtures("marie")
def test_nobody_else_chooses_the_address_that_counts(client):
    for number in range(5):
        sign_in(Client(headers={"x-forwarded-for": f"10.0.0.{number}"}), password="wrong")
    assert sign_in(client).status_code == 429


class TestSecondStep:
    @pytest.fixture
    def key(self, marie):
        return switch_on(marie)[0]

    @pytest.mark.usefixtures("key")
    def test_a_right_password_leads_to_the_code_and_to_nothing_else(self, client):
        assert sign_in(client).url == "/sign-in/code/"
        assert not is_signed_in(client)
        assert client.get("/sign-in/code/").status_code == 200

    def test_a_right_code_leads_on_to_where_one_was_going(self, client, key):
        sign_in(client, next="/history/")
        assert client.post("/sign-in/code/", {"code": code_now(key)}).url == "/history/"
        assert is_signed_in(client)

    def test_no_other_host_is_gone_to(self, client, key):
        sign_in(client, next="https://example.org/")
        assert client.post("/sign-in/code/", {"code": code_now(key)}).url == "/"

    def test_a_recovery_code_works_once(self, client, marie):
        _key, codes = switch_on(marie)
        sign_in(client)
        assert client.post("/sign-in/code/", {"code": codes[3]}).status_code == 302
        client.post("/sign-out/")
        sign_in(client)
        assert client.post("/sign-in/code/", {"code": codes[3]}).status_code == 200
        assert not is_signed_in(client)

    def test_who_has_not_given_the_password_is_led_to_it(self, client, key):
        assert client.get("/sign-in/code/").url == "/sign-in/"
        assert client.post("/sign-in/code/", {"code": code_now(key)}).url == "/sign-in/"

    def test_the_password_is_asked_again_after_ten_minutes(self, client, clock, key):
        sign_in(client)
        clock.shift(601)
        assert client.post("/sign-in/code/", {"code": code_now(key)}).url == "/sign-in/"

    @pytest.mark.parametrize("change", ["password", "is_active", "second factor"])
    def test_the_password_is_asked_again_when_the_first_step_counts_no_longer(self, client, marie, key, change):
        sign_in(client)
        if change == "password":
            marie.set_password("Another-2026")
        elif change == "is_active":
            marie.is_active = False
        else:
            remove_second_factor(user=marie)
        marie.save()
        assert client.post("/sign-in/code/", {"code": code_now(key)}).url == "/sign-in/"

    def test_wrong_codes_count_to_the_lock_out(self, client, clock, key):
        for _ in range(5):
            sign_in(client)
            answer = client.post("/sign-in/code/", {"code": "000000"})
            assert answer.status_code == 200
        answer = client.post("/sign-in/code/", {"code": code_now(key)})
        assert (answer.status_code, answer["Retry-After"]) == (429, "30")
        assert sign_in(Client()).status_code == 429
        clock.shift(30)
        assert client.post("/sign-in/code/", {"code": code_now(key)}).status_code == 302
        assert is_signed_in(client)

    @pytest.mark.usefixtures("key")
    def test_the_page_is_kept_in_no_cache(self, client):
        sign_in(client)
        assert "no-store" in client.get("/sign-in/code/")["Cache-Control"]


class TestNeeded:
    @pytest.fixture(autouse=True)
    def _needed(self):
        settings = {"administrators_need_second_factor": True, "setup_done_at": timezone.now()}
        AccessSettings.objects.update_or_create(pk=1, defaults=settings)

    @pytest.mark.usefixtures("anna")
    def test_an_administrator_without_one_reaches_nothing_but_its_set_up(self, client):
        sign_in(client, "anna")
        for path in ("/", "/admin/", "/account/", "/password/", "/live/history", "/admin/accounts/user/"):
            answer = client.get(path)
            assert (path, answer.status_code, answer.url) == (path, 302, "/account/second-factor/")
        answer = client.get("/api/stations")
        assert (answer.status_code, "/account/second-factor/" in answer.json()["message"]) == (403, True)
        assert "Administrators need a second factor here." in client.get("/account/second-factor/").content.decode()

    def test_once_it_is_set_up_everything_is_open(self, client, anna):
        client.force_login(anna)
        switch_on(anna)
        assert client.get("/").status_code == 200

    def test_the_temporary_password_comes_first(self, client, anna):
        User.objects.update(must_change_password=True)
        client.force_login(anna)
        assert client.get("/account/second-factor/").url == "/password/"

    def test_others_need_none(self, client, marie):
        client.force_login(marie)
        assert client.get("/").status_code == 200

    @pytest.mark.usefixtures("anna")
    def test_tokens_go_on_working(self):
        program = Client(headers={"authorization": f"Bearer {renew_token(username='anna')}"})
        assert program.get("/api/stations").status_code == 200


def test_the_old_password_is_guessed_no_faster_than_at_the_sign_in_page(client, marie):
    client.force_login(marie)
    new = {"new_password1": "Another-2026", "new_password2": "Another-2026"}
    for _ in range(5):
        assert client.post("/password/", {"old_password": "wrong", **new}).status_code == 200
    answer = client.post("/password/", {"old_password": PASSWORD, **new})
    assert (answer.status_code, answer["Retry-After"]) == (429, "30")
    marie.refresh_from_db()
    assert marie.check_password(PASSWORD)


def test_the_admins_own_password_page_gives_way_to_ours(client, anna):
    client.force_login(anna)
    assert client.get("/admin/password_change/").url == "/password/"


@pytest.mark.usefixtures("anna")
def test_wrong_tokens_of_the_api_have_to_wait():
    good = Client(headers={"authorization": f"Bearer {renew_token(username='anna')}"})
    wrong = Client(headers={"authorization": "Bearer guess"})
    for _ in range(5):
        assert wrong.get("/api/stations").status_code == 401
    for program in (wrong, good):
        answer = program.get("/api/stations")
        assert (answer.status_code, answer["Retry-After"]) == (429, "30")
        assert "try again in 30 s" in answer.json()["message"]


@pytest.mark.usefixtures("marie")
def test_the_language_of_a_user_comes_along_to_a_new_browser(client):
    User.objects.update(language="de")
    sign_in(client)
    assert '<html lang="de">' in client.get("/account/").content.decode()
