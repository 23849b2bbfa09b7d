"""What a connection must show: each security profile, a proxy before, and how a profile rises."""

import base64

import pytest
from django.utils import timezone

from accounts.secrets import keyed_hash
from stations.errors import CommandUnfit
from stations.models import Certificate, CertificateState, CommandState, Station
from tests.certificates import certificate_for, named, new_key
from tests.stations.offers import NEW, OLD, certificate_of, make, now, offering, told
from tests.stations.test_consumer import Line, in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]


@pytest.mark.parametrize(
    ("profile", "offer", "status"),
    [
        (1, {}, 401),
        (1, {"password": "wrong"}, 401),
        (1, {"password": "wrong", "tls": True}, 401),
        (2, {"password": OLD}, 403),
        (2, {"tls": True}, 401),
        (2, {"password": "wrong", "tls": True}, 401),
        (3, {"password": OLD}, 403),
        (3, {"password": OLD, "tls": True}, 403),
    ],
)
async def test_less_than_the_profile_is_refused(profile, offer, status, caplog):
    await make(security_profile=profile, password_hash=keyed_hash(OLD))
    assert await offering(**offer).refusal() == status
    assert "Refused: CP1: " in caplog.text
    assert OLD not in caplog.text
    assert (await now()).connected_at is None


@pytest.mark.parametrize(
    ("offer", "reached"),
    [({"password": OLD}, 1), ({"password": OLD, "tls": True}, 2)],
)
async def test_more_than_the_profile_is_let_in_and_noted(offer, reached):
    await make(password_hash=keyed_hash(OLD))
    async with offering(**offer):
        pass
    kept = await now()
    assert (kept.connection_profile, kept.security_profile) == (reached, 0)


async def test_who_is_refused_for_the_password_is_asked_for_it():
    await make(password_hash=keyed_hash(OLD), security_profile=1)
    line = offering()
    assert await line.refusal() == 401
    assert line.refusal_headers == [(b"www-authenticate", b'Basic realm="OCPP"')]


async def test_who_is_refused_for_the_certificate_is_not_asked_for_a_password():
    await make(security_profile=3)
    line = offering(tls=True)
    assert await line.refusal() == 403
    assert line.refusal_headers == []


async def test_a_certificate_that_was_not_verified_counts_as_none_and_the_log_says_why(caplog):
    await make(password_hash=keyed_hash(OLD), security_profile=2)
    shown = {"client_cert_chain": [], "client_cert_error": "it has expired"}
    line = offering(password=OLD, tls=True)
    line.socket.scope["extensions"]["tls"] = shown
    async with line:
        pass
    assert (await now()).connection_profile == 2
    await in_database(lambda: Station.objects.update(security_profile=3))
    line = offering(password=OLD, tls=True)
    line.socket.scope["extensions"]["tls"] = shown
    assert await line.refusal() == 403
    assert "not verified: it has expired" in caplog.text


async def test_no_certificate_counts_beside_an_error_of_its_verification():
    owner = await make(security_profile=3)
    signed = await in_database(lambda: certificate_of(owner))
    line = offering(certificate=signed.pem)
    line.socket.scope["extensions"]["tls"]["client_cert_error"] = "it has expired"
    assert await line.refusal() == 403


async def test_a_profile_without_any_password_lets_nobody_in():
    await make(security_profile=1)
    assert await offering().refusal() == 401
    assert await offering(password="").refusal() == 401


@pytest.mark.parametrize(
    ("kept", "password"), [(NEW, NEW), (NEW, bytes.fromhex(NEW)), (NEW.upper(), bytes.fromhex(NEW))]
)
async def test_a_key_is_taken_as_its_digits_and_as_the_bytes_they_stand_for(kept, password):
    await make(security_profile=1, password_hash=keyed_hash(kept))
    async with offering(password=password):
        pass


async def test_a_password_that_is_no_utf_8_is_read_as_latin_1():
    await make(password_hash=keyed_hash("Schlüssel"))
    async with offering(password="Schlüssel".encode("latin1")):
        pass


