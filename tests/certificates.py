"""Keys, requests and certificates as stations and other authorities make them."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def named(*names):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


def request_for(*names, key=None):
    """Return a certificate signing request as PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(named(*names))
    return builder.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def certificate_for(name, key, *, issuer=None, issuer_key=None, signs_for=None):
    """Return a certificate as PEM, signed by its own key unless an authority is given.

    `signs_for`: the only names that it may sign.
    """
    now = datetime.now(UTC)
    is_root = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(issuer or named(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
    )
    if signs_for is not None:
        builder = builder.add_extension(x509.NameConstraints([x509.DirectoryName(signs_for)], None), critical=True)
    return builder.sign(issuer_key or key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def server_certificate(key):
    """Return a certificate of 127.0.0.1 as PEM, which is its own authority."""
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(named("operator")).issuer_name(named("operator"))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    return builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
