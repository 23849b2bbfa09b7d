"""Users in the admin: the role gives the rights, and somebody always administers."""

import re
from threading import Thread

import pytest
from django.db import connection, connections
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import renew_token, save_user

pytestmark = pytest.mark.django_db

PASSWORD = "Garage-2026"


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def administrator(client):
    user = save_user(username="anna", role="administrator", password=PASSWORD)
    client.force_login(user)
    return user


def change(client, user, **values):
    fields = {"username": user.username, "role": user.role, "email": "", **values}
    return client.post(reverse("admin:accounts_user_change", args=[user.pk]), fields)


@pytest.mark.usefixtures("administrator")
def test_a_new_administrator_may_administer_and_must_change_the_password(client):
    fields = {"username": "bert", "role": "administrator", "email": "", "password1": PASSWORD, "password2": PASSWORD}
    response = client.post(reverse("admin:accounts_user_add"), fields)
    assert response.status_code == 302, response.context["errors"]
    user = User.objects.get(username="bert")
    assert (user.is_staff, user.is_superuser, user.must_change_password) == (True, True, True)


@pytest.mark.parametrize("values", [{"role": "standard", "is_active": "on"}, {}])
def test_the_last_administrator_stays(client, administrator, values):
    assert b"last active administrator" in change(client, administrator, **values).content
    administrator.refresh_from_db()
    assert (administrator.role, administrator.is_active, administrator.is_superuser) == ("administrator", True, True)
    response = client.post(reverse("admin:accounts_user_delete", args=[administrator.pk]), {"post": "yes"})
    assert response.status_code == 403


def test_an_administrator_who_is_not_the_last_can_become_a_standard_user(client, administrator):
    other = save_user(username="bert", role="administrator", password=PASSWORD)
    assert change(client, other, role="standard", is_active="on").status_code == 302
    other.refresh_from_db()
    assert (other.role, other.is_staff, other.is_superuser) == ("standard", False, False)
    assert administrator.is_active


