"""Security profiles on real sockets: passwords, TLS ended by the product or by nginx, certificates over the wire."""

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import quote

import pytest
import websockets

from tests.certificates import certificate_for, key_pem, named, new_key, request_for
from tests.e2e.product import ROOT, Product, free_port

pytestmark = pytest.mark.e2e

FIRST_KEY, TOKEN, PROXY = "first-key-of-CP1-", "a-long-random-text-for-the-tests", "127.0.0.2"
EVENTS_OF = "SELECT type FROM stations_securityevent JOIN stations_station s ON s.id = station_id WHERE identity = ?"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SITE = f"""
stations:
  - {{identity: CP1, password: {FIRST_KEY}}}
  - {{identity: CP2, password: key-of-CP2}}
  - {{identity: CP3, password: key-of-CP3}}
  - {{identity: CP4, password: key-of-CP4}}
  - {{identity: CP5, password: key-of-CP5}}
users:
  - {{username: eve, role: administrator, password: "Choose-1-of-your-own", token: {TOKEN}}}
"""


@pytest.fixture(scope="module")
def secured():
    """A product with a server certificate of its own, three stations and a token, which believes one proxy."""
    with tempfile.TemporaryDirectory(prefix="llm-") as folder:
        product = Product(folder, LLM_TLS_PORT=str(free_port()), LLM_TRUSTED_PROXIES=PROXY)
        manage(product, "prepare")
        for line in manage(product, "certificate", "server", "localhost", "127.0.0.1").split():
            name, _, value = line.partition("=")
            product.environment[name] = value
        product.apply(SITE)
        product.start()
        yield product
        product.stop()


@pytest.fixture
def tls_folder(secured, tmp_path):
    """A folder with the product's root certificate, which stations are given by hand."""
    ((root,),) = secured.query("SELECT certificate_pem FROM stations_certificateauthority")
    (tmp_path / "root.pem").write_text(root)
    return tmp_path


def manage(product, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=product.environment, check=True, capture_output=True, text=True).stdout


def encrypted(folder, chain=None, key=None):
    """Return what a station needs for TLS, with its certificate where it has one."""
    context = ssl.create_default_context(cafile=folder / "root.pem")
    if chain is not None:
        (folder / "client.pem").write_text(chain + key_pem(key))
        context.load_cert_chain(folder / "client.pem")
    return context


class Socket:
    """A station's end of an open socket; calls of the product that nobody waits for are accepted."""

    def __init__(self, socket):
        self.socket = socket

    async def ask(self, action, **payload):
        await self.socket.send(json.dumps([2, "ask", action, payload]))
        return (await self._hear(lambda frame: frame[1] == "ask"))[2]

    async def heard(self, action):
        """Wait until the product asks for something, accept it, and return what it asked."""
        return (await self._hear(lambda frame: frame[0] == 2 and frame[2] == action))[3]

    async def _hear(self, is_awaited):
        while True:
            frame = json.loads(await asyncio.wait_for(self.socket.recv(), 20))
            if frame[0] == 2:
                await self.socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            if is_awaited(frame):
                return frame


@asynccontextmanager
async def connected(url, *, identity="CP1", password=None, tls=None, headers=None):
    headers = dict(headers or {})
    if password is not None:
        secret = password if isinstance(password, bytes) else password.encode()
        headers["Authorization"] = "Basic " + base64.b64encode(identity.encode() + b":" + secret).decode()
    async with websockets.connect(
        f"{url}/{identity}", subprotocols=["ocpp1.6"], additional_headers=headers, ssl=tls
    ) as socket:
        yield Socket(socket)


async def refusal_of(url, **offer):
    """Return what a connection is refused with."""
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with connected(url, **offer):
            pass
    return refusal.value.response


async def refused(url, **offer):
    return (await refusal_of(url, **offer)).status_code


def of_a_factory(name):
    """Return a certificate of an authority that nobody knows here, with its key."""
    key = new_key()
    return certificate_for(name, key, issuer=named("A maker"), issuer_key=new_key()), key


