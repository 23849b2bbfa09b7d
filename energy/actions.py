"""What administrators do from the overview: stop a charging, unlock a connector, let a station go first."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from accounts.access import role_required
from accounts.models import Role, User
from energy.dashboard import GROUP
from energy.sessions import STOP, UNLOCK
from stations.commanding import request_command
from stations.models import Connector, Transaction
from stations.ocpp16.sockets import publish
from stations.turns import set_first


def _stop(connector: Connector, user: User) -> None:
    """Ask the station to end the charging that runs there; one that has ended meanwhile needs nothing."""
    running = Transaction.objects.filter(connector=connector, stopped_at=None).first()
    if running is not None:
        request_command(station=connector.station, action=STOP, payload={"transactionId": running.pk}, user=user)


def _unlock(connector: Connector, user: User) -> None:
    payload = {"connectorId": connector.number}
    request_command(station=connector.station, action=UNLOCK, payload=payload, user=user)


def _first(connector: Connector, user: User) -> None:  # noqa: ARG001 (the audit trail knows who asks)
    set_first(station_id=connector.station_id, is_first=True)


def _in_turn(connector: Connector, user: User) -> None:  # noqa: ARG001
    set_first(station_id=connector.station_id, is_first=False)


ACTIONS: dict[str, Callable[[Connector, User], None]] = {
    "stop": _stop,
    "unlock": _unlock,
    "first": _first,
    "in-turn": _in_turn,
}


@role_required(Role.ADMINISTRATOR)
@require_POST
def act(request: HttpRequest, connector_id: int, action: str) -> HttpResponse:
    """Do one thing at one place; every open overview shows what comes of it."""
    if action not in ACTIONS:
        raise Http404(f"nothing is called {action!r}")
    connector = get_object_or_404(Connector.objects.select_related("station"), pk=connector_id)
    ACTIONS[action](connector, request.user)  # type: ignore[arg-type]  # the role lets in users only
    publish({"type": "dashboard.changed"}, group=GROUP)
    return HttpResponse(status=204)
