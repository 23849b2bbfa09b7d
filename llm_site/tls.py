"""The second port of the web process: the same pages and stations over TLS, with client certificates.

A certificate that cannot be verified ends no handshake: many stations carry one of their factory. It counts as none.
"""

import logging
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from daphne.server import Server
from django.conf import settings
from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint

from stations.certificates import authority

logger = logging.getLogger(__name__)

BACKLOG = 4096
VERIFIED = ""
FLAWS = {  # OpenSSL's X509_V_ERR_*, the usual ones
    9: "it is not valid yet",
    10: "it has expired",
    18: "it signed itself",
    19: "its authority is unknown",
    20: "its authority is unknown",
    21: "its authority is unknown",
}
noted: WeakKeyDictionary[SSL.Connection, str] = WeakKeyDictionary()
"""What is wrong with the client certificate of each connection that showed one."""


class TlsContext:
    """What each TLS connection begins from; Twisted asks for it by `getContext`."""

    def __init__(self) -> None:
        """Read the server's certificate; clients may show one of the load manager's or of `LLM_TLS_CLIENT_CA`."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.use_certificate_chain_file(settings.TLS_CERT)
        context.use_privatekey_file(settings.TLS_KEY)
        if settings.TLS_CLIENT_CA:
            context.load_verify_locations(settings.TLS_CLIENT_CA)
            context.load_client_ca(settings.TLS_CLIENT_CA.encode())
        own_root = x509.load_pem_x509_certificate(authority().certificate_pem.encode())
        store = context.get_cert_store()
        assert store is not None, "a context of its own has a store"
        store.add_cert(crypto.X509.from_cryptography(own_root))
        context.add_client_ca(own_root)
        context.set_verify(SSL.VERIFY_PEER, note_flaw)  # not FAIL_IF_NO_PEER_CERT: stations of profile 2 have none
        self._context = context

    def getContext(self) -> SSL.Context:  # noqa: N802 (Twisted's interface)
        """Return it."""
        return self._context


def note_flaw(connection: SSL.Connection, _certificate: crypto.X509, error: int, depth: int, is_good: int) -> bool:
    """Take any client certificate, and note of its connection what is wrong with it; `VERIFIED`: nothing.

    OpenSSL asks once for each flaw, and once for each certificate of the chain, the client's own last. After that it
    looks at the names that an authority may sign. What it never asked about counts as not verified.
    """
    if not is_good:
        noted[connection] = noted.get(connection) or FLAWS.get(error, f"OpenSSL's verification error {error}")
    elif depth == 0:
        noted.setdefault(connection, VERIFIED)
    return True


def listen(server: Server) -> None:
    """Serve on `LLM_TLS_PORT` as well, once the server runs."""
    endpoint = SSL4ServerEndpoint(reactor, settings.TLS_PORT, TlsContext(), backlog=BACKLOG)  # type: ignore[no-untyped-call]
    reactor.callWhenRunning(
        lambda: endpoint.listen(server.http_factory).addErrback(server.listen_error)  # type: ignore[no-untyped-call]
    )


def tls_of(transport: Any) -> dict[str, Any] | None:
    """Return the ASGI TLS extension of a connection; None where it is not encrypted."""
    if not hasattr(transport, "getPeerCertificate"):
        return None
    client, flaw = _shown(transport)
    if flaw is not None:
        subject, address = "" if client is None else client.subject.rfc4514_string(), transport.getPeer().host
        logger.warning("The client certificate %.200r from %s counts as none: %s", subject, address, flaw)
        client = None
    return {
        "server_cert": None,
        "client_cert_chain": [] if client is None else [client.public_bytes(Encoding.PEM).decode()],
        "client_cert_name": None if client is None else client.subject.rfc4514_string(),
        "client_cert_error": flaw,
        "tls_version": None,
        "cipher_suite": None,
    }


def _shown(transport: Any) -> tuple[x509.Certificate | None, str | None]:
    """Return the certificate that a client has shown, if it did, and why it is not verified; None: it is."""
    shown = transport.getPeerCertificate()
    if shown is None:
        return None, None
    try:
        client = shown.to_cryptography()
        client.subject.rfc4514_string()  # it is read only when it is looked at
    except ValueError as error:
        return None, f"it cannot be read: {error}"
    flaw = noted.get(transport.getHandle(), "it was not looked at")
    return client, None if flaw == VERIFIED else flaw
