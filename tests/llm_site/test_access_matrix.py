"""Who may reach what: every URL and every operation of the REST API, held against every kind of visitor.

The URLs come from the URL table itself. One that `RULES` does not name fails here: add a line that says who may.
"""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.audit import record
from accounts.models import AccessSettings, Change, Role, User
from accounts.services import renew_token, save_user
from badges.models import Badge, BadgeSettings, Refusal, Scan
from energy.models import ExternalLimit, Installation, Meter, Recording, Retention, Scenario, TimeTableRow
from exports.models import HistoryImport, ImportedTransaction
from llm_site.api import api
from stations.models import (
    Certificate,
    Circuit,
    Command,
    Connector,
    CpoLink,
    CpoMessage,
    CpoServer,
    Frame,
    SecurityEvent,
    Station,
    StrayMessage,
    Transaction,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EMPTY_BLOCK = zlib.compress(b'{"timing":{},"dynamic":true,"first":true,"state":{},"cycles":[]}')
ANYONE, DASHBOARD, NOBODY = "anyone", "dashboard", "nobody"  # dashboard: anyone while it is public, then every user


@dataclass(frozen=True)
class Rule:
    """Who may open a URL and which status they see; who may post to it, with the status of an empty form.

    `signed_in` is what users see, where that is another status. `posted` None: posting is not tried by those who may,
    only by those who may not.
    """

    opens: str
    status: int = 200
    signed_in: int | None = None
    posts: str | None = None
    posted: int | None = None


ALL, ADVANCED, ADMINISTRATOR = Rule(ANYONE), Rule(Role.ADVANCED), Rule(Role.ADMINISTRATOR)

# The first that fits counts. Pages by name, without one by route; operations of the REST API by method and path.
RULES = {
    # --- our own pages
    "overview": Rule(DASHBOARD, posts=ANYONE, posted=405),
    "place-action": Rule(Role.ADMINISTRATOR, status=405, posted=204),
    "history-table": Rule(DASHBOARD, posts=ANYONE, posted=405),
    "live-overview": Rule(DASHBOARD, posts=ANYONE, posted=405),
    "live-history": Rule(DASHBOARD, posts=ANYONE, posted=405),
    "sign-in": Rule(ANYONE, signed_in=302),
    "sign-out": Rule(ANYONE, status=405, posted=302),
    "change-password": Rule(Role.STANDARD, posted=200),
    "set_language": Rule(ANYONE, status=405, posted=302),
    "sign-in-code": Rule(ANYONE, status=302),
    "account": Rule(Role.STANDARD, posted=405),
    "end-session": Rule(Role.STANDARD, status=405, posted=302),
    "end-other-sessions": Rule(Role.STANDARD, status=405, posted=302),
    "second-factor": Rule(Role.STANDARD, posted=200),
    "renew-codes": Rule(Role.STANDARD, status=302),
    "remove-second-factor": Rule(Role.STANDARD, status=302),
    "first-start-skip": Rule(Role.ADMINISTRATOR, status=405, posted=302),
    "first-start-*": ADMINISTRATOR,
    "tutorial": Rule(Role.ADMINISTRATOR, posted=405),
    "summary": Rule(Role.ADMINISTRATOR, posted=405),
    "tariff": Rule(Role.ADMINISTRATOR, posted=200),
    "monthly-mail": Rule(Role.ADMINISTRATOR, posted=302),
    "history-import-file": ADMINISTRATOR,
    "history-import": Rule(Role.ADMINISTRATOR, posted=302),
    "export": Rule(Role.ADMINISTRATOR, posted=405),
    "export-*": Rule(Role.ADMINISTRATOR, status=400, posted=405),
    "system-backup-download": Rule(Role.ADMINISTRATOR, status=404),
    "system-backup-delete": Rule(Role.ADMINISTRATOR, status=405, posted=404),
    "system-restore": Rule(Role.ADMINISTRATOR, status=404),
    "system": Rule(Role.ADMINISTRATOR, posted=405),
    "system-*": ADMINISTRATOR,
    "well-known*": Rule(ANYONE, posted=405),
    # --- the REST API
    "api-*:openapi-json": ALL,
    "api-*:openapi-view": ALL,
    "api-*:api-root": Rule(ANYONE, status=404),
    "GET /api/health": Rule(ANYONE, status=503),
    "GET /api/stations": Rule(Role.STANDARD),
    "GET /api/stations/{identity:identity}": Rule(Role.STANDARD),
    "GET /api/connectors": Rule(Role.STANDARD),
    "GET /api/installation": Rule(Role.STANDARD),
    "GET /api/installation/limit": ADMINISTRATOR,
    "PUT /api/installation/limit": Rule(Role.ADMINISTRATOR, posted=422),
    "DELETE /api/installation/limit": Rule(Role.ADMINISTRATOR, posted=200),
    "GET /api/readings": Rule(Role.STANDARD),
    "GET /api/reading-means": Rule(Role.STANDARD),
    "GET /api/allocations": Rule(Role.STANDARD),
    "GET /api/badges": ADVANCED,
    "GET /api/transactions": ADVANCED,
    "GET /api/transactions/{int:number}": ADVANCED,
    "GET /api/security-events": ADMINISTRATOR,
    "GET /api/stations/{identity:identity}/commands": ADMINISTRATOR,
    "POST /api/stations/{identity:identity}/commands": Rule(Role.ADMINISTRATOR, posts=Role.ADMINISTRATOR, posted=422),
    # --- the admin's frame
    "admin/login/": Rule(ANYONE, status=302),
    "admin/jsi18n/": ADVANCED,
    "admin/password_change/": Rule(ANYONE, status=302, posted=302),
    "admin:login": Rule(ANYONE, status=302),
    "admin:logout": Rule(Role.ADVANCED, status=405),
    "admin:index": ADVANCED,
    "admin:search": ADVANCED,
    "admin:password_change": Rule(ANYONE, status=302, posted=302),
    "admin:password_change_done": ADVANCED,
    "admin:autocomplete": Rule(Role.ADVANCED, status=403),
    "admin:jsi18n": ADVANCED,
    "admin:view_on_site": Rule(Role.ADVANCED, status=404),
    "admin:app_list": ADVANCED,
    "admin/(?P<url>.*)$": Rule(Role.ADVANCED, status=404),
    "admin/*/<path:object_id>/": Rule(Role.ADVANCED, status=302),
    # --- the admin's pages: what is heard or kept is not added or deleted by hand, nor is a row of settings
    **{
        f"admin:{name}_{page}": Rule(NOBODY)
        for name in (
            "accounts_accesssettings",
            "accounts_change",
            "badges_badgesettings",
            "badges_refusal",
            "energy_externallimit",
            "energy_installation",
            "exports_importedtransaction",
            "energy_recording",
            "energy_retention",
            "stations_certificate",
            "stations_command",
            "stations_frame",
            "stations_securityevent",
            "stations_straymessage",
            "stations_transaction",
        )
        for page in ("add", "delete")
    },
    **{f"admin:badges_badge_{page}": ADVANCED for page in ("changelist", "add", "change", "history", "delete")},
    "admin:badges_badge_begin_scan": ADVANCED,
    "admin:badges_badge_scan": Rule(Role.ADVANCED, posted=302),
    "admin:badges_refusal_change": Rule(Role.ADVANCED, posts=NOBODY),
    "admin:badges_refusal_*": ADVANCED,
    "admin:stations_station_stop_requests": Rule(Role.ADVANCED, posted=302),
    "admin:badges_badge_import_file": Rule(Role.ADVANCED, posted=302),
    "admin:badges_badge_import_template": Rule(Role.ADVANCED, posted=405),
    "admin:badges_badge_export_file": ADVANCED,
    "admin:badges_badgesettings_history": ADVANCED,
    "admin:badges_badgesettings_*": Rule(Role.ADVANCED, posts=Role.ADMINISTRATOR),
    "admin:accounts_user_api_token": ADMINISTRATOR,
    "admin:accounts_user_ways_in": ADMINISTRATOR,
    "admin:accounts_user_reset_password": Rule(Role.ADVANCED, status=302),
    **{f"admin:accounts_user_{page}": ADVANCED for page in ("changelist", "add", "change", "history", "delete")},
    "admin:auth_user_password_change": ADVANCED,
    "admin:accounts_accesssettings_*": ADMINISTRATOR,
    "admin:accounts_change_*": ADMINISTRATOR,
    "admin:energy_installation_check": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_installation_read_meter": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_installation_start_search": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_installation_look_again": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_installation_stop_search": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_externallimit_lift": Rule(Role.ADMINISTRATOR, status=405),
    "admin:energy_*": ADMINISTRATOR,
    "admin:exports_*": ADMINISTRATOR,
    "admin:stations_cpomessage_add": Rule(NOBODY),
    "admin:stations_station_take_into_service": Rule(Role.ADMINISTRATOR, status=405),
    "admin:stations_station_show_messages": Rule(Role.ADMINISTRATOR, status=302),
    "admin:stations_*": ADMINISTRATOR,
}


# --- the URL table


def pages(patterns=None, before="", namespaces=()):
    """List every route with its name: the name of its namespace and its own, or the route where it has none."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            yield from pages(entry.url_patterns, route, (*namespaces, *filter(None, [entry.namespace])))
        elif isinstance(entry, URLPattern):
            yield (":".join((*namespaces, entry.name)) if entry.name else route), entry


def operations():
    """List every operation of the REST API: its key, method and path."""
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    address = "/api/" + "/".join(filter(None, (prefix.strip("/"), path.strip("/"))))
                    yield f"{method} {address}", method, address


OPERATIONS = list(operations())
NO_OPERATIONS = ("api-root", "openapi-json", "openapi-view")
PAGES = [
    (key, entry) for key, entry in pages() if not key.startswith("api-") or key.rpartition(":")[2] in NO_OPERATIONS
]


def test_every_operation_of_the_api_is_held_against_its_rule():
    of_operations = [key for key, _entry in pages() if key.startswith("api-") and (key, _entry) not in PAGES]
    assert len(of_operations) == len(OPERATIONS)


def rule_of(key):
    return next((rule for pattern, rule in RULES.items() if fnmatchcase(key, pattern) or key == pattern), None)


@pytest.mark.parametrize("key", sorted({key for key, _entry in PAGES} | {key for key, *_ in OPERATIONS}))
def test_every_url_has_a_rule(key):
    assert rule_of(key), f"nothing says who may reach {key!r}: add it to RULES in {__file__}"


def test_every_rule_has_a_url():
    keys = [key for key, _entry in PAGES] + [key for key, *_ in OPERATIONS]
    for pattern in RULES:
        assert any(fnmatchcase(key, pattern) or key == pattern for key in keys), f"{pattern!r} fits no URL any more"


# --- what the URLs are about


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def rows():
    """Make one of everything, so that each URL has something to answer with: label → primary key."""
    station = Station.objects.create(identity="CP1", state="configured")
    connector = Connector.objects.create(station=station, number=1)
    link = CpoLink.objects.create(station=station, server=CpoServer.objects.create(name="o", url="ws://o.example"))
    made = [
        station,
        CpoServer.objects.create(name="op", url="ws://op.example"),
        CpoMessage.objects.create(link=link, action="StopTransaction", payload="{}", queued_at=NOON, set_aside_at=NOON),
        Circuit.objects.create(name="North", limit_l1_a=32, limit_l2_a=32, limit_l3_a=32),
        Badge.objects.create(id_tag="CAFE01"),
        Refusal.objects.create(id_tag="CAFE02", station="CP1", reason="unknown"),
        Scan.objects.create(ends_at=NOON),
        User.objects.create(username="marie"),
        Command.objects.create(station=station, action="Reset", state="not_connected"),
        connector,
        Transaction.objects.create(connector=connector, id_tag="CAFE01", meter_start_wh=0, started_at=NOON),
        SecurityEvent.objects.create(station=station, type="Reset", at=NOON, received_at=NOON),
        StrayMessage.objects.create(station=station, action="StopTransaction", payload={}, reason="unknown"),
        Frame.objects.create(station=station, number=1, at_s=NOON.timestamp(), is_incoming=True, text="[]"),
        Certificate.objects.create(
            station=station, common_name="CP1", serial_number="1", pem="", not_before=NOON, not_after=NOON
        ),
        history := HistoryImport.objects.create(
            file_name="old.csv", time_zone="Europe/Paris", is_wh=True, state="finished"
        ),
        ImportedTransaction.objects.create(number=1, started_at=NOON, brought_by=history),
        Scenario.objects.create(name="North", fuse_a=32),
        TimeTableRow.objects.create(days=[0, 1], begins="06:00", ends="22:00", limit_a=40),
        Recording.objects.create(begins_at=NOON, ends_at=NOON, cycles=0, has_memory=True, data=EMPTY_BLOCK),
        *(model.get_solo() for model in (AccessSettings, BadgeSettings, ExternalLimit, Installation, Meter, Retention)),
    ]
    record(station, {"name": ("", "Place 1")})
    return {row._meta.label_lower: row.pk for row in [*made, Change.objects.first()]}


def address_of(key, entry, rows):
    """Fill in what a page is about."""
    named = dict.fromkeys(entry.pattern.converters) | dict.fromkeys(entry.pattern.regex.groupindex)
    if not entry.name:
        return "/" + key.replace("<path:object_id>", "1").replace("(?P<url>.*)$", "nothing")
    subject = next((label for label in rows if f":{label.replace('.', '_')}_" in key), "accounts.user")
    known = {
        "object_id": rows[subject],
        "id": rows[subject],
        "operation": "ClearCache",
        "connector_id": rows["stations.connector"],
        "action": "stop",
        "app_label": "badges",
        "number": rows["badges.scan" if "_scan" in key else "exports.historyimport"],
        "content_type_id": ContentType.objects.get_for_model(Badge).pk,
        "url": "nothing",
        "name": "llm-2026-01-05.zip",
    }
    assert named.keys() <= known.keys(), f"{key}: say in address_of what {sorted(named)} may be"
    address = reverse(key, kwargs={name: known[name] for name in named})
    if "_fleet_outcome" in key:
        return f"{address}?commands={rows['stations.command']}"
    is_of_several = key.endswith(("_together", "_delete_several")) or "_fleet_" in key
    return f"{address}?stations={rows['stations.station']}" if is_of_several else address


# --- the visitors


def may(role, who, is_public):
    if who == ANYONE or (who == DASHBOARD and is_public):
        return True
    if who == NOBODY:
        return False
    roles = list(Role)
    needed = Role.STANDARD if who == DASHBOARD else who
    return role is not None and roles.index(role) >= roles.index(needed)


def status_of_refusal(role, address):
    if address.startswith("/api/"):
        return 401 if role is None else 403
    return 302 if role is None else 403


def complaints(client, role, is_public, method, address, who, expected):
    """Send a request and undo what it did; says what is wrong with its answer."""
    cookies = client.cookies.copy()
    with transaction.atomic():
        answer = client.generic(method, address, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    if answer.streaming and not answer.is_async:
        assert b"".join(answer)  # read to the end, a file is closed
    client.cookies = cookies
    is_sent_away = answer.status_code == 302 and answer.url.startswith(("/sign-in/", "/admin/"))
    said = f"{method} {address}: {answer.status_code} {answer.headers.get('Location', '')}"
    if not may(role, who, is_public):
        refusal = status_of_refusal(role, address)
        if answer.status_code != refusal or (refusal == 302 and not is_sent_away):
            yield f"{said}, but {role} may not ({refusal} expected)"
    elif expected is not None and answer.status_code != expected:
        yield f"{said}, but {role} may ({expected} expected)"


def visitor(role, *, token=False):
    if role is None:
        return Client()
    user = save_user(username=f"visitor-{role}", role=role)
    if token:
        return Client(headers={"authorization": f"Bearer {renew_token(username=user.username)}"})
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("access", ["public", "restricted"])
@pytest.mark.parametrize("role", [None, *Role])
def test_every_page_answers_each_visitor_as_its_rule_says(rows, role, access):
    AccessSettings.objects.update(dashboard_access=access, setup_done_at=NOON)
    client = visitor(role)
    found = []
    for key, entry in PAGES:
        rule, address = rule_of(key), address_of(key, entry, rows)
        visit = (client, role, access == "public")
        status = rule.signed_in if role and rule.signed_in else rule.status
        found += complaints(*visit, "GET", address, rule.opens, status)
        posts = rule.posts or rule.opens
        if rule.posted is not None or not may(role, posts, access == "public"):
            found += complaints(*visit, "POST", address, posts, rule.posted)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("access", ["public", "restricted"])
@pytest.mark.parametrize("token", [False, True], ids=["session", "token"])
@pytest.mark.parametrize("role", [None, *Role])
def test_every_operation_of_the_api_answers_each_visitor_as_its_rule_says(rows, role, token, access):
    AccessSettings.objects.update(dashboard_access=access, setup_done_at=NOON)
    client = visitor(role, token=token)
    found = []
    for key, method, address in OPERATIONS:
        rule = rule_of(key)
        filled = address.replace("{identity:identity}", "CP1")
        filled = filled.replace("{int:number}", str(rows["stations.transaction"]))
        expected = rule.status if method == "GET" else rule.posted
        found += complaints(client, role, access == "public", method, filled, rule.opens, expected)
    assert not found, "\n".join(found)
