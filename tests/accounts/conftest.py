"""People, for the tests of who may enter."""

import pytest

from accounts.services import save_user

PASSWORD = "Garage-2026"


@pytest.fixture
def marie():
    """A Standard user."""
    return save_user(username="marie", role="standard", password=PASSWORD)


@pytest.fixture
def anna():
    """An administrator."""
    return save_user(username="anna", role="administrator", password=PASSWORD)
