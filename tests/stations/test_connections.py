"""Open connections end when what they came with no longer counts, and no others."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.secrets import keyed_hash
from llm_site.site_file.apply import apply_site
from stations.connections import withdraw_certificates
from stations.models import Station
from stations.removal import delete_stations
from tests.stations.offers import OLD, certificate_of, make, now, offering
from tests.stations.test_consumer import in_database
from tests.stations.test_security_page import form_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


async def is_closed(line):
    """Say whether the socket is closed by what has just been done; a Heartbeat is answered by one that stays."""
    while (event := await line.socket.receive_output(timeout=5))["type"] == "websocket.send":
        continue
    return event["type"] == "websocket.close"


async def stays(line):
    return "currentTime" in await line.ask("Heartbeat")


def enter(**changed):
    """Save the form of CP1 as an administrator does."""
    admin = Client()
    admin.force_login(User.objects.create(username="eve", role="administrator", is_staff=True, is_superuser=True))
    assert form_of(admin, Station.objects.get(identity="CP1"), **changed).status_code == 302


async def test_withdrawing_its_certificate_closes_a_connection():
    owner = await make(security_profile=3)
    signed = await in_database(lambda: certificate_of(owner))
    async with offering(certificate=signed.pem) as line:
        assert await in_database(lambda: withdraw_certificates(certificate_ids=[signed.pk])) == 1
        assert await is_closed(line)
    assert await offering(certificate=signed.pem).refusal() == 403


async def test_withdrawing_another_certificate_of_the_station_closes_nothing():
    owner = await make(security_profile=3)
    signed, other = await in_database(lambda: (certificate_of(owner), certificate_of(owner)))
    async with offering(certificate=signed.pem) as line:
        await in_database(lambda: withdraw_certificates(certificate_ids=[other.pk]))
        assert await stays(line)


async def test_a_connection_that_its_password_opens_too_outlives_its_certificate():
    owner = await make(password_hash=keyed_hash(OLD))
    signed = await in_database(lambda: certificate_of(owner))
    async with offering(password=OLD, certificate=signed.pem) as line:
        await in_database(lambda: withdraw_certificates(certificate_ids=[signed.pk]))
        assert await stays(line)


@pytest.mark.parametrize(("password", "is_the_same"), [("another-password", False), (OLD, True)])
async def test_another_password_from_a_site_file_closes_a_connection(password, is_the_same):
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        await in_database(lambda: apply_site(f"stations: [{{identity: CP1, password: {password}}}]"))
        assert await (stays(line) if is_the_same else is_closed(line))


@pytest.mark.parametrize(("profile", "is_satisfied"), [(1, True), (2, False)])
async def test_a_profile_that_is_raised_closes_the_connection_that_does_not_satisfy_it(settings, profile, is_satisfied):
    settings.TLS_CERT = "/some/server.pem"
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        await in_database(lambda: enter(security_profile=profile))
        assert (await now()).security_profile == profile
        assert await (stays(line) if is_satisfied else is_closed(line))


async def test_deleting_a_station_closes_its_connection():
    made, other = await make(), await make(identity="CP2")
    async with offering() as line:
        await in_database(lambda: delete_stations(station_ids=[made.pk, other.pk]))
        assert await is_closed(line)
    assert not await in_database(Station.objects.exists)


async def test_without_a_broker_what_counts_is_changed_all_the_same(settings, caplog):
    owner = await make()
    await in_database(lambda: Station.objects.update(socket_id="web/elsewhere"))
    nowhere = {"hosts": ["unix:///nowhere/redis.sock"]}
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": nowhere}
    }
    await in_database(lambda: delete_stations(station_ids=[owner.pk]))
    assert not await in_database(Station.objects.exists)
    assert "not looked at again" in caplog.text
