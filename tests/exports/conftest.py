"""What tests of the history's pages share."""

import pytest

from accounts.models import AccessSettings, User
from tests.exports.history import NOON


@pytest.fixture
def administrator(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": NOON})
    client.user = User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True)
    client.force_login(client.user)
    return client
