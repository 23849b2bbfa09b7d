"""What a connection must show, how passwords and profiles change, and what stations report."""

import asyncio
import base64
import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from accounts.secrets import keyed_hash
from stations import security
from stations.certificates import issue_certificate
from stations.commanding import (
    end_commands_of_last_life,
    note_sent,
    request_command,
    settle_command,
    tidy_commands,
    withdraw_commands,
)
from stations.errors import CommandUnfit
from stations.models import Certificate, CertificateState, Command, CommandState, SecurityEvent, Station
from stations.ocpp16.blanking import HIDDEN
from stations.security import make_password, record_security_event, tidy_security_events
from stations.services import forget_sockets
from tests.certificates import certificate_for, named, new_key, request_for
from tests.http_client import ask, token_of
from tests.stations.test_consumer import Line, in_database
from tests.stations.wire import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("closed_connections")]

OLD, NEW = "an-old-password", "00112233445566778899aabbccddeeff00112233"


def station(identity="CP1", **values):
    return Station.objects.create(identity=identity, state="configured", **values)


def make(**values):
    return in_database(lambda: station(**values))


def offering(*, password=None, tls=False, certificate="", client=None, headers=()):
    """A connection of CP1."""
    sent = list(headers)
    if password is not None:
        secret = password if isinstance(password, bytes) else password.encode()
        sent.append((b"authorization", b"Basic " + base64.b64encode(b"CP1:" + secret)))
    line = Line("/ocpp/CP1", headers=sent)
    if tls or certificate:
        line.socket.scope["extensions"]["tls"] = {"client_cert_chain": [certificate] if certificate else []}
    if client is not None:
        line.socket.scope["client"] = [client, 40000]
    return line


async def now():
    return await in_database(lambda: Station.objects.get(identity="CP1"))


def certificate_of(owner, **values):
    """Sign a certificate for a station; returns its row."""
    signed = issue_certificate(station_id=owner.pk, connection_profile=1, request=request_for(owner.identity))
    Certificate.objects.filter(pk=signed.pk).update(**values)
    return signed


# --- the handshake


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


# --- passwords


@database_sync_to_async
def told(key, value, state=None, *, is_sent=True):
    """Ask CP1, as if connected, to change its configuration; returns the command once it has its outcome."""
    Station.objects.update(socket_id="web/elsewhere")
    command = request_command(
        station=Station.objects.get(identity="CP1"),
        action="ChangeConfiguration",
        payload={"key": key, "value": value},
        user=None,
    )
    if is_sent:
        note_sent(command_id=command.pk)
    if state is not None:
        settle_command(command_id=command.pk, state=state)
    Station.objects.update(socket_id="")
    return command


async def test_until_the_new_password_is_used_both_count_and_then_the_new_one_alone():
    await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.ACCEPTED)
    for password in (OLD, NEW):
        async with offering(password=password):
            pass
    assert await offering(password=OLD).refusal() == 401
    async with offering(password=NEW):
        pass
    assert (await now()).next_password_hash == ""


async def test_a_new_password_counts_before_its_answer_is_kept():
    await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW)
    async with offering(password=NEW):
        pass


@pytest.mark.parametrize(
    ("state", "is_sent", "counts"),
    [
        (CommandState.REJECTED, True, False),
        (CommandState.REFUSED, True, False),
        (CommandState.NOT_CONNECTED, False, False),
        (CommandState.NOT_CONNECTED, True, True),
        (CommandState.TIMED_OUT, True, True),
    ],
)
async def test_a_new_password_is_forgotten_only_where_it_was_surely_not_taken(state, is_sent, counts):
    await make(password_hash=keyed_hash(OLD))
    await told("authorizationKEY", NEW, state, is_sent=is_sent)
    if counts:
        async with offering(password=NEW):
            pass
    else:
        assert await offering(password=NEW).refusal() == 401


async def test_a_password_is_changed_one_at_a_time():
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW)
    with pytest.raises(CommandUnfit, match="just now"):
        await told("AuthorizationKey", "another")
    with pytest.raises(CommandUnfit, match="just now"):
        await in_database(lambda: make_password(station_id=command.station_id))
    await in_database(lambda: settle_command(command_id=command.pk, state=CommandState.ACCEPTED))
    with pytest.raises(CommandUnfit, match="restart"):
        await told("AuthorizationKey", "another")
    async with offering(password=NEW):
        pass
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


