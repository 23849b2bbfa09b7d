"""The cases of the security extension (OCA's white paper "Improved security for OCPP 1.6-J")."""

import ssl

import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certification.certificates import hash_data, pem_of, request_for
from tests.certification.features import LOCATION
from tests.certification.installation import PASSWORD
from tests.certification.station import ACCEPTED, wire_time
from tests.certification.table import Case, entering

SECURITY: list[Case] = []
case = entering(SECURITY)

CONNECTION, CERTIFICATES, EVENTS, FIRMWARE = "Connection", "Certificates", "Events and log", "Signed firmware"
REJECTED = {"status": "Rejected"}


async def is_refused(station, *subprotocols, status):
    """Check that the handshake is refused with a status."""
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await station.connect(*subprotocols)
    assert refusal.value.response.status_code == status


async def event(station, operator, kind):
    """Report a security event, which is kept."""
    assert await station.ask("SecurityEventNotification", type=kind, timestamp=wire_time()) == {}
    assert await operator.security_events() == [kind]


@case("073", CONNECTION, "new password")
async def new_password(station, operator):
    new = "00112233445566778899aabbccddeeff00112233"
    station.password = PASSWORD
    await station.boot()
    await operator.order("ChangeConfiguration", {"key": "AuthorizationKey", "value": new}, ACCEPTED)
    await station.leave()
    station.password = new
    await station.boot()
    await station.leave()
    station.password = PASSWORD
    await is_refused(station, status=401)


