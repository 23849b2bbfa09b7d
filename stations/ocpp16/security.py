"""What a station says of its security: one thin handler a message (OCPP 1.6 security whitepaper)."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from stations.certificates import issue_certificate, settle_certificate
from stations.errors import CertificateRefused, NoAnswer, StationAway
from stations.models import Certificate, CertificateState
from stations.ocpp16 import normalise
from stations.ocpp16.database import in_database
from stations.ocpp16.frames import OcppError
from stations.security import ReportedEvent, record_security_event

if TYPE_CHECKING:
    from stations.ocpp16.consumer import StationConsumer

logger = logging.getLogger(__name__)

Payload = dict[str, Any]


async def security_event(socket: "StationConsumer", payload: Payload) -> Payload:
    """SecurityEventNotification: kept; one without a type is an *Unknown* one."""
    at, _is_flagged = normalise.moment(payload.get("timestamp"), timezone.now())
    event = ReportedEvent(
        type=normalise.text(payload.get("type"), 100) or "Unknown",
        at=at,
        tech_info=normalise.text(payload.get("techInfo"), 1000),
    )
    await in_database(record_security_event, station_id=socket.station.pk, event=event)
    return {}


async def sign_certificate(socket: "StationConsumer", payload: Payload) -> Payload:
    """SignCertificate: answered first, then the certificate follows with CertificateSigned; one at a time."""
    station = socket.station
    if socket.is_handing_over:
        socket.log.warning("no certificate was signed: the last one is being handed over")
        return {"status": "Rejected"}
    try:
        issued = await in_database(
            issue_certificate,
            station_id=station.pk,
            connection_profile=station.connection_profile,
            request=payload.get("csr"),
        )
    except CertificateRefused as refusal:
        logger.warning("%s: no certificate was signed: %s", station.identity, refusal)
        return {"status": "Rejected"}
    socket.start_handing_over(_hand_over(socket, issued))
    return {"status": "Accepted"}


async def _hand_over(socket: "StationConsumer", issued: Certificate) -> None:
    """Give a station its certificate and keep what it says; the chain is the certificate alone, the root signed it."""
    state, answer = CertificateState.ISSUED, ""
    try:
        reply = await socket.call("CertificateSigned", {"certificateChain": issued.pem})
        answer = normalise.text(reply.get("status"), 300)
        state = CertificateState.ACCEPTED if answer == "Accepted" else CertificateState.REJECTED
    except OcppError as error:
        state, answer = CertificateState.REJECTED, str(error)
    except (NoAnswer, StationAway) as error:
        answer = str(error)
    logger.info("%s: certificate %s: %s", socket.station.identity, issued.serial_number, answer)
    # A station may close its socket right after its answer, which ends this task: the answer is kept all the same.
    await asyncio.shield(
        in_database(settle_certificate, certificate_id=issued.pk, state=state, answer=normalise.text(answer, 300))
    )
