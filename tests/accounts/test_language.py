"""The language is chosen in the header and goes with the user (SPEC S7)."""

import pytest
from django.utils import translation

from accounts.language import language_of_user
from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def marie(client):
    user = User.objects.create(username="marie")
    user.set_password("Garage-2026")
    user.save()
    client.force_login(user)
    return user


def choose(client, language, **headers):
    return client.post("/language/", {"language": language, "next": "/history/"}, headers=headers)


def language_of(client, path="/", **headers):
    page = client.get(path, headers=headers)
    assert page.headers["Content-Language"] in page.content.decode().partition('<html lang="')[2][:2]
    return page.headers["Content-Language"]


@pytest.mark.usefixtures("marie")
def test_the_browsers_language_holds_until_one_is_chosen(client):
    assert language_of(client, **{"accept-language": "de-CH,de;q=0.9"}) == "de"
    assert choose(client, "fr").url == "/history/"
    assert language_of(client, **{"accept-language": "de-CH,de;q=0.9"}) == "fr"


@pytest.mark.usefixtures("marie")
def test_the_chosen_language_is_there_on_another_browser_from_the_sign_in_on(client):
    choose(client, "de")
    client.logout()
    client.cookies.clear()
    assert language_of(client, "/sign-in/") == "en"
    client.post("/sign-in/", {"username": "marie", "password": "Garage-2026"})
    assert language_of(client) == "de"


def test_the_users_language_wins_over_that_of_a_shared_browser(client, marie):
    choose(client, "fr")
    client.logout()
    choose(client, "de")
    assert language_of(client, "/sign-in/") == "de"
    client.force_login(marie)
    assert language_of(client) == "fr"


def test_a_visitors_choice_stays_in_the_browser(client):
    choose(client, "fr")
    assert language_of(client) == "fr"
    assert not User.objects.exclude(language="").exists()


@pytest.mark.parametrize("language", ["xx", "", "a" * 300])
def test_a_language_that_is_not_offered_changes_nothing(client, marie, language):
    choose(client, language)
    marie.refresh_from_db()
    assert marie.language == ""
    assert language_of(client) == "en"


@pytest.mark.usefixtures("marie")
def test_the_language_is_not_chosen_by_a_link(client):
    assert client.get("/language/?language=fr").status_code == 405


@pytest.mark.usefixtures("marie")
def test_the_choice_sends_nobody_to_another_host(client):
    assert client.post("/language/", {"language": "fr", "next": "https://example.org/"}).url == "/"


@pytest.mark.usefixtures("marie")
def test_who_must_choose_a_password_may_choose_a_language_first(client):
    User.objects.update(must_change_password=True)
    choose(client, "de")
    assert language_of(client, "/password/") == "de"


async def test_an_async_view_is_answered_in_the_users_language(rf):
    async def view(_request):
        return translation.get_language()

    request = rf.get("/live/overview")
    request.user = User(language="fr")
    assert await language_of_user(view)(request) == "fr"
