"""A product to test against, one for each module."""

import pytest

from tests.e2e.product import running

product = pytest.fixture(running, name="product", scope="module")
