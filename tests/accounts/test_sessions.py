"""Sessions: who is signed in where, how long, and how it ends."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from accounts.changes import lines_of
from accounts.models import Change, Session
from accounts.services import save_user
from accounts.sessions import describe_agent, end_sessions, forget_ended_sessions, is_open, open_sessions
from accounts.tasks import forget_old_sign_ins
from tests.accounts.conftest import PASSWORD

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
AGENTS = {
    FIREFOX: "Firefox on Linux",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    " Edg/140.0.0.0": "Edge on Windows",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile"
    " Safari/537.36": "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0"
    " Mobile/15E148 Safari/604.1": "Safari on iPhone",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0"
    " Safari/605.1.15": "Safari on macOS",
    "curl/8": "Unknown browser",
    "": "Unknown browser",
}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def browser(name="marie", agent=FIREFOX):
    """Sign in with a browser of one's own."""
    client = Client(headers={"user-agent": agent})
    assert client.post("/sign-in/", {"username": name, "password": PASSWORD}).status_code == 302
    return client


def is_signed_in(client):
    return client.get("/account/").status_code == 200


@pytest.mark.parametrize(("agent", "words"), AGENTS.items())
def test_a_browser_is_named_as_people_do(agent, words):
    assert describe_agent(agent) == words


def test_a_session_says_whose_it_is_and_where_it_began(marie):
    browser()
    (session,) = open_sessions(marie)
    assert (session.user, session.address, session.agent) == (marie, "127.0.0.1", FIREFOX)
    assert (session.started_at, session.seen_at) == (NOON, NOON)


def test_a_long_agent_with_odd_characters_is_cut(marie):
    browser(agent="Firefox" + "x" * 5000)
    assert len(open_sessions(marie).get().agent) == 300


def test_being_seen_is_written_every_five_minutes_only(marie, clock):
    client = browser()
    clock.shift(300)
    assert is_signed_in(client)
    assert open_sessions(marie).get().seen_at == NOON
    clock.shift(1)
    assert client.get("/account/").cookies["sessionid"]["max-age"] == 30 * 24 * 3600
    seen = open_sessions(marie).get()
    assert (seen.seen_at, seen.started_at) == (NOON + timedelta(seconds=301), NOON)
    assert "sessionid" not in client.get("/account/").cookies


@pytest.mark.parametrize(("name", "idle"), [("marie", timedelta(days=30)), ("anna", timedelta(hours=12))])
@pytest.mark.usefixtures("marie", "anna")
def test_a_session_ends_after_an_idle_time(clock, name, idle):
    client = browser(name)
    for _ in range(3):
        clock.shift(idle - timedelta(minutes=1))
        assert is_signed_in(client)
    clock.shift(idle + timedelta(seconds=1))
    assert not is_signed_in(client)


@pytest.mark.usefixtures("marie")
def test_the_page_lists_the_sessions_and_marks_this_one():
    client = browser()
    browser(agent="curl/8")
    page = client.get("/account/").content.decode()
    assert page.count("Firefox on Linux") == 1
    assert page.count("This browser") == 1
    assert "Sign out Unknown browser at 127.0.0.1" in page
    for session in Session.objects.all():
        assert session.session_key not in page


@pytest.mark.usefixtures("marie")
def test_one_session_is_ended():
    client, other = browser(), browser()
    (listed,) = [session for session in client.get("/account/").context["sessions"] if not session.is_own]
    assert client.post("/account/sessions/end/", {"session": listed.handle}).url == "/account/"
    assert (is_signed_in(client), is_signed_in(other)) == (True, False)


@pytest.mark.usefixtures("marie", "anna")
def test_a_session_of_another_user_cannot_be_ended():
    client, other = browser(), browser("anna")
    handle = other.get("/account/").context["sessions"][0].handle
    client.post("/account/sessions/end/", {"session": handle})
    assert is_signed_in(other)


@pytest.mark.usefixtures("marie", "anna")
def test_all_others_are_ended_at_once():
    client, others, somebody_else = browser(), [browser() for _ in range(3)], browser("anna")
    page = client.post("/account/sessions/end-others/", follow=True).content.decode()
    assert "3 other browsers were signed out." in page
    change = Change.objects.latest("pk")
    assert (change.object_repr, lines_of(change)) == ("marie", ["Signed out of every other browser."])
    assert not any(map(is_signed_in, others))
    assert is_signed_in(somebody_else)


def test_a_new_password_ends_the_other_sessions_and_not_this_one(marie):
    client, other = browser(), browser()
    new = "Another-2026"
    client.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert (is_signed_in(client), is_signed_in(other)) == (True, False)
    session = open_sessions(marie).get()
    assert (session.agent, session.started_at) == (FIREFOX, NOON)


def test_a_password_set_by_somebody_else_ends_all_sessions(marie):
    client = browser()
    save_user(username="marie", password="Another-2026", is_temporary=True)
    assert not open_sessions(marie).exists()
    assert not is_signed_in(client)


def test_a_deactivated_user_who_comes_back_has_no_session_of_before(marie):
    client = browser()
    marie.is_active = False
    marie.save(update_fields=["is_active"])
    marie.is_active = True
    marie.save(update_fields=["is_active"])
    assert not is_signed_in(client)


@pytest.mark.usefixtures("marie")
def test_saving_a_user_otherwise_ends_nothing():
    client = browser()
    save_user(username="marie", email="marie@example.org")
    assert is_signed_in(client)


def test_signing_out_ends_the_session(marie):
    client = browser()
    client.post("/sign-out/")
    assert not open_sessions(marie).exists()


def test_a_session_is_open_until_it_ends_or_its_user_is_not_active(marie, clock):
    browser()
    key = open_sessions(marie).get().session_key
    assert is_open(key)
    marie.__class__.objects.update(is_active=False)
    assert not is_open(key)
    marie.__class__.objects.update(is_active=True)
    clock.shift(timedelta(days=31))
    assert not is_open(key)
    assert not is_open(None)


def test_an_ended_session_is_not_written_again_by_a_request_under_way(marie, clock):
    client = browser()
    clock.shift(301)
    end_sessions(user=marie)
    assert not is_signed_in(client)
    assert not Session.objects.exists()


@pytest.mark.usefixtures("marie")
def test_sessions_that_ran_out_are_deleted(clock):
    browser()
    clock.shift(timedelta(days=31))
    forget_old_sign_ins()
    assert not Session.objects.exists()
    forget_ended_sessions()


@pytest.mark.parametrize(("secure", "expected"), [(True, True), (False, "")])
@pytest.mark.usefixtures("marie")
def test_the_cookie_of_a_session_over_https_is_never_sent_without_it(client, secure, expected):
    client.post("/sign-in/", {"username": "marie", "password": PASSWORD}, secure=secure)
    cookie = client.cookies["sessionid"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (expected, True, "Lax")


def test_another_role_ends_the_sessions_whoever_gives_it(client, anna):
    client.force_login(anna)
    save_user(username="anna", role="administrator", email="anna@example.org")
    assert open_sessions(anna).count() == 1
    save_user(username="anna", role="standard")
    assert not open_sessions(anna).exists()