async def certify(station, operator, answer):
    """Have the station ask for a certificate and answer to the one it is given; returns its key and the certificate."""
    station.password = PASSWORD
    await station.boot()
    station.answers["CertificateSigned"] = answer
    await operator.order("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, ACCEPTED)
    key, request = request_for(station.identity)
    assert await station.ask("SignCertificate", csr=pem_of(request)) == ACCEPTED
    chain = (await station.until_asked("CertificateSigned"))["certificateChain"]
    (certificate, *_issuers) = x509.load_pem_x509_certificates(chain.encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == request.subject
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    return key, chain


@case("074", CERTIFICATES, "new certificate for the station")
async def new_certificate(station, operator):
    key, chain = await certify(station, operator, ACCEPTED)
    await station.leave()
    station.password = None
    station.use_tls(station.authority.keep(station.identity, chain, key))
    await station.boot()
    assert (await operator.station())["is_connected"]


@case("077", EVENTS, "invalid certificate of the station")
async def invalid_certificate_of_the_station(station, operator):
    await certify(station, operator, REJECTED)
    await event(station, operator, "InvalidChargePointCertificate")


async def install(station, operator, root_type, algorithm="SHA256"):
    """Install a root certificate, and look it up; returns its hashes."""
    root = station.authority.root
    wanted = {"certificateType": root_type, "certificate": pem_of(root)}
    await operator.order("InstallCertificate", wanted, ACCEPTED)
    hashes = hash_data(root, algorithm)
    answer = {"status": "Accepted", "certificateHashData": [hashes]}
    await operator.order("GetInstalledCertificateIds", {"certificateType": root_type}, answer)
    return hashes


@case("075_1", CERTIFICATES, "install the manufacturer's root")
async def install_the_manufacturers_root(station, operator):
    await station.boot()
    await install(station, operator, "ManufacturerRootCertificate")


@case("075_2", CERTIFICATES, "install the central system's root")
async def install_the_central_systems_root(station, operator):
    await station.boot()
    await install(station, operator, "CentralSystemRootCertificate")


@case("076", CERTIFICATES, "delete a certificate")
async def delete_a_certificate(station, operator):
    await station.boot()
    root_type = "CentralSystemRootCertificate"
    for algorithm in ("SHA256", "SHA384", "SHA512"):
        hashes = await install(station, operator, root_type, algorithm)
        await operator.order("DeleteCertificate", {"certificateHashData": hashes}, ACCEPTED)
        gone = {"status": "NotFound"}
        await operator.order("GetInstalledCertificateIds", {"certificateType": root_type}, gone, "rejected")


@case("078", EVENTS, "invalid certificate of the central system")
async def invalid_certificate_of_the_central_system(station, operator):
    await station.boot()
    wanted = {"certificateType": "CentralSystemRootCertificate", "certificate": pem_of(station.authority.root)}
    await operator.order("InstallCertificate", wanted, REJECTED, "rejected")
    await event(station, operator, "InvalidCentralSystemCertificate")


@case("079", EVENTS, "security log")
async def security_log(station, operator):
    await station.boot()
    wanted = {"logType": "SecurityLog", "requestId": 4, "log": {"remoteLocation": LOCATION}}
    await operator.order("GetLog", wanted, {"status": "Accepted", "filename": "security.log"})
    for status in ("Uploading", "Uploaded"):
        assert await station.ask("LogStatusNotification", status=status, requestId=4) == {}
        assert await operator.progress("log") == status


async def begin_update(station, operator, *statuses):
    """Order signed firmware and report how far it comes."""
    await station.boot(firmwareVersion="1.0.0")
    firmware = {
        "location": LOCATION,
        "retrieveDateTime": wire_time(),
        "signingCertificate": pem_of(station.authority.root),
        "signature": "c2lnbmF0dXJl",
    }
    await operator.order("SignedUpdateFirmware", {"requestId": 5, "firmware": firmware}, ACCEPTED)
    await progress(station, operator, *statuses)


async def progress(station, operator, *statuses):
    """Report how far signed firmware has come, which is kept."""
    for status in statuses:
        assert await station.ask("SignedFirmwareStatusNotification", status=status, requestId=5) == {}
        assert await operator.progress("signed_firmware") == status


@case("080", FIRMWARE, "installed")
async def signed_firmware(station, operator):
    await begin_update(station, operator, "Downloading", "Downloaded", "SignatureVerified")
    await station.report("Unavailable")
    assert await operator.state() == "Unavailable"
    await progress(station, operator, "Installing", "InstallRebooting")
    await station.leave()
    await station.boot(firmwareVersion="2.0.0")
    await event(station, operator, "FirmwareUpdated")
    await progress(station, operator, "Installed")
    assert (await operator.station())["firmware_version"] == "2.0.0"
    assert await operator.state() == "Available"


@case("081", FIRMWARE, "invalid signature")
async def firmware_with_an_invalid_signature(station, operator):
    await begin_update(station, operator, "Downloading", "Downloaded", "InvalidSignature")
    await event(station, operator, "InvalidFirmwareSignature")
    assert (await operator.station())["firmware_version"] == "1.0.0"


@case("083", CONNECTION, "higher security profile")
async def higher_profile(station, operator):
    station.password = PASSWORD
    await station.boot()
    await install(station, operator, "CentralSystemRootCertificate")
    await operator.order("ChangeConfiguration", {"key": "SecurityProfile", "value": "2"}, ACCEPTED)
    await operator.order("Reset", {"type": "Hard"}, ACCEPTED)
    await station.leave()
    plain = station.url
    station.use_tls()
    await station.boot()
    await station.leave()
    secure, station.url, station.tls = (station.url, station.tls), plain, None
    await is_refused(station, status=403)
    station.url, station.tls = secure
    await station.boot()
    assert (await operator.station())["security_profile"] == 2


@case("085", CONNECTION, "password")
async def password(station, operator):
    for wrong in (None, "wrong"):
        station.password = wrong
        await is_refused(station, status=401)
    station.password = PASSWORD
    await station.boot()
    assert (await operator.station())["is_connected"]


async def boot_over_tls(station, operator, cipher):
    """Boot over TLS 1.2 with one cipher suite."""
    station.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    station.tls.set_ciphers(cipher)
    await station.boot()
    assert station.cipher() == (cipher, "TLSv1.2")
    assert (await operator.station())["is_connected"]
    await station.leave()


CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")  # white paper §3, A00.FR.318


@case("086", CONNECTION, "TLS with the server's certificate")
async def tls_with_the_servers_certificate(station, operator):
    station.password = PASSWORD
    station.use_tls()
    for cipher in CIPHERS:
        await boot_over_tls(station, operator, cipher)


@case("087", CONNECTION, "TLS with the station's certificate")
async def tls_with_the_stations_certificate(station, operator):
    station.use_tls(station.authority.sign(station.identity))
    for cipher in CIPHERS:
        await boot_over_tls(station, operator, cipher)


@case("088", CONNECTION, "sub-protocol")
async def subprotocol(station, operator):
    await is_refused(station, "ocpp0.1", status=400)
    await station.connect("ocpp0.1", "ocpp1.6")
    await station.boot()
    assert (await operator.station())["is_connected"]
