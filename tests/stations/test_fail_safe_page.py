"""The page of the fail-safe test: what stands in its way, the test that runs, what it found."""

import pytest
from django.urls import reverse

from accounts.services import save_user
from stations.models import Connector, FailSafeTest, Station, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    return Station.objects.create(identity="CP1", state="configured", socket_id="web/1", standing_fail_safe_a=6)


@pytest.fixture
def connector(station):
    drawn = {f"current_l{phase}_a": 15.9 for phase in (1, 2, 3)}
    row = Connector.objects.create(station=station, number=1, accepted_limit_a=16, **drawn)
    Transaction.objects.create(connector=row, id_tag="A1", meter_start_wh=0, started_at="2026-01-05T10:00:00Z")
    return row


@pytest.fixture
def page(client, connector):
    client.force_login(save_user(username="boss", role="administrator", password="Garage-2026"))
    return reverse("admin:stations_station_test_fail_safe", args=[connector.station_id])


def test_what_would_happen_is_said_before_it_is_begun(client, page):
    shown = client.get(page).content.decode()
    assert "The car draws 15.9 A; the fail-safe current is 6.0 A." in shown
    assert "Not tested yet." in shown


def test_a_test_is_begun_followed_and_stopped(client, page):
    assert client.post(page, {"connector": "1"}).status_code == 302
    test = FailSafeTest.objects.get()
    assert (test.limit_a, test.standing_a, test.drawn_before_a, test.is_running) == (16, 6, 15.9, True)
    assert (test.requested_by.username, test.requester) == ("boss", "boss")
    state = client.get(page, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" in state
    assert "<html" not in state
    assert client.post(page, {"stop": str(test.pk)}).status_code == 302
    assert "stopped by hand" in client.get(page).content.decode()


def test_what_stands_in_the_way_is_said_in_place_of_the_button(client, page):
    Station.objects.update(socket_id="")
    shown = client.get(page).content.decode()
    assert "The station is not connected." in shown
    assert "Begin the test" not in shown
    refused = client.post(page, {"connector": "1"}, follow=True).content.decode()
    assert "The station is not connected." in refused
    assert not FailSafeTest.objects.exists()


@pytest.mark.parametrize("asked", [{"connector": "7"}, {"connector": "x"}, {"stop": "99"}, {}])
def test_what_is_no_connector_or_test_of_the_station_changes_nothing(client, page, asked):
    assert client.post(page, asked).status_code == 302
    assert not FailSafeTest.objects.exists()


def test_an_advanced_user_cannot_test(client, page):
    client.force_login(save_user(username="anna", role="advanced", password="Garage-2026"))
    assert client.post(page, {"connector": "1"}).status_code == 403
    assert not FailSafeTest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_a_test_ends_at_once(client, page, settings):
    nowhere = {"hosts": ["unix:///nowhere/redis.sock"]}
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": nowhere}
    }
    assert client.post(page, {"connector": "1"}).status_code == 302
    assert not FailSafeTest.objects.get().is_running
