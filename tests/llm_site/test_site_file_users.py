"""Users in a site as a file, and what becomes of the delivered account."""

import pytest

from accounts.models import User
from accounts.services import create_first_user, save_user
from energy.models import Installation
from llm_site.site_file.apply import apply_site
from llm_site.site_file.document import SiteFileError

pytestmark = pytest.mark.django_db


def test_a_password_from_a_file_is_not_temporary():
    user = User(username="bob", must_change_password=True)
    user.set_password("Garage-Nord-1")
    user.save()
    apply_site("users: [{username: bob, password: Garage-Nord-1}]")
    assert not User.objects.get().must_change_password


def test_the_delivered_account_is_closed_once_the_site_is_set_up_and_another_can_administer_it():
    create_first_user()
    apply_site("setup: {done: true}")
    assert User.objects.get(username="admin").is_active
    outcome = apply_site("users: [{username: anna, role: administrator, password: Garage-Nord-1}]")
    assert not User.objects.get(username="admin").is_active
    assert any("delivered password" in warning for warning in outcome.warnings)


def test_the_delivered_account_stays_open_while_the_site_is_not_set_up():
    create_first_user()
    apply_site("users: [{username: anna, role: administrator, password: Garage-Nord-1}]")
    assert User.objects.get(username="admin").is_active


def test_an_admin_with_a_password_of_their_own_is_not_closed():
    create_first_user()
    apply_site(
        "setup: {done: true}\nusers:\n  - {username: admin, password: Garage-Nord-1}\n"
        "  - {username: anna, role: administrator, password: Garage-Nord-1}"
    )
    assert User.objects.get(username="admin").is_active


@pytest.mark.parametrize(
    "users", ["{username: anna, role: standard}", "{username: paul, role: standard}, {username: anna, role: advanced}"]
)
def test_a_file_that_leaves_no_administrator_is_refused_and_changes_nothing(client, users):
    anna = save_user(username="anna", role="administrator", password="Garage-Nord-1")
    client.force_login(anna)
    with pytest.raises(SiteFileError, match="leave one active administrator"):
        apply_site(f"installation: {{name: Nord}}\nusers: [{users}]")
    anna.refresh_from_db()
    assert (anna.role, anna.is_superuser, User.objects.count()) == ("administrator", True, 1)
    assert not Installation.objects.filter(name="Nord").exists()
    assert client.get("/account/").status_code == 200


def test_a_file_may_hand_the_administration_on():
    save_user(username="anna", role="administrator", password="Garage-Nord-1")
    apply_site(
        "users:\n  - {username: anna, role: standard}\n"
        "  - {username: bert, role: administrator, password: Garage-Nord-1}"
    )
    assert User.objects.get(role="administrator").username == "bert"


def test_a_site_that_nobody_can_enter_is_warned_of():
    assert apply_site("users: [{username: anna, role: administrator}]").warnings == [
        "no user can sign in: give an administrator a password"
    ]
