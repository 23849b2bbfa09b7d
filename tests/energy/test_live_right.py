"""The live stream of a restricted dashboard ends with the session, and with the user."""

from dataclasses import replace

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from accounts.models import AccessSettings, DashboardAccess, User
from accounts.sessions import end_sessions
from energy import live
from energy.live import Viewer

VISITOR = Viewer(
    language="en", host="garage", is_secure=False, is_signed_in=False, may_approve=False, may_configure=False
)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    for wait in ("PERIOD_S", "SILENCE_S", "RIGHT_CHECK_S"):
        monkeypatch.setattr(live, wait, 0.01)


@database_sync_to_async
def sign_in():
    """Sign marie in; returns the key of her session."""
    browser = Client()
    browser.force_login(User.objects.create(username="marie"))
    return browser.session.session_key


@database_sync_to_async
def restrict(access):
    AccessSettings.objects.update_or_create(pk=1, defaults={"dashboard_access": access})


@database_sync_to_async
def end():
    end_sessions(user=User.objects.get())


async def goes_on(events):
    """Say whether something more comes; a stream that has ended says so within a few turns."""
    try:
        for _ in range(5):
            await anext(events)
    except StopAsyncIteration:
        return False
    await events.aclose()
    return True


@pytest.fixture
async def events():
    """Open the stream of marie's browser."""
    await restrict(DashboardAccess.RESTRICTED)
    stream = live.overview_events(replace(VISITOR, is_signed_in=True), await sign_in())
    await anext(stream)
    return stream


async def test_a_restricted_dashboard_streams_to_who_is_signed_in(events):
    assert await goes_on(events)


async def test_it_ends_with_the_session(events):
    await end()
    assert not await goes_on(events)


async def test_it_ends_when_the_user_is_deactivated(events):
    await User.objects.aupdate(is_active=False)
    assert not await goes_on(events)


async def test_what_a_user_sees_of_a_public_dashboard_ends_with_the_session_too(events):
    await restrict(DashboardAccess.PUBLIC)
    assert b"event: ended" not in await anext(events)
    await end()
    assert not await goes_on(events)


async def test_a_public_dashboard_streams_to_who_never_signed_in():
    await restrict(DashboardAccess.PUBLIC)
    stream = live.overview_events(VISITOR)
    await anext(stream)
    assert await goes_on(stream)
