"""What a role may do: by the table in the settings, and by nothing else."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from accounts.models import User
from accounts.services import create_first_user, save_user
from badges.models import Badge
from llm_site.site_file.apply import apply_site

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "permission", "may"),
    [
        ("standard", "badges.view_badge", False),
        ("advanced", "badges.delete_badge", True),
        ("advanced", "badges.view_badgesettings", True),
        ("advanced", "badges.change_badgesettings", False),
        ("advanced", "accounts.add_user", True),
        ("advanced", "stations.view_station", False),
        ("advanced", "stations.view_transaction", False),
        ("advanced", "accounts.view_change", False),
        ("administrator", "stations.delete_station", True),
        ("administrator", "accounts.view_change", True),
    ],
)
def test_a_role_may_what_the_table_says(role, permission, may):
    user = save_user(username="paul", role=role)
    assert user.has_perm(permission) is may


def test_who_is_not_active_may_nothing():
    for role in ("advanced", "administrator"):
        user = save_user(username=role, role=role)
        user.is_active = False
        assert not user.has_perm("badges.view_badge")
        assert user.get_all_permissions() == set()


def test_permissions_given_beside_the_role_count_for_nothing():
    user = save_user(username="marie", role="standard")
    wanted = Permission.objects.get(codename="view_badge")
    user.user_permissions.add(wanted)
    group = Group.objects.create(name="more")
    group.permissions.add(wanted)
    user.groups.add(group)
    assert not User.objects.get(pk=user.pk).has_perm("badges.view_badge")


def test_every_permission_in_the_table_exists(settings):
    known = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}
    for names in settings.ROLE_PERMISSIONS.values():
        assert set(names) <= known


def test_the_rights_follow_the_role_by_every_way():
    create_first_user()
    apply_site("users: [{username: paul, role: advanced}, {username: anna, role: administrator}]")
    apply_site("users: [{username: paul, role: standard}]")
    rights = {user.username: (user.role, user.is_staff, user.is_superuser) for user in User.objects.all()}
    assert rights == {
        "admin": ("administrator", True, True),
        "paul": ("standard", False, False),
        "anna": ("administrator", True, True),
    }


def test_an_administrator_made_on_the_command_line_is_one(capsys):
    call_command("createsuperuser", username="anna", email="", interactive=False)
    assert User.objects.get(username="anna").role == "administrator"
    assert "created" in capsys.readouterr().out


def test_the_admins_first_page_shows_an_advanced_user_their_jobs(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    client.force_login(save_user(username="paul", role="advanced"))
    Badge.objects.create(id_tag="CAFE01")
    page = client.get("/admin/").content.decode()
    assert "/admin/badges/badge/" in page
    assert "/admin/accounts/user/" in page
    assert "/admin/stations/" not in page
