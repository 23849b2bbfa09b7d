"""Connect stations to an operator and disconnect them; a transaction that runs ends where it began (SPEC S19)."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils.translation import gettext as _

from stations.cpo.outbox import current_link
from stations.editions import has_operators
from stations.models import CpoLink, CpoMessage, CpoServer, CpoTransaction, Station, StationState
from stations.ocpp16.sockets import publish

LONGEST_IDENTITY = 48  # OCPP-J 1.6 knows no bound; this is what operators take


@transaction.atomic
def connect_station(*, station_id: int, server: CpoServer, identity: str) -> Station:
    """Let a station's next transactions belong to an operator; raises ValidationError saying what to do."""
    if not has_operators():
        raise ValidationError(_("This edition connects no operators."))
    station = Station.objects.select_for_update(of=("self",)).get(pk=station_id)
    identity = identity.strip()
    if station.state != StationState.CONFIGURED:
        raise ValidationError(_("Take the station into service first."))
    if not identity or len(identity) > LONGEST_IDENTITY or not identity.isprintable():
        raise ValidationError(_("Enter the identity that the operator knows the station by: 48 characters at most."))
    same = Station.objects.filter(cpo_server=server, is_cpo_enabled=True, cpo_identity=identity)
    if same.exclude(pk=station_id).exists():
        raise ValidationError(_("Another station is connected with this identity."))
    station.cpo_server, station.cpo_identity, station.is_cpo_enabled = server, identity, True
    station.save(update_fields=["cpo_server", "cpo_identity", "is_cpo_enabled"])
    current_link(station)
    transaction.on_commit(lambda: publish({"type": "stations.operator", "station_ids": [station_id]}))
    return station


@transaction.atomic
def disconnect_station(*, station_id: int) -> None:
    """Let a station's next transactions belong to no operator; what waits for it is still told."""
    station = Station.objects.select_for_update(of=("self",)).get(pk=station_id)
    station.cpo_server, station.is_cpo_enabled = None, False
    station.save(update_fields=["cpo_server", "is_cpo_enabled"])


def obstacle_to_deleting(server: CpoServer) -> str:
    """Say why a server cannot be deleted now; empty where it can."""
    if server.stations.exists():
        return _("Stations are connected to this server. Disconnect them first, or connect them to another one.")
    if CpoMessage.objects.filter(link__server=server).exists():
        return _("Messages still wait for this server. They would be lost.")
    if CpoTransaction.objects.filter(link__server=server, transaction__stopped_at=None).exists():
        return _("Cars still charge that began with this server. It would never hear that they have ended.")
    return ""


def with_queues(links: list[CpoLink]) -> dict[int, dict[str, object]]:
    """Count what waits on links, since when, and what was set aside: link (primary key) → counts."""
    waits = Q(set_aside_at=None)
    rows = CpoMessage.objects.filter(link__in=links).values("link").order_by()
    counted = rows.annotate(
        waiting=Count("pk", filter=waits),
        oldest_at=Min("queued_at", filter=waits),
        refused=Count("pk", filter=waits & Q(refusals__gt=0)),
        set_aside=Count("pk", filter=~waits),
    )
    return {row["link"]: dict(row) for row in counted}
