"""A product to test against."""

import pytest

from tests.e2e.product import running

product = pytest.fixture(running, name="product")
