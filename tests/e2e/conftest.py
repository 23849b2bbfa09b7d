"""A product to test against."""

import tempfile

import pytest

from tests.e2e.product import Product


@pytest.fixture
def product():
    """A product of one's own that takes stations as they come."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_ACCEPT_STATIONS="auto")
        product.start()
        yield product
        product.stop()