async def test_who_guesses_passwords_is_asked_for_one_and_then_has_to_wait(secured):
    answers = [await refusal_of(secured.url, identity="CP5", password=f"guess {n}") for n in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[0].headers["WWW-Authenticate"] == 'Basic realm="OCPP"'
    assert int(answers[5].headers["Retry-After"]) in (1, 2)
    assert secured.query(EVENTS_OF, "CP5") == [("FailedToAuthenticateAtCentralSystem",)]


async def change(product, identity, socket, key, value):
    """Have a connected station told to change its configuration, which it accepts."""
    body = {"action": "ChangeConfiguration", "payload": {"key": key, "value": value}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{product.port}/api/stations/{identity}/commands",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )

    def send():
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    asking = asyncio.create_task(asyncio.to_thread(send))
    while (asked := await socket.heard("ChangeConfiguration"))["key"] != key:
        continue
    assert asked["value"] == value
    assert (await asking)["status"] == "accepted"


async def signed(url, identity, password, tls):
    """Have a certificate signed over the wire; returns it with its key."""
    key = new_key()
    async with connected(url, identity=identity, password=password, tls=tls) as socket:
        assert await socket.ask("SignCertificate", csr=request_for("CP9")) == {"status": "Rejected"}
        assert await socket.ask("SignCertificate", csr=request_for(identity, key=key)) == {"status": "Accepted"}
        return (await socket.heard("CertificateSigned"))["certificateChain"], key


async def test_a_station_rises_from_a_password_to_a_certificate_and_never_falls(secured, tls_folder):
    product, tmp_path = secured, tls_folder
    plain, url = product.url, f"wss://localhost:{product.environment['LLM_TLS_PORT']}/ocpp"
    tls = encrypted(tmp_path)

    assert await refused(plain) == 401
    assert await refused(plain, password="wrong") == 401
    new_password = bytes(range(236, 256)).hex()
    async with connected(plain, password=FIRST_KEY) as socket:
        await change(product, "CP1", socket, "AuthorizationKey", new_password)
    async with connected(plain, password=FIRST_KEY) as socket:
        await change(product, "CP1", socket, "SecurityProfile", "2")
    async with connected(plain, password=FIRST_KEY):
        pass
    async with connected(url, password=bytes.fromhex(new_password), tls=tls) as socket:
        assert "currentTime" in await socket.ask("Heartbeat")
    assert await refused(plain, password=new_password) == 403
    assert await refused(url, password=FIRST_KEY, tls=tls) == 401

    chain, key = await signed(url, "CP1", new_password, tls)
    others_chain, others_key = await signed(url, "CP2", "key-of-CP2", tls)
    await asyncio.to_thread(
        product.wait_for,
        lambda: product.query("SELECT state FROM stations_certificate ORDER BY id") == [("accepted",), ("accepted",)],
    )
    async with connected(url, password=new_password, tls=tls) as socket:
        await change(product, "CP1", socket, "SecurityProfile", "3")
    async with connected(url, tls=encrypted(tmp_path, chain, key)) as socket:
        assert "currentTime" in await socket.ask("Heartbeat")
        event = {"type": "SettingSystemTime", "timestamp": "2026-01-05T10:00:00Z"}
        assert await socket.ask("SecurityEventNotification", **event) == {}
    assert await refused(url, password=new_password, tls=tls) == 403
    assert await refused(url, password=new_password, tls=encrypted(tmp_path, others_chain, others_key)) == 403
    forged = {"X-Client-Certificate": quote(chain), "X-Forwarded-Proto": "https"}
    assert await refused(plain, headers=forged) == 403
    assert await refused(url, headers=forged, tls=tls) == 403
    assert await refused(url, tls=encrypted(tmp_path, *of_a_factory("CP1"))) == 403
    async with connected(
        url, identity="CP2", password="key-of-CP2", tls=encrypted(tmp_path, *of_a_factory("CP2"))
    ) as socket:
        assert "currentTime" in await socket.ask("Heartbeat")
    assert product.query(EVENTS_OF, "CP1") == [("SettingSystemTime",)]
    log = (product.folder / "log/web.log").read_text()
    assert "security profile 2 needs TLS" in log
    assert "that of CP2" in log
    assert "'CN=CP2' from 127.0.0.1 counts as none: its authority is unknown" in log
    assert new_password not in log


@contextmanager
def nginx_before(product, folder):
    """Run nginx with the configuration that is delivered; yields where stations connect to."""
    port = free_port()
    site = (ROOT / "deploy/nginx.conf").read_text()
    for delivered, here in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{product.port}"),
        ("/etc/nginx/llm-server.pem", product.environment["LLM_TLS_CERT"]),
        ("/etc/nginx/llm-server.key", product.environment["LLM_TLS_KEY"]),
        ("/etc/nginx/llm-root.pem", str(folder / "root.pem")),
    ):
        assert delivered in site
        site = site.replace(delivered, here)
    temporary = "\n".join(
        f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nevents {{}}\n"
        f"http {{\naccess_log off;\nproxy_bind {PROXY};\n{temporary}\ninclude {folder}/site.conf;\n}}\n"
    )
    command = [NGINX, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        product.wait_for(lambda: (folder / "nginx.pid").exists() and process.poll() is None)
        yield f"wss://localhost:{port}/ocpp"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (deploy/install-test-tools.sh)")
async def test_behind_nginx_only_what_it_has_verified_counts(secured, tls_folder):
    with nginx_before(secured, tls_folder) as url:
        tls, offer = encrypted(tls_folder), {"identity": "CP3", "password": "key-of-CP3"}
        chain, key = await signed(url, "CP3", "key-of-CP3", tls)
        of_cp3 = "SELECT state FROM stations_certificate WHERE common_name = 'CP3'"
        await asyncio.to_thread(secured.wait_for, lambda: secured.query(of_cp3) == [("accepted",)])
        async with connected(url, **offer, tls=tls) as socket:
            await change(secured, "CP3", socket, "SecurityProfile", "3")
        async with connected(url, identity="CP3", tls=encrypted(tls_folder, chain, key)) as socket:
            assert "currentTime" in await socket.ask("Heartbeat")
        assert secured.query("SELECT ip_address FROM stations_station WHERE identity = 'CP3'") == [("127.0.0.1",)]
        unknown = encrypted(tls_folder, *of_a_factory("CP3"))
        assert await refused(url, **offer, tls=unknown) == 403
        async with connected(url, identity="CP4", password="key-of-CP4", tls=unknown) as socket:
            assert "currentTime" in await socket.ask("Heartbeat")
        forged = {"X-Client-Certificate": quote(chain), "X-Forwarded-Proto": "https"}
        assert await refused(url, **offer, headers=forged, tls=tls) == 403
        assert await refused(secured.url, **offer, headers=forged) == 403
