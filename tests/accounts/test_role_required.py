"""The decorator that opens a view to a role: nobody signs in first, too little is told who may."""

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from accounts.access import has_role, role_required
from accounts.models import Role, User

ADDRESS = "/badges/scan/?station=1"


@role_required(Role.ADVANCED)
def view(request, number):  # noqa: ARG001 (a view's interface)
    """Say a number."""
    return HttpResponse(f"sync {number}")


@role_required(Role.ADVANCED)
async def async_view(request, number):  # noqa: ARG001
    return HttpResponse(f"async {number}")


def answer(rf, guarded, user):
    request = rf.get(ADDRESS)

    async def auser():
        return user

    request.user, request.auser = user, auser
    return (async_to_sync(guarded) if iscoroutinefunction(guarded) else guarded)(request, number=7)


@pytest.mark.parametrize("guarded", [view, async_view])
@pytest.mark.parametrize("role", [Role.ADVANCED, Role.ADMINISTRATOR])
def test_the_role_and_those_above_come_in(rf, guarded, role):
    assert answer(rf, guarded, User(role=role)).content in (b"sync 7", b"async 7")


@pytest.mark.parametrize("guarded", [view, async_view])
def test_who_has_too_little_is_told_who_may(rf, guarded):
    with pytest.raises(PermissionDenied, match="profile “Advanced” or above; yours is “Standard”"):
        answer(rf, guarded, User(role=Role.STANDARD))


@pytest.mark.parametrize("guarded", [view, async_view])
def test_nobody_comes_to_the_sign_in_page_and_from_there_back(rf, guarded):
    response = answer(rf, guarded, AnonymousUser())
    assert (response.status_code, response.url) == (302, "/sign-in/?next=/badges/scan/%3Fstation%3D1")


def test_a_guarded_view_keeps_its_name_and_its_kind():
    assert (view.__name__, view.__doc__) == ("view", "Say a number.")
    assert iscoroutinefunction(async_view)
    assert not iscoroutinefunction(view)


def test_nobody_has_no_role():
    assert not has_role(AnonymousUser(), Role.STANDARD)


@pytest.mark.django_db
def test_the_page_that_turns_away_has_our_frame_and_the_way_back(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    client.force_login(User.objects.create(username="paul", role="advanced", is_staff=True))
    page = client.get("/admin/energy/installation/")
    assert page.status_code == 403
    text = page.content.decode()
    assert 'aria-label="Main menu"' in text
    assert "Ask an administrator" in text
