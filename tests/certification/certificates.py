"""A certificate authority of the tests: certificates of servers and stations, requests, and hashes of certificates."""

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID


def pem_of_key(key):
    """Write a private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of(certificate):
    """Write a certificate, or a request for one, as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def request_for(common_name):
    """Return a new key and the request for a certificate of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, x509.CertificateSigningRequestBuilder().subject_name(_name(common_name)).sign(key, hashes.SHA256())


class Authority:
    """Signs certificates; `files` are written into `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign("Root of the cases", self._key.public_key(), x509.BasicConstraints(True, 0))
        self.root_path = self._write("root.pem", pem_of(self.root))

    def _sign(self, common_name, public_key, *extensions):
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name("Root of the cases"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def sign(self, common_name, *extensions):
        """Return the paths of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(common_name, key.public_key(), x509.BasicConstraints(False, None), *extensions)
        return self.keep(common_name, pem_of(certificate), key)

    def keep(self, name, certificate, key):
        """Write a certificate, given as PEM, and its key, and return their paths."""
        return self._write(f"{name}.pem", certificate), self._write(f"{name}.key", pem_of_key(key))

    def sign_server(self):
        """Return the paths of the load manager's own certificate and its key."""
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return self.sign("llm", x509.SubjectAlternativeName([address]))

    def trusting(self, certificate=None):
        """Return how a station opens TLS: it trusts this authority, and may show a certificate (paths)."""
        context = ssl.create_default_context(cafile=self.root_path)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context


def hash_data(certificate, algorithm):
    """Return the certificateHashData of a certificate that signed itself (OCSP's hashes, RFC 6960 §4.1.1)."""
    digest = getattr(hashlib, algorithm.lower())
    key = certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(key).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }
