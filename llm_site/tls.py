"""The second port of the web process: the same pages and stations over TLS, with client certificates."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from daphne.server import Server
from django.conf import settings
from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint

from stations.certificates import authority

BACKLOG = 4096


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
        context.set_verify(SSL.VERIFY_PEER)  # not FAIL_IF_NO_PEER_CERT: stations of profile 2 have none
        self._context = context

    def getContext(self) -> SSL.Context:  # noqa: N802 (Twisted's interface)
        """Return it."""
        return self._context


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
    return {
        "server_cert": None,
        "client_cert_chain": [] if client is None else [client.public_bytes(Encoding.PEM).decode()],
        "client_cert_name": None if client is None else client.subject.rfc4514_string(),
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
    }
