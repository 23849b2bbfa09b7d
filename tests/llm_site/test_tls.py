"""Serving TLS: the certificate that is made for it, and what is refused at start."""

import os
import ssl

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from OpenSSL import SSL

from llm_site.checks import tls_can_be_served
from llm_site.tls import TlsContext
from stations.certificates import authority
from tests.certificates import certificate_for, new_key


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
