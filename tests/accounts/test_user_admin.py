"""Users in the admin: the role gives the rights, and somebody always administers."""

import pytest
from django.urls import reverse

from accounts.models import User
from accounts.services import save_user

pytestmark = pytest.mark.django_db

PASSWORD = "Garage-2026"


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