@pytest.mark.parametrize("state", [CommandState.TIMED_OUT, CommandState.NOT_CONNECTED, CommandState.ACCEPTED])
async def test_no_other_password_is_sent_where_the_one_before_may_have_been_taken(state):
    await make(password_hash=keyed_hash(OLD), security_profile=1)
    await told("AuthorizationKey", NEW, state)
    with pytest.raises(CommandUnfit, match="restart it first"):
        await told("AuthorizationKey", "another", CommandState.REJECTED)
    async with offering(password=NEW):
        pass


async def test_no_password_is_sent_in_the_place_of_one_made_by_hand():
    made = await make(password_hash=keyed_hash(OLD), security_profile=1)
    password = await in_database(lambda: make_password(station_id=made.pk))
    with pytest.raises(CommandUnfit, match="restart it first"):
        await told("AuthorizationKey", "another", CommandState.REJECTED)
    async with offering(password=password):
        pass


async def test_what_was_asked_is_read_anew_before_a_password_is_sent():
    read_before = await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.TIMED_OUT)
    with pytest.raises(CommandUnfit, match="restart it first"):
        await in_database(
            lambda: request_command(
                station=read_before,
                action="ChangeConfiguration",
                payload={"key": "AuthorizationKey", "value": "another"},
                user=None,
            )
        )


async def test_a_password_that_a_station_lost_is_replaced_by_hand_while_it_is_away():
    made = await make(password_hash=keyed_hash(OLD))
    await told("AuthorizationKey", NEW, CommandState.TIMED_OUT)
    async with offering(password=OLD):
        with pytest.raises(CommandUnfit, match="restart it first"):
            await in_database(lambda: make_password(station_id=made.pk))
    password = await in_database(lambda: make_password(station_id=made.pk))
    async with offering(password=password):
        pass
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


def withdraw(command):
    withdraw_commands(command_ids=[command.pk])


def lose_outcome(command):
    Command.objects.filter(pk=command.pk).update(created_at=timezone.now() - timedelta(hours=1))
    tidy_commands()


def restart_web_process(command):
    Station.objects.filter(pk=command.station_id).update(socket_id=f"{settings.WEB_ID}/1")
    end_commands_of_last_life()
    forget_sockets()


@pytest.mark.parametrize("end", [withdraw, lose_outcome, restart_web_process])
async def test_a_password_that_was_never_sent_is_forgotten_however_its_command_ends(end):
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW, is_sent=False)
    await in_database(lambda: end(command))
    assert (await now()).next_password_hash == ""
    await told("AuthorizationKey", "another", CommandState.ACCEPTED)


@pytest.mark.parametrize("end", [lose_outcome, restart_web_process])
async def test_a_password_that_was_sent_counts_however_its_command_ends(end):
    await make(password_hash=keyed_hash(OLD))
    command = await told("AuthorizationKey", NEW)
    await in_database(lambda: end(command))
    async with offering(password=NEW):
        pass


async def test_a_password_cannot_be_taken_away():
    await make(password_hash=keyed_hash(OLD))
    with pytest.raises(CommandUnfit, match="taken away"):
        await told("AuthorizationKey", "")


async def test_a_password_made_by_hand_is_needed_from_its_first_use():
    made = await make()
    password = await in_database(lambda: make_password(station_id=made.pk))
    assert len(bytes.fromhex(password)) == 20
    async with offering():
        pass
    async with offering(password=password):
        pass
    assert await offering().refusal() == 401


async def test_a_password_is_sent_whole_and_kept_and_logged_nowhere(caplog):
    token = await token_of("administrator")
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        body = {"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": NEW}}
        asking = asyncio.create_task(ask("POST", "/api/stations/CP1/commands", body, token=token))
        heard = await line.hear()
        await line.socket.send_to(json.dumps([3, heard[1], {"status": "Accepted"}]))
        answer = await asking
    assert heard[3]["value"] == NEW
    assert answer.json()["payload"]["value"] == HIDDEN
    assert (await in_database(Command.objects.get)).payload == {"key": "AuthorizationKey", "value": HIDDEN}
    assert NEW not in caplog.text
    assert NEW not in answer.body.decode()


# --- profiles


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


# --- certificates over the wire


async def test_a_certificate_follows_the_answer_and_what_the_station_says_is_kept():
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        await line.socket.send_to(json.dumps([2, "1", "SignCertificate", {"csr": request_for("CP1")}]))
        assert await line.hear() == [3, "1", {"status": "Accepted"}]
        heard = await line.hear()
        assert heard[2] == "CertificateSigned"
        await line.socket.send_to(json.dumps([3, heard[1], {"status": "Rejected"}]))
        assert "currentTime" in await line.ask("Heartbeat")
    kept = await in_database(Certificate.objects.get)
    assert kept.pem == heard[3]["certificateChain"]
    assert (kept.state, kept.answer) == (CertificateState.REJECTED, "Rejected")


