"""What all tests share: no broker, cheap password hashes, and settings as delivered."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone, translation
from hypothesis import settings as hypothesis_settings

# The same code is tried with the same examples each time: what fails, fails for who changed it.
hypothesis_settings.register_profile("suite", derandomize=True)
hypothesis_settings.load_profile("suite")

pytest.register_assert_rewrite("tests.certification")  # its cases assert outside test modules


@pytest.fixture(autouse=True)
def _english_and_utc():
    """Begin each test in English and UTC: a request of the test before may have left others active."""
    translation.activate("en")
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _no_broker(settings):
    """Let channel messages stay in the process, and wishes to decide go nowhere: unit tests have no Redis."""
    from energy.apps import ask_for_decision
    from stations.signals import decide_again

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EDITION, settings.ACCEPT_STATIONS = "unlimited", "pending"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    decide_again.disconnect(dispatch_uid="energy.ask_for_decision")
    yield
    decide_again.connect(ask_for_decision, dispatch_uid="energy.ask_for_decision")


@pytest.fixture
async def closed_connections():
    """Close what stays open: while a communicator of Channels waits, it lets no connection be closed."""
    from stations.ocpp16.database import close_database

    yield
    close_database()
    await sync_to_async(connections.close_all)()