@pytest.mark.parametrize("user", ["00:1A:2B:3C", "other"])
async def test_a_password_is_read_whole_where_the_identity_has_colons(user):
    await make(identity="00:1A:2B:3C", password_hash=keyed_hash("with:colon"))
    credentials = base64.b64encode(f"{user}:with:colon".encode())
    async with Line("/ocpp/00:1A:2B:3C", headers=[(b"authorization", b"Basic " + credentials)]):
        pass


@pytest.mark.parametrize("password", ["12345", "123456", "1234567"])
async def test_base64_without_its_padding_is_read(password):
    await make(password_hash=keyed_hash(password))
    credentials = base64.b64encode(f"CP1:{password}".encode()).rstrip(b"=")
    async with Line("/ocpp/CP1", headers=[(b"authorization", b"Basic " + credentials)]):
        pass


async def test_a_certificate_of_the_station_stands_for_its_password():
    owner = await make(security_profile=3, password_hash=keyed_hash(OLD))
    signed = await in_database(lambda: certificate_of(owner))
    async with offering(certificate=signed.pem):
        pass
    assert (await now()).connection_profile == 3


async def test_the_certificate_of_another_station_or_one_that_was_withdrawn_counts_for_nothing(caplog):
    owner, other = await make(security_profile=3), await make(identity="CP2")
    withdrawn = await in_database(lambda: certificate_of(owner, state=CertificateState.WITHDRAWN))
    others = await in_database(lambda: certificate_of(other))
    assert await offering(certificate=withdrawn.pem).refusal() == 403
    assert "withdrawn" in caplog.text
    assert await offering(certificate=others.pem).refusal() == 403
    assert "that of CP2" in caplog.text


async def test_a_certificate_of_our_own_that_is_no_longer_known_counts_for_nothing(settings):
    settings.TLS_CLIENT_CA = "/some/root.pem"
    owner = await make(security_profile=3)
    signed = await in_database(lambda: certificate_of(owner))
    await in_database(lambda: Certificate.objects.all().delete())
    assert await offering(certificate=signed.pem).refusal() == 403


@pytest.mark.parametrize("name", ["CP1", "SN-77"])
async def test_another_authority_counts_where_it_was_named_and_by_identity_or_serial_number(settings, name):
    key = new_key()
    foreign = certificate_for(name, key, issuer=named("Foreign root"), issuer_key=new_key())
    await make(security_profile=3, serial_number="SN-77")
    assert await offering(certificate=foreign).refusal() == 403
    settings.TLS_CLIENT_CA = "/some/root.pem"
    async with offering(certificate=foreign):
        pass
    strange = certificate_for("CP2", key, issuer=named("Foreign root"), issuer_key=new_key())
    assert await offering(certificate=strange).refusal() == 403


async def test_another_authority_counts_for_a_serial_number_only_where_no_other_station_has_it(settings):
    settings.TLS_CLIENT_CA = "/some/root.pem"
    await make(security_profile=3, serial_number="CP2")
    offered = certificate_for("CP2", new_key(), issuer=named("Foreign root"), issuer_key=new_key())
    async with offering(certificate=offered):
        pass
    await make(identity="CP2")
    assert await offering(certificate=offered).refusal() == 403


# --- a proxy before


async def test_headers_count_from_a_trusted_proxy_alone(settings):
    owner = await make(security_profile=3)
    signed = await in_database(lambda: certificate_of(owner))
    headers = [
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-for", b"203.0.113.9, 192.168.1.7"),
        (b"x-client-certificate", signed.pem.replace("\n", "%0A").replace(" ", "%20").encode()),
    ]
    assert await offering(headers=headers, client="10.0.0.5").refusal() == 403
    settings.TRUSTED_PROXIES = ["10.0.0.0/29"]
    assert await offering(headers=headers, client="10.0.0.9").refusal() == 403
    assert await offering(headers=headers).refusal() == 403
    async with offering(headers=headers, client="10.0.0.5"):
        pass
    assert (await now()).ip_address == "192.168.1.7"