@pytest.mark.parametrize("csr", [None, 5, "", "nonsense", "x" * 20_000, request_for("CP2")])
async def test_a_request_that_is_none_or_for_another_is_rejected(csr):
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        assert await line.ask("SignCertificate", csr=csr) == {"status": "Rejected"}
    assert not await in_database(Certificate.objects.exists)


async def test_who_came_without_a_password_gets_no_certificate(caplog):
    await make()
    async with offering() as line:
        assert await line.ask("SignCertificate", csr=request_for("CP1")) == {"status": "Rejected"}
    assert "without a password" in caplog.text


# --- what stations report


async def test_a_security_event_is_kept_once_however_often_it_is_sent():
    await make()
    event = {"type": "TamperDetectionActivated", "timestamp": "2026-01-05T10:00:00Z", "techInfo": "lid"}
    async with offering() as line:
        assert await line.ask("SecurityEventNotification", **event) == {}
        assert await line.ask("SecurityEventNotification", **event) == {}
        assert await line.ask("SecurityEventNotification", timestamp="yesterday", techInfo=["odd\x00"]) == {}
        assert await line.ask("SecurityEventNotification", type="T\x00" * 200, timestamp=None) == {}
    kept = await in_database(lambda: list(SecurityEvent.objects.order_by("pk").values_list("type", "tech_info")))
    assert kept == [("TamperDetectionActivated", "lid"), ("Unknown", ""), ("T" * 100, "")]


@pytest.mark.parametrize("action", ["LogStatusNotification", "SignedFirmwareStatusNotification"])
async def test_the_secured_kin_of_the_progress_messages_are_answered(action):
    await make()
    async with offering() as line:
        assert await line.ask(action, status="Uploading", requestId=1) == {}


def event(owner, age, kind="A"):
    at = timezone.now() - age
    record_security_event(station_id=owner.pk, event=security.ReportedEvent(kind, at, ""))
    SecurityEvent.objects.filter(at=at).update(received_at=at)


def test_events_are_kept_for_a_year_and_the_newest_of_each_station(monkeypatch):
    monkeypatch.setattr(security, "MOST_EVENTS", 2)
    loud, quiet = station(), station("CP2")
    event(quiet, timedelta(days=400))
    event(quiet, timedelta(days=3))
    for minutes in (5, 4, 3):
        event(loud, timedelta(minutes=minutes), kind=str(minutes))
    tidy_security_events()
    assert list(quiet.security_events.values_list("type", flat=True)) == ["A"]
    assert list(loud.security_events.values_list("type", flat=True)) == ["3", "4"]


def test_events_are_told_to_administrators_filtered_and_paged():
    for identity in ("CP1", "CP2"):
        owner = station(identity)
        event(owner, timedelta(days=2), kind="SettingSystemTime")
        event(owner, timedelta(days=1), kind="FirmwareUpdated")

    async def asked(**parameters):
        return (await ask("GET", "/api/security-events", token=token, **parameters)).json()

    token = async_to_sync(token_of)("administrator")
    since = (timezone.now() - timedelta(hours=30)).isoformat()
    everything = async_to_sync(asked)()
    assert everything["count"] == 4
    assert everything["items"][0]["type"] == "FirmwareUpdated"
    assert async_to_sync(asked)(station="CP1", type="FirmwareUpdated")["count"] == 1
    assert async_to_sync(asked)(from_=since)["count"] == 2
    assert async_to_sync(asked)(to=since)["count"] == 2
    advanced = async_to_sync(token_of)("advanced")
    assert async_to_sync(ask)("GET", "/api/security-events", token=advanced).status == 403


async def test_a_station_that_is_being_given_a_certificate_is_signed_no_other():
    await make(password_hash=keyed_hash(OLD))
    async with offering(password=OLD) as line:
        for number, status in (("1", "Accepted"), ("2", "Rejected")):
            await line.socket.send_to(json.dumps([2, number, "SignCertificate", {"csr": request_for("CP1")}]))
            heard = await line.hear()
            while heard[0] == 2:
                given, heard = heard, await line.hear()
            assert heard == [3, number, {"status": status}]
        await line.socket.send_to(json.dumps([3, given[1], {"status": "Accepted"}]))
        assert "currentTime" in await line.ask("Heartbeat")
        await until(lambda: Certificate.objects.get().state == CertificateState.ACCEPTED)
        assert await line.ask("SignCertificate", csr=request_for("CP1")) == {"status": "Accepted"}