@pytest.mark.django_db(transaction=True)
def test_of_two_administrators_who_demote_each_other_at_once_one_stays():
    """The first is about to be saved when the second one's turn comes: it waits, and finds one administrator left."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one write at a time: the second begins when the first is done")
    anna, bert = (save_user(username=name, role="administrator", password=PASSWORD) for name in ("anna", "bert"))
    browsers = {anna: Client(), bert: Client()}
    for user, browser in browsers.items():
        browser.force_login(user)
    answers = []

    def demote(user, by):
        try:
            answers.append(change(browsers[by], user, role="standard", is_active="on").status_code)
        finally:
            connections.close_all()

    second = Thread(target=demote, args=(anna, bert))

    def let_the_second_come(instance, **_signal):
        if instance.username == "bert" and instance.role == "standard":
            second.start()
            while second.is_alive() and not somebody_waits_for_a_lock():
                pass

    pre_save.connect(let_the_second_come, sender=User)
    try:
        demote(bert, anna)
        second.join()
    finally:
        pre_save.disconnect(let_the_second_come, sender=User)
    assert sorted(answers) == [200, 302]
    assert [user.username for user in User.objects.filter(role="administrator")] == ["anna"]


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def test_nobody_locks_themselves_out(client, administrator):
    save_user(username="bert", role="administrator", password=PASSWORD)
    for values in ({"role": "standard", "is_active": "on"}, {"role": "administrator"}):
        assert b"You would lock yourself out" in change(client, administrator, **values).content
    response = client.post(reverse("admin:accounts_user_delete", args=[administrator.pk]), {"post": "yes"})
    assert response.status_code == 403


@pytest.mark.usefixtures("administrator")
@pytest.mark.parametrize(("before", "after"), [("administrator", "standard"), ("standard", "administrator")])
def test_another_profile_ends_the_sessions_that_began_with_the_old_one(client, before, after):
    other = save_user(username="bert", role=before, password=PASSWORD)
    theirs = Client()
    theirs.force_login(other)
    assert change(client, other, is_active="on", email="bert@example.org").status_code == 302
    assert theirs.get("/account/").status_code == 200
    assert change(client, other, role=after, is_active="on").status_code == 302
    assert theirs.get("/account/").status_code == 302
    assert client.get("/account/").status_code == 200


@pytest.mark.usefixtures("administrator")
@pytest.mark.parametrize("is_temporary", [True, False])
def test_only_a_reset_makes_a_password_temporary_and_only_its_user_makes_it_last(client, is_temporary):
    other = save_user(username="marie", role="standard", password=PASSWORD, is_temporary=is_temporary)
    sent = {} if is_temporary else {"must_change_password": "on"}
    assert change(client, other, is_active="on", **sent).status_code == 302
    other.refresh_from_db()
    assert other.must_change_password is is_temporary


@pytest.mark.usefixtures("administrator")
def test_the_page_says_what_each_profile_may_do(client):
    page = client.get(reverse("admin:accounts_user_add")).content.decode()
    assert "Advanced: sees the overview, manages badges" in page
    assert "The password you give is temporary" in page


@pytest.mark.usefixtures("administrator")
def test_a_password_that_is_reset_is_temporary_and_ends_what_is_open(client):
    other = save_user(username="marie", role="standard", password=PASSWORD)
    theirs = Client()
    theirs.force_login(other)
    address = reverse("admin:auth_user_password_change", args=[other.pk])
    assert b"This password is temporary" in client.get(address).content
    assert client.post(address, {"password1": "Garage-2027", "password2": "Garage-2027"}).status_code == 302
    other.refresh_from_db()
    assert other.check_password("Garage-2027")
    assert other.must_change_password
    assert "_auth_user_id" not in theirs.get("/sign-in/").wsgi_request.session


@pytest.mark.parametrize("written", ["{}", "0{}", "{} "])
def test_ones_own_password_is_not_reset_but_changed(client, administrator, written):
    address = reverse("admin:auth_user_password_change", args=[written.format(administrator.pk)])
    response = client.post(address, {"password1": "Garage-2027", "password2": "Garage-2027"})
    assert (response.status_code, response.url) == (302, "/password/")
    administrator.refresh_from_db()
    assert administrator.check_password(PASSWORD)


@pytest.mark.usefixtures("administrator")
def test_a_deactivated_user_is_let_in_nowhere(client):
    other = save_user(username="marie", role="standard", password=PASSWORD)
    token = renew_token(username="marie")
    assert change(client, other).status_code == 302
    assert not Client().login(username="marie", password=PASSWORD)
    answer = Client().get("/api/stations", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.usefixtures("administrator")
def test_a_token_is_shown_once_and_ends_when_it_is_ended(client):
    other = save_user(username="marie", role="standard", password=PASSWORD)
    address = reverse("admin:accounts_user_api_token", args=[other.pk])
    page = client.post(address, {"make": ""}).content.decode()
    token = re.search(r'<code class="select-all[^"]*">([^<]+)</code>', page)[1]
    headers = {"authorization": f"Bearer {token}"}
    assert Client().get("/api/stations", headers=headers).status_code == 200
    assert token not in client.get(address).content.decode()
    assert client.post(address, {"end": ""}).status_code == 302
    assert Client().get("/api/stations", headers=headers).status_code == 401


@pytest.mark.usefixtures("administrator")
def test_the_list_says_who_signed_in_when_and_who_can(client):
    User.objects.create(username="marie", must_change_password=True)
    User.objects.create(username="paul", is_active=False)
    page = client.get(reverse("admin:accounts_user_changelist")).content.decode()
    for words in ("never", "Temporary password", "Deactivated", "Active"):
        assert words in page


# --- Advanced users: Standard users alone


@pytest.fixture
def advanced(client):
    user = save_user(username="paul", role="advanced", password=PASSWORD)
    client.force_login(user)
    return user


@pytest.mark.usefixtures("advanced")
@pytest.mark.parametrize("asked", ["sessions__session_key__startswith", "sessions__gt", "api_token_hash__startswith"])
def test_no_column_is_guessed_by_a_filter_that_the_list_does_not_offer(client, asked):
    save_user(username="marie", role="standard", password=PASSWORD)
    assert client.get(reverse("admin:accounts_user_changelist"), {asked: "a"}).status_code == 400


@pytest.mark.usefixtures("administrator")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"role__exact": "standard"}, ["marie", "paul"]),
        ({"is_active__exact": "0"}, ["paul"]),
        ({"q": "mar"}, ["marie"]),
    ],
)
def test_the_filters_of_the_list_find_users(client, asked, found):
    save_user(username="marie", role="standard", password=PASSWORD)
    User.objects.create(username="paul", role="standard", is_active=False)
    page = client.get(reverse("admin:accounts_user_changelist"), asked)
    assert sorted(user.username for user in page.context["cl"].result_list) == found


@pytest.mark.usefixtures("advanced")
@pytest.mark.parametrize("role", ["standard", "advanced", "administrator"])
def test_an_advanced_user_makes_standard_users_whatever_they_send(client, role):
    fields = {"username": "marie", "role": role, "email": "", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(reverse("admin:accounts_user_add"), fields).status_code == 302
    user = User.objects.get(username="marie")
    assert (user.role, user.is_staff, user.is_superuser, user.must_change_password) == ("standard", False, False, True)


@pytest.mark.usefixtures("advanced")
def test_an_advanced_user_changes_and_deletes_a_standard_user_but_not_the_profile(client):
    user = save_user(username="marie", role="standard", password=PASSWORD)
    assert change(client, user, role="administrator", email="marie@example.org", is_active="on").status_code == 302
    user.refresh_from_db()
    assert (user.role, user.is_superuser, user.email) == ("standard", False, "marie@example.org")
    client.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})
    assert not User.objects.filter(username="marie").exists()


@pytest.mark.parametrize("page", ["accounts_user_change", "accounts_user_delete", "auth_user_password_change"])
def test_an_advanced_user_reaches_neither_themselves_nor_those_above(client, advanced, page):
    boss = save_user(username="anna", role="administrator", password=PASSWORD)
    peer = save_user(username="bert", role="advanced", password=PASSWORD)
    listed = client.get(reverse("admin:accounts_user_changelist")).content.decode()
    for user in (boss, peer, advanced):
        assert f"/admin/accounts/user/{user.pk}/change/" not in listed
        sent = {"post": "yes", "role": "administrator", "password1": "Garage-2027", "password2": "Garage-2027"}
        client.post(reverse(f"admin:{page}", args=[user.pk]), {**sent, "username": user.username})
        kept = User.objects.get(pk=user.pk)
        assert (kept.role, kept.check_password(PASSWORD), kept.is_active) == (user.role, True, True)


@pytest.mark.usefixtures("advanced")
def test_an_advanced_user_hands_out_no_token(client):
    user = save_user(username="marie", role="standard", password=PASSWORD)
    assert client.post(reverse("admin:accounts_user_api_token", args=[user.pk]), {"make": ""}).status_code == 403
    user.refresh_from_db()
    assert user.api_token_hash is None
