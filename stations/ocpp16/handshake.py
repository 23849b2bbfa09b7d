"""What a connection brings along to show who it is: password, encryption, client certificate, address.

TLS is ended here, or by a proxy that `LLM_TRUSTED_PROXIES` names; headers of anyone else count for nothing.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from accounts.addresses import forwarded_address, is_trusted_proxy


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate that TLS has verified; `common_name` is empty where it has none, or more than one."""

    common_name: str
    fingerprint: str
    issuer: x509.Name


@dataclass(frozen=True, slots=True)
class Offer:
    """What a connection offers; None: nothing. The user name of HTTP Basic is left out, the address says who it is.

    `certificate_flaw`: why the certificate that was shown is not among it; empty: none was. `called_address`: the
    address of this machine that the station is set to; empty where that is a name, or there is a proxy between them.
    """

    is_encrypted: bool = False
    password: bytes | None = None
    certificate: ClientCertificate | None = None
    ip_address: str | None = None
    certificate_flaw: str = ""
    called_address: str = ""


def read_offer(scope: Mapping[str, Any], identity: str) -> Offer:
    """Read the ASGI scope of a station's WebSocket, with its TLS extension."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    client = (scope.get("client") or [None])[0]
    password = _password(headers.get(b"authorization", b""), identity)
    if is_trusted_proxy(client):
        pem = unquote(headers.get(b"x-client-certificate", b"").decode("latin1"))
        is_encrypted = headers.get(b"x-forwarded-proto", b"").lower() in (b"https", b"wss")
        return Offer(is_encrypted, password, _certificate(pem), _forwarded(headers) or client)
    tls = scope.get("extensions", {}).get("tls")
    flaw = (tls and tls.get("client_cert_error")) or ""
    chain = tls["client_cert_chain"] if tls and not flaw else ()
    certificate = _certificate(chain[0]) if chain else None
    return Offer(tls is not None, password, certificate, client, flaw, _called_address(scope, headers))


def _called_address(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
    """Return the address in the request where it is the one that the connection came in at."""
    own = (scope.get("server") or [""])[0]
    called = headers.get(b"host", b"").decode("latin1").partition(":")[0]
    return called if called == own and not called.startswith("127.") else ""


def _password(header: bytes, identity: str) -> bytes | None:
    """Return the password of HTTP Basic, whose user is the identity.

    An identity with colons in it is more than RFC 7617 allows, and base64 may have lost its padding: both are read.
    """
    if header[:6].lower() != b"basic ":
        return None
    try:
        pair = base64.b64decode(header[6:] + b"==")
    except binascii.Error:
        return None
    user = identity.encode() + b":"
    return pair.removeprefix(user) if pair.startswith(user) else pair.partition(b":")[2]


def _forwarded(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the address that the nearest proxy saw."""
    return forwarded_address(headers.get(b"x-forwarded-for", b"").decode("latin1"))


def _certificate(pem: str) -> ClientCertificate | None:
    """Read a certificate; None where there is none, or where it is unreadable."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        issuer = certificate.issuer
    except ValueError:
        return None
    fingerprint = sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return ClientCertificate(names[0] if len(names) == 1 else "", fingerprint, issuer)
