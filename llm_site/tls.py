"""The second port of the web process: the same pages and stations over TLS, with client certificates.

A certificate that cannot be verified ends no handshake: many stations carry one of their factory. It counts as none.
"""

import logging
from typing import Any

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
    """Take any client certificate, and note at its connection what is wrong with it; `VERIFIED`: nothing.

    OpenSSL asks once for each flaw and then once for each certificate of the chain, the client's own last. That it was
    verified is noted for what has passed all of it, so that nothing counts as verified that was never looked at.
    """
    if not is_good and connection.get_app_data() is None:
        connection.set_app_data(FLAWS.get(error, f"OpenSSL's verification error {error}"))
    elif depth == 0 and connection.get_app_data() is None:
        connection.set_app_data(VERIFIED)
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
    shown = transport.getPeerCertificate()
    client = None if shown is None else shown.to_cryptography()
    flaw = None if client is None else _flaw_of(transport, client)
    chain = [] if client is None or flaw else [client.public_bytes(Encoding.PEM).decode()]
    return {
        "server_cert": None,
        "client_cert_chain": chain,
        "client_cert_name": client.subject.rfc4514_string() if client is not None and chain else None,
        "client_cert_error": flaw,
        "tls_version": None,
        "cipher_suite": None,
    }


def _flaw_of(transport: Any, client: x509.Certificate) -> str | None:
    """Say why a client certificate is not verified, and log it; None: it is."""
    flaw: str | None = transport.getHandle().get_app_data()
    if flaw == VERIFIED:
        return None
    flaw = flaw or "it was not looked at"
    subject, address = client.subject.rfc4514_string(), transport.getPeer().host
    logger.warning("The client certificate %.200r from %s counts as none: %s", subject, address, flaw)
    return flaw
