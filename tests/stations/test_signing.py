"""Certificates over the wire: a station asks, is answered, and is given what was signed."""

import json

import pytest

from accounts.secrets import keyed_hash
from stations.models import Certificate, CertificateState
from stations.ocpp16 import sockets
from tests.certificates import request_for
from tests.stations.offers import OLD, make, offering
from tests.stations.test_consumer import in_database
from tests.stations.wire import eventually, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


async def test_a_certificate_follows_the_answer_and_what_the_station_says_is_kept():
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        await line.socket.send_to(json.dumps([2, "1", "SignCertificate", {"csr": request_for("CP1")}]))
        assert await line.hear() == [3, "1", {"status": "Accepted"}]
        heard = await line.hear()
        assert heard[2] == "CertificateSigned"
        await line.socket.send_to(json.dumps([3, heard[1], {"status": "Rejected"}]))
        assert "currentTime" in await line.ask("Heartbeat")
    kept = await in_database(Certificate.objects.get)
    assert kept.pem == heard[3]["certificateChain"]
    assert (kept.state, kept.answer) == (CertificateState.REJECTED, "Rejected")


@pytest.mark.parametrize("csr", [None, 5, "", "nonsense", "x" * 20_000, request_for("CP2")])
async def test_a_request_that_is_none_or_for_another_is_rejected(csr):
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        assert await line.ask("SignCertificate", csr=csr) == {"status": "Rejected"}
    assert not await in_database(Certificate.objects.exists)


async def test_who_came_without_a_password_gets_no_certificate(caplog):
    await make()
    async with offering() as line:
        assert await line.ask("SignCertificate", csr=request_for("CP1")) == {"status": "Rejected"}
    assert "without a password" in caplog.text


async def test_a_station_that_is_being_given_a_certificate_is_signed_no_other():
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        for number, status in (("1", "Accepted"), ("2", "Rejected")):
            await line.socket.send_to(json.dumps([2, number, "SignCertificate", {"csr": request_for("CP1")}]))
            heard = await line.hear()
            while heard[0] == 2:
                given, heard = heard, await line.hear()
            assert heard == [3, number, {"status": status}]
        await line.socket.send_to(json.dumps([3, given[1], {"status": "Accepted"}]))
        assert "currentTime" in await line.ask("Heartbeat")
        await until(lambda: Certificate.objects.get().state == CertificateState.ACCEPTED)
        (socket,) = sockets._sockets.values()
        await eventually(lambda: not socket.is_handing_over)
        assert await line.ask("SignCertificate", csr=request_for("CP1")) == {"status": "Accepted"}
