"""The load manager's own authority: what it signs, and what it refuses to sign."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.utils import timezone

from stations import certificates
from stations.certificates import authority, issue_certificate, issue_server_certificate
from stations.connections import withdraw_certificates
from stations.errors import CertificateRefused
from stations.models import Certificate, CertificateAuthority, CertificateState, Station
from tests.certificates import named, new_key, request_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    return Station.objects.create(identity="CP1", serial_number="SN-77", state="configured")


def issue(station, request=None, profile=1):
    request = request_for("CP1") if request is None else request
    return issue_certificate(station_id=station.pk, connection_profile=profile, request=request)


def root():
    return x509.load_pem_x509_certificate(authority().certificate_pem.encode())


def test_there_is_one_authority_and_its_key_is_sealed():
    assert authority() == authority()
    kept = CertificateAuthority.objects.get()
    assert "PRIVATE KEY" not in kept.key_sealed
    assert root().public_bytes(Encoding.PEM).decode() == kept.certificate_pem


def test_a_certificate_is_for_a_client_and_signed_by_the_root(station):
    signed = issue(station)
    certificate = x509.load_pem_x509_certificate(signed.pem.encode())
    certificate.verify_directly_issued_by(root())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_before_utc < timezone.now() - timedelta(hours=23)
    assert (signed.state, signed.common_name) == (CertificateState.ISSUED, "CP1")
    assert len(signed.pem) <= 10_000


def test_the_same_request_gets_the_same_certificate(station):
    request = request_for("CP1")
    assert issue(station, request) == issue(station, request)


def test_a_key_whose_certificate_was_withdrawn_gets_no_other(station):
    key = new_key()
    first = issue(station, request_for("CP1", key=key))
    assert withdraw_certificates(certificate_ids=[first.pk]) == 1
    with pytest.raises(CertificateRefused, match="new key"):
        issue(station, request_for("CP1", key=key))
    assert issue(station, request_for("CP1")) != first


def test_a_serial_number_is_a_name_too_and_base64_alone_a_request(station):
    armoured = request_for("SN-77")
    bare = "".join(line for line in armoured.splitlines() if "-----" not in line)
    assert issue(station, bare).common_name == "SN-77"
    assert issue(station, armoured.replace("\n", "\\n")).common_name == "SN-77"


def test_the_serial_number_a_station_tells_gives_it_no_other_stations_name(station):
    Station.objects.create(identity="SN-77")
    with pytest.raises(CertificateRefused, match="another station"):
        issue(station, request_for("SN-77"))


@pytest.mark.parametrize("names", [("CP2",), (), ("CP1", "CP2"), ("cp1",)])
def test_another_name_is_refused(station, names):
    with pytest.raises(CertificateRefused, match="expected the name 'CP1'"):
        issue(station, request_for(*names))


def test_a_request_must_be_signed_with_its_own_key(station):
    read = x509.load_pem_x509_csr(request_for("CP1").encode()).public_bytes(Encoding.DER)
    forged = base64.b64encode(read[:-4] + bytes(4)).decode()
    with pytest.raises(CertificateRefused, match=r"own key|read"):
        issue(station, forged)
    assert not Certificate.objects.exists()


@pytest.mark.parametrize(
    ("key", "came"),
    [
        (ec.generate_private_key(ec.SECP192R1()), r"came secp192r1|read"),
        (rsa.generate_private_key(65537, 1024), "came RSA of 1024 bits"),
        (rsa.generate_private_key(3, 2048), "came RSA of 2048 bits with exponent 3"),
    ],
)
def test_a_weak_key_is_refused(station, key, came):
    with pytest.raises(CertificateRefused, match=came):
        issue(station, request_for("CP1", key=key))


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
def test_other_strong_keys_are_taken(station, key):
    assert issue(station, request_for("CP1", key=key)).common_name == "CP1"


def test_a_station_that_is_not_in_service_or_came_without_a_password_gets_none(station):
    with pytest.raises(CertificateRefused, match="password"):
        issue(station, profile=0)
    Station.objects.update(state="pending")
    with pytest.raises(CertificateRefused, match="not in service"):
        issue(station)


def test_a_station_that_asks_without_end_is_refused(station, monkeypatch):
    monkeypatch.setattr(certificates, "MOST_A_DAY", 2)
    issue(station)
    issue(station)
    with pytest.raises(CertificateRefused, match="within a day"):
        issue(station)
    Certificate.objects.update(issued_at=timezone.now() - timedelta(days=2))
    issue(station)


def test_a_server_certificate_names_hosts_and_addresses():
    pem, key = issue_server_certificate(hosts=["llm.example.org", "192.168.1.5"])
    certificate = x509.load_pem_x509_certificate(pem.encode())
    certificate.verify_directly_issued_by(root())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["llm.example.org"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.5"]
    assert "PRIVATE KEY" in key


def test_nothing_of_the_subject_is_signed_but_the_name(station):
    key = new_key()
    subject = x509.Name([*named("CP1"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    signed = issue(station, request.public_bytes(Encoding.PEM).decode())
    assert x509.load_pem_x509_certificate(signed.pem.encode()).subject == named("CP1")


def test_with_another_secret_key_nothing_is_signed_any_more(station, settings):
    authority()
    settings.SECRET_KEY = "another secret key than before, long enough"
    with pytest.raises(CertificateRefused, match="another secret key"):
        issue(station)
