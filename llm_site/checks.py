"""What would be unsafe or cannot work fails at start, with what to do (Django system checks)."""

import ssl
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from stations.editions import MAXIMUM_STATIONS

ACCEPT_STATIONS = ("pending", "auto", "off")


@register()
def choices_are_known(**_options: Any) -> list[CheckMessage]:
    """Refuse an edition or a way to take stations in that does not exist."""
    problems: list[CheckMessage] = []
    for name, value, known in (
        ("LLM_EDITION", settings.EDITION, tuple(MAXIMUM_STATIONS)),
        ("LLM_ACCEPT_STATIONS", settings.ACCEPT_STATIONS, ACCEPT_STATIONS),
    ):
        if value not in known:
            problems.append(Error(f"{name}: expected one of {', '.join(known)}, came {value!r}", id="llm.E001"))
    return problems


@register()
def secrets_are_strong(**_options: Any) -> list[CheckMessage]:
    """Warn of a short key: passwords of stations and sessions hang on it."""
    if len(settings.SECRET_KEY) >= 32 or settings.DEBUG:
        return []
    return [Warning("LLM_SECRET_KEY has fewer than 32 characters", hint="Leave it out: one is made.", id="llm.W001")]


@register()
def tls_can_be_served(**_options: Any) -> list[CheckMessage]:
    """Refuse half a TLS set-up, files that are none, and proxies that are no addresses."""
    problems: list[CheckMessage] = []
    if bool(settings.TLS_CERT) != bool(settings.TLS_KEY):
        problems.append(Error("LLM_TLS_CERT and LLM_TLS_KEY: expected both or neither", id="llm.E002"))
    elif settings.TLS_CERT:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.TLS_CERT, settings.TLS_KEY)
        except OSError as error:  # ssl.SSLError is one
            text = f"LLM_TLS_CERT, LLM_TLS_KEY: expected a certificate and its key in PEM, came {error}"
            problems.append(Error(text, id="llm.E003"))
        if settings.TLS_PORT == settings.PORT:
            problems.append(Error("LLM_TLS_PORT: expected another port than LLM_PORT", id="llm.E004"))
    if settings.TLS_CLIENT_CA:
        try:
            ssl.create_default_context().load_verify_locations(settings.TLS_CLIENT_CA)
        except OSError as error:
            problems.append(Error(f"LLM_TLS_CLIENT_CA: expected certificates in PEM, came {error}", id="llm.E005"))
    for proxy in settings.TRUSTED_PROXIES:
        try:
            ip_network(proxy)
        except ValueError as error:
            problems.append(Error(f"LLM_TRUSTED_PROXIES: expected addresses or networks: {error}", id="llm.E006"))
    return problems


@register()
def limits_can_be_taken(**_options: Any) -> list[CheckMessage]:
    """Refuse a Modbus server that could not listen."""
    if not settings.MODBUS_PORT:
        return []
    problems: list[CheckMessage] = []
    if not 0 < settings.MODBUS_PORT < 65536 or settings.MODBUS_PORT in (settings.PORT, settings.TLS_PORT):
        text = f"LLM_MODBUS_PORT: expected a port of its own, came {settings.MODBUS_PORT}"
        problems.append(Error(text, id="llm.E007"))
    try:
        ip_address(settings.MODBUS_ADDRESS)
    except ValueError as error:
        problems.append(Error(f"LLM_MODBUS_ADDRESS: expected an address of this machine: {error}", id="llm.E008"))
    return problems
