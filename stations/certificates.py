"""The load manager's own certificate authority: client certificates for stations, server certificates for itself.

Its key is sealed in the database, so that every web process has it and a backup of the database with the secret key
brings it back.
"""

import base64
import binascii
import hashlib
import secrets
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.secrets import seal, unseal
from stations.errors import CertificateRefused
from stations.models import Certificate, CertificateAuthority, CertificateState, Station, StationState
from stations.ocpp16.handshake import ClientCertificate

CLOCK_TOLERANCE = timedelta(days=1)  # a station whose clock is late must not take its certificate for a future one
ROOT_LASTS, SERVER_LASTS, STATION_LASTS = timedelta(days=7300), timedelta(days=3650), timedelta(days=1825)
LONGEST_REQUEST, MOST_A_DAY = 10_000, 20
SMALLEST_CURVE_BITS = 256
SMALLEST_RSA_BITS, LARGEST_RSA_BITS, SMALLEST_RSA_EXPONENT = 2048, 4096, 65537

CertificateKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


# --- the authority


def authority() -> CertificateAuthority:
    """Return the load manager's certificate authority, making it at first use."""
    made = CertificateAuthority.objects.first()
    if made is not None:
        return made
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Local Load Manager {secrets.token_hex(4)}")])
    root = (
        _builder(name, name, key.public_key(), key.public_key(), ROOT_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    texts = {"certificate_pem": root.public_bytes(Encoding.PEM).decode(), "key_sealed": seal(_key_text(key))}
    return CertificateAuthority.objects.get_or_create(pk=1, defaults=texts)[0]


def _root(made: CertificateAuthority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.certificate_pem.encode())


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificateKey, issuer_key: CertificateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    """Begin a certificate that is valid from a day ago."""
    now = timezone.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(
    subject: x509.Name,
    key: CertificateKey,
    *,
    lasts: timedelta,
    purpose: ObjectIdentifier,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    """Sign a certificate that can sign no other. Raises CertificateRefused where the root's key cannot be opened."""
    made = authority()
    root = _root(made)
    try:
        root_key = load_pem_private_key(unseal(made.key_sealed).encode(), None)
    except InvalidToken:
        raise CertificateRefused("the root's key was sealed with another secret key than that of today") from None
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    builder = (
        _builder(subject, root.subject, key, root_key.public_key(), lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(root_key, hashes.SHA256())


def issue_server_certificate(*, hosts: list[str]) -> tuple[str, str]:
    """Make a certificate and its key for the load manager under its host names and addresses; returns both as PEM.

    Raises ValueError for what is no host name, and CertificateRefused.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]),
        key.public_key(),
        lasts=SERVER_LASTS,
        purpose=ExtendedKeyUsageOID.SERVER_AUTH,
        names=x509.SubjectAlternativeName([_general_name(host) for host in hosts]),
    )
    return certificate.public_bytes(Encoding.PEM).decode(), _key_text(key)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


# --- certificates of stations


@transaction.atomic
def issue_certificate(*, station_id: int, connection_profile: int | None, request: object) -> Certificate:
    """Sign a station's request (SignCertificate); the same request gets the same certificate.

    `connection_profile`: what the connection it came over satisfies. Raises CertificateRefused.
    """
    station = Station.objects.select_for_update().get(pk=station_id)
    if station.state != StationState.CONFIGURED:
        raise CertificateRefused("the station is not in service")
    if not connection_profile:
        raise CertificateRefused("the station came without a password: anybody could ask in its name")
    read = read_request(request)
    common_name = _check_request(read, station)
    request_hash = hashlib.sha256(read.public_bytes(Encoding.DER)).hexdigest()
    if _is_withdrawn(read, station):
        raise CertificateRefused("a certificate of this key was withdrawn: the station needs a new key")
    same = station.certificates.filter(request_hash=request_hash, not_after__gt=timezone.now()).first()
    if same is not None:
        return same
    if station.certificates.filter(issued_at__gt=timezone.now() - timedelta(days=1)).count() >= MOST_A_DAY:
        raise CertificateRefused(f"{MOST_A_DAY} certificates were signed for it within a day")
    key = read.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    subject = x509.Name(read.subject.get_attributes_for_oid(NameOID.COMMON_NAME))  # nothing else in it was checked
    signed = _sign(subject, key, lasts=STATION_LASTS, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    return Certificate.objects.create(
        station=station,
        common_name=common_name,
        serial_number=f"{signed.serial_number:x}",
        fingerprint=signed.fingerprint(hashes.SHA256()).hex(),
        request_hash=request_hash,
        pem=signed.public_bytes(Encoding.PEM).decode(),
        not_before=signed.not_valid_before_utc,
        not_after=signed.not_valid_after_utc,
    )


def _is_withdrawn(request: x509.CertificateSigningRequest, station: Station) -> bool:
    """Say whether a certificate of the same key was withdrawn."""
    withdrawn = station.certificates.filter(state=CertificateState.WITHDRAWN).values_list("pem", flat=True)
    return any(x509.load_pem_x509_certificate(pem.encode()).public_key() == request.public_key() for pem in withdrawn)


def read_request(raw: object) -> x509.CertificateSigningRequest:
    """Read a certificate signing request: PEM, or its base64 alone. Raises CertificateRefused."""
    if not isinstance(raw, str) or not 0 < len(raw) <= LONGEST_REQUEST:
        raise CertificateRefused(f"expected a request of at most {LONGEST_REQUEST} characters")
    try:
        if "-----BEGIN" in raw:
            return x509.load_pem_x509_csr(raw.replace("\\n", "\n").encode())
        return x509.load_der_x509_csr(base64.b64decode("".join(raw.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise CertificateRefused(f"expected a certificate signing request in PEM: {error}") from None


def _check_request(request: x509.CertificateSigningRequest, station: Station) -> str:
    """Return the one common name of a request that may be signed; raises CertificateRefused."""
    try:
        key = request.public_key()
        is_signed = request.is_signature_valid
        names = [str(name.value) for name in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused(f"the request cannot be read: {error}") from None
    if not is_signed:
        raise CertificateRefused("the request is not signed with its own key")
    if not _is_strong(key):
        raise CertificateRefused(
            "expected an elliptic key of 256 bits, or RSA of 2048 to 4096 with an exponent from 65537, "
            f"came {_described(key)}"
        )
    if len(names) != 1 or names[0] not in _names_of(station):
        raise CertificateRefused(f"expected the name {station.identity!r} or its serial number, came {names!r:.200}")
    if names[0] != station.identity and _is_of_another(names[0], station):
        raise CertificateRefused(f"{names[0]!r} is another station's name")
    return names[0]


def _is_strong(key: object) -> bool:
    """Say whether a key may be signed as long as it lasts; a small exponent breaks careless paddings."""
    if isinstance(key, rsa.RSAPublicKey):
        is_long = SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS
        return is_long and key.public_numbers().e >= SMALLEST_RSA_EXPONENT
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= SMALLEST_CURVE_BITS


def _described(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits with exponent {key.public_numbers().e}"
    return key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def _names_of(station: Station) -> tuple[str, ...]:
    return tuple(name for name in (station.identity, station.serial_number) if name)


def _is_of_another(name: str, station: Station) -> bool:
    others = Station.objects.exclude(pk=station.pk)
    return others.filter(Q(identity=name) | Q(serial_number=name)).exists()


def settle_certificate(*, certificate_id: int, state: CertificateState, answer: str) -> None:
    """Keep what a station said to its certificate; one that was withdrawn stays so."""
    handed_over = Certificate.objects.filter(pk=certificate_id).exclude(state=CertificateState.WITHDRAWN)
    handed_over.update(state=state, answer=answer[:300])


def flaw_of_certificate(station: Station, offered: ClientCertificate | None) -> str:
    """Say why a verified client certificate does not show that a connection is this station's; empty: it does."""
    if offered is None:
        return "none was offered"
    issued = Certificate.objects.filter(fingerprint=offered.fingerprint).select_related("station").first()
    if issued is not None:
        if issued.station_id != station.pk:
            return f"the one offered is that of {issued.station.identity}"
        return "the one offered was withdrawn" if issued.state == CertificateState.WITHDRAWN else ""
    made = CertificateAuthority.objects.first()
    if not settings.TLS_CLIENT_CA or (made is not None and _root(made).subject == offered.issuer):
        return "the one offered is not one that was issued here"
    if offered.common_name not in _names_of(station):
        return f"the one offered is in the name {offered.common_name!r:.100}"
    if offered.common_name != station.identity and _is_of_another(offered.common_name, station):
        return f"{offered.common_name!r:.100} is another station's name"
    return ""
