"""Serving TLS: the certificate that is made for it, and what is refused at start."""

import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import time_machine
from cryptography import x509
from django.core.management import CommandError, call_command
from OpenSSL import SSL

from llm_site.checks import tls_can_be_served
from llm_site.tls import VERIFIED, TlsContext, noted
from stations.certificates import STATION_LASTS, authority, issue_certificate
from stations.models import Station
from tests.certificates import certificate_for, key_pem, named, new_key, request_for


@pytest.fixture
def served(settings, tmp_path, capsys):
    """Settings with a certificate as `manage.py certificate server` makes it."""
    settings.DATA_DIR = tmp_path
    call_command("certificate", "server", "llm.example.org", "192.168.1.5")
    named = dict(line.split("=", 1) for line in capsys.readouterr().out.split())
    settings.TLS_CERT, settings.TLS_KEY = named["LLM_TLS_CERT"], named["LLM_TLS_KEY"]
    return settings


def complaints():
    return [problem.id for problem in tls_can_be_served()]


@pytest.mark.django_db
def test_the_certificate_that_is_made_can_be_served_and_its_key_is_private(served, capsys):
    assert complaints() == []
    assert os.stat(served.TLS_KEY).st_mode & 0o077 == 0
    call_command("certificate", "root")
    trusting = ssl.create_default_context(cadata=capsys.readouterr().out)
    assert len(trusting.get_ca_certs()) == 1


@pytest.mark.django_db
def test_a_host_that_is_none_is_refused():
    with pytest.raises(CommandError, match="host names"):
        call_command("certificate", "server", "bü.example")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"TLS_KEY": ""}, "llm.E002"),
        ({"TLS_KEY": "/nowhere/server.key"}, "llm.E003"),
        ({"TLS_PORT": 8000, "PORT": 8000}, "llm.E004"),
        ({"TLS_CLIENT_CA": "/nowhere/root.pem"}, "llm.E005"),
        ({"TRUSTED_PROXIES": ["proxy.example.org"]}, "llm.E006"),
    ],
)
def test_half_a_set_up_is_refused_at_start(served, changed, problem):
    for name, value in changed.items():
        setattr(served, name, value)
    assert complaints() == [problem]


def test_without_tls_there_is_nothing_to_complain_of():
    assert complaints() == []


@pytest.mark.django_db
def test_a_station_is_told_every_authority_whose_certificates_are_taken(served, tmp_path):
    foreign = tmp_path / "foreign.pem"
    foreign.write_text("".join(certificate_for(name, new_key()) for name in ("First root", "Second root")))
    served.TLS_CLIENT_CA = str(foreign)
    asked = SSL.Connection(TlsContext().getContext(), None).get_client_ca_list()
    own = x509.load_pem_x509_certificate(authority().certificate_pem.encode()).subject
    assert [f"CN={name.CN}" for name in asked] == ["CN=First root", "CN=Second root", own.rfc4514_string()]


def shown_to(context, pem):
    """Shake hands as a station does that shows a certificate; returns what was noted of it."""
    server, client = SSL.Connection(context.getContext(), None), ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    if pem is not None:
        client.load_cert_chain(pem)
    server.set_accept_state()
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    station = client.wrap_bio(received, sent)
    for _ in range(4):
        with suppress(ssl.SSLWantReadError):
            station.do_handshake()
        if sent.pending:
            server.bio_write(sent.read())
        with suppress(SSL.WantReadError):
            server.do_handshake()
        with suppress(SSL.WantReadError):
            received.write(server.bio_read(100_000))
    assert server.get_cipher_name() is not None
    return noted.get(server)


def own(name):
    """A certificate of the load manager's authority, with its key."""
    key = new_key()
    row = Station.objects.create(identity=name, state="configured")
    signed = issue_certificate(station_id=row.pk, connection_profile=1, request=request_for(name, key=key))
    return signed.pem + key_pem(key)


def factory(name):
    key = new_key()
    return certificate_for(name, key, issuer=named("A maker"), issuer_key=new_key()) + key_pem(key)


def self_signed(name):
    key = new_key()
    return certificate_for(name, key) + key_pem(key)


def expired(name):
    """One that the authority signed long ago."""
    with time_machine.travel(datetime.now(UTC) - 2 * STATION_LASTS):
        return own(name)


ACME_KEY = new_key()


def beyond_its_authority(name):
    """One of an authority that is taken, but may sign for Acme alone."""
    key = new_key()
    return certificate_for(name, key, issuer=named("Acme root"), issuer_key=ACME_KEY) + key_pem(key)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("made_by", "flaw"),
    [
        (own, VERIFIED),
        (factory, "its authority is unknown"),
        (self_signed, "it signed itself"),
        (expired, "it has expired"),
        (beyond_its_authority, "OpenSSL's verification error 47"),
        (None, None),
    ],
)
def test_any_certificate_passes_the_handshake_and_only_a_verified_one_counts(served, tmp_path, made_by, flaw):
    acme = tmp_path / "acme.pem"
    acme.write_text(certificate_for("Acme root", ACME_KEY, signs_for=named("Acme")))
    served.TLS_CLIENT_CA = str(acme)
    authority()
    shown = None
    if made_by is not None:
        shown = tmp_path / "station.pem"
        shown.write_text(made_by("CP1"))
    assert shown_to(TlsContext(), shown) == flaw
