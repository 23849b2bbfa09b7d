"""What the tests of the security of stations share: the station CP1, what it comes with, and what it is told."""

import base64

from channels.db import database_sync_to_async

from stations.certificates import issue_certificate
from stations.commanding import note_sent, request_command, settle_command
from stations.models import Certificate, Station
from tests.certificates import request_for
from tests.stations.test_consumer import Line, in_database

OLD, NEW = "an-old-password", "00112233445566778899aabbccddeeff00112233"


def station(identity="CP1", **values):
    return Station.objects.create(identity=identity, state="configured", **values)


def make(**values):
    return in_database(lambda: station(**values))


def offering(*, password=None, tls=False, certificate="", client=None, headers=()):
    """A connection of CP1."""
    sent = list(headers)
    if password is not None:
        secret = password if isinstance(password, bytes) else password.encode()
        sent.append((b"authorization", b"Basic " + base64.b64encode(b"CP1:" + secret)))
    line = Line("/ocpp/CP1", headers=sent)
    if tls or certificate:
        line.socket.scope["extensions"]["tls"] = {"client_cert_chain": [certificate] if certificate else []}
    if client is not None:
        line.socket.scope["client"] = [client, 40000]
    return line


async def now():
    return await in_database(lambda: Station.objects.get(identity="CP1"))


def certificate_of(owner, **values):
    """Sign a certificate for a station; returns its row."""
    signed = issue_certificate(station_id=owner.pk, connection_profile=1, request=request_for(owner.identity))
    Certificate.objects.filter(pk=signed.pk).update(**values)
    return signed


@database_sync_to_async
def told(key, value, state=None, *, is_sent=True):
    """Ask CP1, as if connected, to change its configuration; returns the command once it has its outcome."""
    Station.objects.update(socket_id="web/elsewhere")
    command = request_command(
        station=Station.objects.get(identity="CP1"),
        action="ChangeConfiguration",
        payload={"key": key, "value": value},
        user=None,
    )
    if is_sent:
        note_sent(command_id=command.pk)
    if state is not None:
        settle_command(command_id=command.pk, state=state)
    Station.objects.update(socket_id="")
    return command
