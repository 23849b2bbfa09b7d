"""From where a visitor comes, and whether the way was encrypted."""

from urllib.parse import urlencode

import pytest
from channels.db import database_sync_to_async
from channels.testing import HttpCommunicator

from accounts.addresses import client_address
from accounts.services import save_user
from llm_site.asgi import application
from tests.accounts.conftest import PASSWORD
from tests.http_client import TIMEOUT_S

PROXY = "10.0.0.5"


@pytest.fixture
def _proxy(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/29"]


@pytest.mark.usefixtures("_proxy")
@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        (PROXY, "203.0.113.9, 192.168.1.7", "192.168.1.7"),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, "203.0.113.9, 192.168.1.7, 10.0.0.3", "192.168.1.7"),
        (PROXY, "203.0.113.9, 192.168.1.7:4711, 10.0.0.3:80,10.0.0.4", "192.168.1.7"),
        (PROXY, "203.0.113.9, nobody, 10.0.0.3", "10.0.0.3"),
        (PROXY, "10.0.0.3", "10.0.0.3"),
        (PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        (PROXY, "[2001:db8::1]", "2001:db8::1"),
        (PROXY, "nobody", PROXY),
        (PROXY, "", PROXY),
        ("10.0.0.9", "192.168.1.7", "10.0.0.9"),
        ("", "192.168.1.7", None),
    ],
)
def test_a_trusted_proxy_says_who_comes_and_nobody_else(rf, peer, forwarded_for, address):
    assert client_address(rf.get("/", REMOTE_ADDR=peer, headers={"x-forwarded-for": forwarded_for})) == address


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
@pytest.mark.parametrize(("proxies", "status", "is_secure"), [([PROXY], 302, True), ([], 403, False)])
async def test_behind_a_trusted_proxy_one_signs_in_over_https(settings, proxies, status, is_secure):
    """The origin of the form fits only where the request counts as https."""
    settings.TRUSTED_PROXIES = proxies
    await database_sync_to_async(save_user)(username="marie", role="standard", password=PASSWORD)
    fields = {"username": "marie", "password": PASSWORD, "csrfmiddlewaretoken": "a" * 32}
    headers = {
        b"host": b"garage",
        b"origin": b"https://garage",
        b"x-forwarded-proto": b"https",
        b"content-type": b"application/x-www-form-urlencoded",
        b"cookie": b"csrftoken=" + b"a" * 32,
    }
    request = HttpCommunicator(application, "POST", "/sign-in/", urlencode(fields).encode(), list(headers.items()))
    request.scope.update(client=(PROXY, 4711), scheme="http")
    answer = await request.get_response(timeout=TIMEOUT_S)
    await request.wait(timeout=TIMEOUT_S)
    cookies = [value.decode() for name, value in answer["headers"] if name.lower() == b"set-cookie"]
    assert answer["status"] == status
    assert any("sessionid=" in cookie and "Secure" in cookie for cookie in cookies) is is_secure
