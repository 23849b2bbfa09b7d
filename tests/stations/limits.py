"""Steps that tests of limits share: what the loop publishes, and waiting for what comes of it."""

from stations.models import Connector, Preconfiguration, Station
from stations.ocpp16 import sockets
from tests.stations.wire import in_database, until


def connector(number=1):
    return Connector.objects.get(number=number)


def live(wire, limit_a, transaction_id, number=1, connector_id=1):
    """Publish a limit, as the loop does."""
    entry = [wire.station_id, connector_id, number, transaction_id, limit_a]
    sockets.deliver({"type": "stations.limits", "limits": [entry]})


async def limit(wire, limit_a, transaction_id, number=1):
    """Send a limit and wait until it is accepted."""
    row = await in_database(lambda: connector(number))
    live(wire, limit_a, transaction_id, number, row.pk)
    await until(lambda: connector(number).accepted_limit_a == limit_a)


async def stand(wire, fail_safe_a, numbers=(1,)):
    """Send a standing current and wait until it is held."""
    sockets.deliver({"type": "stations.standing", "standing": [[wire.station_id, list(numbers), fail_safe_a]]})
    await until(lambda: Station.objects.get().standing_fail_safe_a == fail_safe_a)


async def onboarded(wire):
    """Boot, and wait until the station's abilities are known."""
    await wire.boot()
    await until(lambda: Preconfiguration.objects.filter(read_at__isnull=False).exists())
