"""Deleting stations: what is theirs goes with them, what was charged there stays."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from stations.connections import check_connections
from stations.errors import StillCharging
from stations.models import Connector, CpoMessage, Station, Transaction
from stations.services import ask_to_decide
from stations.transactions import LOST, close_transaction


@dataclass(frozen=True, slots=True)
class Consequences:
    """What deleting stations means: transactions that are kept, those that run, stations that are connected.

    `untold` messages wait for operators, or were set aside: they go with the stations.
    """

    transactions: int
    running: int
    connected: int
    untold: int


def consequences_of_deleting(*, station_ids: list[int]) -> Consequences:
    """Count what deleting stations would do."""
    transactions = Transaction.objects.filter(connector__station_id__in=station_ids)
    return Consequences(
        transactions=transactions.count(),
        running=transactions.filter(stopped_at=None).count(),
        connected=Station.objects.filter(pk__in=station_ids).exclude(socket_id="").count(),
        untold=CpoMessage.objects.filter(link__station__in=station_ids).count(),
    )


@transaction.atomic
def delete_stations(*, station_ids: list[int], ends_running: bool = False) -> None:
    """Delete stations and close their sockets; their transactions are kept, with where they were.

    One that runs is counted as lost, with the energy known of it, where `ends_running`; else raises StillCharging.
    """
    list(Connector.objects.select_for_update().filter(station_id__in=station_ids))  # none starts meanwhile
    transactions = Transaction.objects.filter(connector__station_id__in=station_ids)
    running = list(transactions.select_for_update(of=("self",)).filter(stopped_at=None))
    if running and not ends_running:
        raise StillCharging(f"{len(running)} transactions run there")
    for begun in running:
        close_transaction(begun, at=timezone.now(), meter_wh=None, reason=LOST)
    station = Station.objects.filter(connectors=OuterRef("connector_id"))
    number = Connector.objects.filter(pk=OuterRef("connector_id")).values("number")
    transactions.update(
        station_identity=Subquery(station.values("identity")),
        station_name=Subquery(station.values("name")),
        station_mac_address=Subquery(station.values("mac_address")),
        connector_number=Subquery(number),
        connector=None,
    )
    check_connections(station_ids=station_ids)
    Station.objects.filter(pk__in=station_ids).delete()
    ask_to_decide()