@pytest.mark.parametrize("header", [b"", b"garbage", b"%00%ff", b"-----BEGIN CERTIFICATE-----\nAA=="])
async def test_a_header_that_is_no_certificate_counts_for_nothing(settings, header):
    settings.TRUSTED_PROXIES = ["10.0.0.5"]
    await make(security_profile=3)
    headers = [(b"x-forwarded-proto", b"https"), (b"x-client-certificate", header)]
    assert await offering(headers=headers, client="10.0.0.5").refusal() == 403


async def test_a_proxy_that_ended_no_tls_vouches_for_none(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.5"]
    await make(security_profile=2, password_hash=keyed_hash(OLD))
    headers = [(b"x-forwarded-proto", b"http"), (b"x-forwarded-for", b"nobody")]
    assert await offering(password=OLD, headers=headers, client="10.0.0.5").refusal() == 403


# --- how a profile rises


async def test_a_profile_rises_when_the_station_first_comes_with_it(settings):
    settings.TLS_CERT = "/some/server.pem"
    await make(password_hash=keyed_hash(OLD))
    await told("SecurityProfile", "2", CommandState.ACCEPTED)
    async with offering(password=OLD):
        pass
    assert (await now()).security_profile == 0
    async with offering(password=OLD, tls=True):
        pass
    assert (await now()).security_profile == 2
    assert await offering(password=OLD).refusal() == 403


@pytest.mark.parametrize("state", [CommandState.REJECTED, CommandState.REFUSED, CommandState.TIMED_OUT])
async def test_a_station_that_did_not_agree_keeps_its_profile(settings, state):
    settings.TLS_CERT = "/some/server.pem"
    await make(password_hash=keyed_hash(OLD))
    await told("SecurityProfile", "2", state)
    async with offering(password=OLD, tls=True):
        pass
    assert (await now()).security_profile == 0


@pytest.mark.parametrize(
    ("kept", "wanted", "complaint"),
    [
        ({"security_profile": 2, "password_hash": "x"}, "1", "only be raised"),
        ({"security_profile": 2, "password_hash": "x"}, "0", "only be raised"),
        ({}, "1", "no password yet"),
        ({"password_hash": "x"}, "2", "No TLS"),
        ({"password_hash": "x"}, "4", "profiles 0 to 3"),
        ({"password_hash": "x"}, "high", "profiles 0 to 3"),
        ({"password_hash": "x"}, "-1", "profiles 0 to 3"),
    ],
)
async def test_a_profile_that_would_lock_the_station_out_is_not_asked_for(kept, wanted, complaint):
    await make(**kept)
    with pytest.raises(CommandUnfit, match=complaint):
        await told("SecurityProfile", wanted)


async def test_the_third_profile_needs_a_certificate_first(settings):
    settings.TLS_CERT = "/some/server.pem"
    owner = await make(password_hash=keyed_hash(OLD))
    with pytest.raises(CommandUnfit, match="no certificate yet"):
        await told("SecurityProfile", "3")
    await in_database(lambda: certificate_of(owner, not_after=timezone.now(), state=CertificateState.ACCEPTED))
    with pytest.raises(CommandUnfit, match="no certificate yet"):
        await told("SecurityProfile", "3")
    await in_database(lambda: certificate_of(owner, state=CertificateState.ACCEPTED))
    await told("SecurityProfile", "3", CommandState.ACCEPTED)


@pytest.mark.parametrize("state", [CertificateState.ISSUED, CertificateState.REJECTED, CertificateState.WITHDRAWN])
async def test_a_certificate_that_the_station_may_not_have_opens_no_way_to_the_third_profile(settings, state):
    settings.TLS_CERT = "/some/server.pem"
    owner = await make(password_hash=keyed_hash(OLD))
    await in_database(lambda: certificate_of(owner, state=state))
    with pytest.raises(CommandUnfit, match="no certificate yet"):
        await told("SecurityProfile", "3")


async def test_a_station_that_came_with_its_certificate_may_have_the_third_profile(settings):
    settings.TLS_CERT = "/some/server.pem"
    owner = await make(password_hash=keyed_hash(OLD))
    signed = await in_database(lambda: certificate_of(owner))
    async with offering(certificate=signed.pem):
        pass
    await told("SecurityProfile", "3", CommandState.ACCEPTED)
