"""What the tests of who may enter share: passwords that cost nothing to check, and people."""

import pytest

from accounts.services import save_user

PASSWORD = "Garage-2026"


@pytest.fixture(autouse=True)
def _fast_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def marie():
    """A Standard user."""
    return save_user(username="marie", role="standard", password=PASSWORD)


@pytest.fixture
def anna():
    """An administrator."""
    return save_user(username="anna", role="administrator", password=PASSWORD)
