"""What the tests of sockets share."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from stations.ocpp16.database import close_database


@pytest.fixture
async def closed_connections():
    """Close what stays open: while a communicator of Channels waits, it lets no connection be closed."""
    yield
    close_database()
    await sync_to_async(connections.close_all)()
