"""Where a station finds the load manager: the address to enter at it."""

from urllib.parse import quote, urlsplit

from django.conf import settings

HTTPS_PORT = 443


def ocpp_address(host: str, *, is_secure: bool, identity: str = "") -> str:
    """Return the address a station is to be set to: `ws://<host>/ocpp/<identity>`, `wss://` where TLS is served.

    `host` is what the browser has used, with its port (`request.get_host()`), `is_secure` whether it came over TLS.
    Without an identity the address ends where the station's own is to be written.
    """
    if is_secure:
        return _address("wss", host, identity)
    if not settings.TLS_CERT:
        return _address("ws", host, identity)
    name = urlsplit(f"//{host}").hostname or host
    name = f"[{name}]" if ":" in name else name
    port = "" if settings.TLS_PORT == HTTPS_PORT else f":{settings.TLS_PORT}"
    return _address("wss", f"{name}{port}", identity)


def _address(scheme: str, host: str, identity: str) -> str:
    return f"{scheme}://{host}/ocpp/{quote(identity, safe='')}"


def is_this_machine_only(host: str) -> bool:
    """Say whether a host as above names the machine the browser runs on, which no station can reach by it."""
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.startswith("127.") or name == "::1"
