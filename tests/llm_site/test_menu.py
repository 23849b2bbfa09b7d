"""The side menu: the same beside our pages and the admin's, with the state of each place."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AccessSettings, User
from badges.models import Badge, BadgeSettings
from energy.models import Installation, Meter
from llm_site.menu import menu_of
from stations.models import Connector, Station, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def administrator():
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": timezone.now()})
    return User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True)


@pytest.fixture
def garage():
    Installation.objects.create(fuse_a=63)
    Meter.objects.create(model="eastron_sdm630", url="tcp://192.0.2.1:502")
    BadgeSettings.objects.create(access_rule="badge")
    AccessSettings.objects.update_or_create(pk=1, defaults={"dashboard_access": "restricted"})
    station = Station.objects.create(identity="EV-1", state="configured")
    Station.objects.create(identity="EV-2", state="pending")
    for number in (1, 2):
        Badge.objects.create(id_tag=f"04A{number}")
    connector = Connector.objects.create(station=station, number=1)
    Transaction.objects.create(connector=connector, id_tag="04A1", meter_start_wh=0, started_at=timezone.now())


def entries_of(page):
    """Read the menu of a page: each title with its state."""
    menu = page.content.decode().partition('class="entries"')[2].partition("</div>")[0]
    found = re.findall(r'<span class="words">([^<]+?) ?(?:<small>([^<]*)</small>)?</span></a>', menu)
    return dict(found)


def titles_of(page):
    return list(entries_of(page))


def test_the_menu_lists_the_places_by_job_with_their_state_as_delivered(client, administrator):
    client.force_login(administrator)
    assert entries_of(client.get("/")) == {
        "Overview": "",
        "General settings": "Not configured",
        "Charging stations": "No station configured",
        "Operators": "Not connected",
        "Circuits": "0 circuits",
        "Limits over time": "None",
        "Badges": "0 badges added",
        "Access rule": "Free access",
        "Users": "1 user",
        "Sign-in and overview": "Public",
        "System settings": "System information, date/time",
        "Planner": "",
        "Data retention": "",
        "Set-up tutorial": "",
        "Charging sessions": "0 running",
        "History and export": "",
        "Messages for operators": "",
        "Flight recorder": "",
        "Commands": "",
        "Changes": "",
        "Messages": "",
        "Security events": "",
        "Certificates": "",
    }


@pytest.mark.usefixtures("garage")
def test_the_menu_tells_how_a_garage_at_work_stands(client, administrator):
    client.force_login(administrator)
    told = entries_of(client.get("/"))
    assert told["General settings"] == "Configured"
    assert told["Charging stations"] == "1 configured, 1 pending"
    assert (told["Badges"], told["Access rule"]) == ("2 badges added", "Badge required")
    assert (told["Sign-in and overview"], told["Charging sessions"]) == ("Users only", "1 running")


def test_a_dynamic_installation_without_a_meter_is_not_called_configured(client, administrator):
    Installation.objects.create(fuse_a=63)
    client.force_login(administrator)
    assert entries_of(client.get("/"))["General settings"] == "No meter"


@pytest.mark.usefixtures("garage")
def test_the_menu_is_the_same_beside_our_pages_and_the_admins(client, administrator):
    client.force_login(administrator)
    ours = entries_of(client.get("/"))
    for path in ("/history/", "/password/", "/admin/", "/admin/badges/badge/", "/admin/stations/station/add/"):
        assert entries_of(client.get(path)) == ours


def test_every_entry_opens_and_is_marked_there(client, administrator):
    client.force_login(administrator)
    menu = client.get("/").content.decode().partition('class="entries"')[2].partition("</div>")[0]
    links = re.findall(r'<a href="([^"]+)"', menu)
    assert len(links) == 23
    for link in links:
        page = client.get(link)
        marked = re.findall(r'href="([^"]+)" title="[^"]+" aria-current="page"', page.content.decode())
        assert (page.status_code, marked) == (200, [link])
        titles = re.findall(rf'<a href="{link}" title="([^"]+)"', menu)
        heading = re.findall(r"<h1>([^<]+)</h1>", page.content.decode())
        assert heading == titles or link == "/export/"


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/history/", "Overview"),
        ("/admin/badges/refusal/", "Badges"),
        ("/admin/stations/station/stops-by-supervisors/", "Badges"),
        ("/admin/stations/straymessage/", "Charging sessions"),
        ("/admin/exports/importedtransaction/", "History and export"),
        ("/admin/stations/station/search/", "Charging stations"),
        ("/admin/badges/badgesettings/", "Access rule"),
    ],
)
def test_a_page_further_in_marks_the_entry_it_belongs_to(client, administrator, path, entry):
    client.force_login(administrator)
    page = client.get(path).content.decode()
    assert re.findall(r'title="([^"]+)" aria-current="page"', page) == [entry]


def test_the_state_of_the_load_manager_stands_above_the_menu_with_its_cause(client, administrator):
    client.force_login(administrator)
    page = client.get("/admin/").content.decode()
    for part in ('id="menu-state"', 'id="header-state"'):
        told = re.sub(r"<[^>]+>", "", page.partition(part)[2].partition(">")[2].partition("</p>")[0])
        assert told.strip() == "Not operational — not configured"


@pytest.mark.usefixtures("garage")
def test_the_menu_holds_only_what_the_user_may_see(client):
    client.force_login(User.objects.create(username="paul", role="advanced", is_staff=True))
    assert titles_of(client.get("/admin/")) == ["Overview", "Badges", "Access rule", "Users"]


def test_rights_without_the_way_into_the_admin_add_nothing_to_the_menu(client):
    client.force_login(User.objects.create(username="paul", role="advanced"))
    assert titles_of(client.get("/")) == ["Overview"]


def test_who_must_choose_a_password_sees_no_menu_and_no_state(client, administrator):
    User.objects.update(must_change_password=True)
    client.force_login(administrator)
    page = client.get("/password/")
    assert titles_of(page) == []
    assert "header-state" not in page.content.decode()


def test_a_visitor_sees_the_state_where_the_dashboard_is_public_alone(client):
    assert "header-state" in client.get("/sign-in/").content.decode()
    AccessSettings.objects.update_or_create(pk=1, defaults={"dashboard_access": "restricted"})
    page = client.get("/sign-in/")
    assert "header-state" not in page.content.decode()
    assert titles_of(page) == []


@pytest.mark.parametrize(("language", "words"), [("fr", "Bornes de charge"), ("de", "Ladestationen")])
def test_the_menu_speaks_the_browsers_language(client, administrator, language, words):
    client.force_login(administrator)
    assert words in titles_of(client.get("/admin/", headers={"accept-language": language}))


@pytest.mark.parametrize("number", [1, 20])
@pytest.mark.usefixtures("garage")
def test_the_menu_costs_an_administrator_five_queries_however_much_there_is(rf, administrator, number):
    Station.objects.bulk_create(Station(identity=f"N-{at}", state="configured") for at in range(number))
    request = rf.get("/")
    request.user = administrator
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert menu_of(request).groups
    assert len(asked) == 5


def test_a_page_without_a_menu_asks_for_none(client, administrator):
    client.force_login(administrator)
    with CaptureQueriesContext(connection) as asked:
        client.get("/live/history")
    assert not [query for query in asked if "badges_badge" in query["sql"]]
