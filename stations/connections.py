"""Connections of stations after the handshake: open ones that no longer count, and who guessed passwords."""

import logging
from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts import audit
from stations.errors import StationRefused
from stations.models import Certificate, CertificateState, Station
from stations.ocpp16.handshake import Offer
from stations.ocpp16.sockets import publish
from stations.security import ReportedEvent, record_security_event, satisfy
from stations.services import find_station

logger = logging.getLogger(__name__)

WRONG_PASSWORDS = "FailedToAuthenticateAtCentralSystem"  # the security whitepaper's word for it


def check_connections(*, station_ids: list[int]) -> None:
    """Have the open connections closed that no longer satisfy what is asked of their station, once that is kept."""
    connected = list(Station.objects.filter(pk__in=station_ids).exclude(socket_id="").values_list("pk", flat=True))
    if connected:
        transaction.on_commit(partial(_ask_to_check, connected))


def _ask_to_check(station_ids: list[int]) -> None:
    """Tell the processes that hold the sockets; without a broker a connection is held to it when it is next opened."""
    try:
        publish({"type": "stations.check", "station_ids": station_ids})
    except Exception as error:
        logger.warning("The channel layer is away (%s): open connections are not looked at again", error)


def flaw_of_connection(*, station_id: int, offer: Offer) -> str:
    """Say why an open connection no longer satisfies what is asked of its station; empty: it does."""
    station = Station.objects.filter(pk=station_id).first()
    if station is None:
        return "the station was deleted"
    try:
        satisfy(station, offer)
    except StationRefused as refusal:
        return str(refusal)
    return ""


@transaction.atomic
def withdraw_certificates(*, certificate_ids: list[int]) -> int:
    """Let certificates count no longer, and close the connections they opened; returns how many counted."""
    counting = Certificate.objects.filter(pk__in=certificate_ids).exclude(state=CertificateState.WITHDRAWN)
    station_ids = list(counting.values_list("station_id", flat=True))
    withdrawn = audit.update_recorded(counting, state=CertificateState.WITHDRAWN.value)
    check_connections(station_ids=station_ids)
    return withdrawn


def note_guessing(*, identity: str, address: str | None, count: int) -> None:
    """Keep that somebody came under a station's identity with one wrong password after the other."""
    station = find_station(identity)
    if station is not None:
        tech_info = f"noticed by the load manager: {count} wrong passwords in a row from {address}"
        event = ReportedEvent(WRONG_PASSWORDS, timezone.now(), tech_info)
        record_security_event(station_id=station.pk, event=event)
