import re
from datetime import timedelta

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone, translation

from accounts.models import AccessSettings, DashboardAccess, User
from accounts.services import save_user
from badges.models import Badge
from energy import live
from energy.allocation.model import REASON_TEXTS, ReasonCode
from energy.dashboard import compute_overview
from energy.models import Allocation, Installation, Meter, Reading
from energy.reasons import SENTENCES, explain
from energy.sessions import Condition
from stations.models import Preconfiguration, Station, Transaction
from tests.energy.overview_rows import NOW, add_connector, add_reading
from tests.stations.machine import stand_at

VISITOR = live.Viewer(
    language="en", host="llm.local", is_secure=False, is_signed_in=False, may_approve=False, may_configure=False
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _collected_static_files(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _installation(db):  # noqa: ARG001 (gives the database)
    Meter.objects.create(model="eastron_sdm630", url="tcp://192.0.2.1:502")
    Installation.objects.create(fuse_a=63)


def add_session(connector, *, limit_a=16.0, reason="station_maximum", reason_params=None, id_tag="04A1B2C3"):
    badge = Badge.objects.create(id_tag=id_tag, comment="Anna Weber")
    Allocation.objects.create(
        connector=connector, decided_at=NOW, limit_a=limit_a, reason=reason, reason_params=reason_params or {}
    )
    return Transaction.objects.create(
        connector=connector, id_tag=id_tag, badge=badge, meter_start_wh=10_000, started_at=NOW - timedelta(hours=1)
    )


def test_the_building_is_what_the_meter_sees_less_charging():
    add_reading()
    lines = compute_overview(NOW).lines
    assert [(line.name, line.building_a, line.charging_a, line.usable_a) for line in lines] == [
        ("L1", 20.0, 28.0, 50.4),
        ("L2", 20.0, 20.0, 50.4),
        ("L3", 20.0, 10.0, 50.4),
    ]
    assert not any(line.is_over for line in lines)


def test_where_cars_charge_from_the_sun_the_overview_says_so(client):
    Installation.objects.update(surplus="minimum")
    assert "What the sun leaves is shared." in client.get("/").content.decode()
    Installation.objects.update(mode="static", static_limit_a=20)
    assert "A fixed current is shared." in client.get("/").content.decode()


def test_without_a_meter_value_the_building_is_unknown():
    add_reading(grid=None)
    assert [line.building_a for line in compute_overview(NOW).lines] == [None] * 3


def test_a_line_over_the_usable_current_is_over_and_its_bar_still_fits():
    add_reading(grid=(70.0, 50.3, 50.0))
    lines = compute_overview(NOW).lines
    assert [line.is_over for line in lines] == [True, False, False]
    assert lines[0].building_share + lines[0].charging_share <= 100


def test_a_line_is_judged_by_what_its_meter_reads_while_stations_still_tell_of_more():
    add_reading(grid=(20.0, 20.0, 20.0), charging=(70.0, 70.0, 70.0))
    lines = compute_overview(NOW).lines
    assert not any(line.is_over for line in lines)
    assert lines[0].charging_share <= 100


def test_the_marks_of_all_lines_stand_under_each_other_when_one_is_over_the_fuse():
    add_reading(grid=(90.0, 40.0, 30.0))
    lines = compute_overview(NOW).lines
    assert len({(line.usable_share, line.fuse_share) for line in lines}) == 1


def test_an_exporting_building_gives_no_bar_of_negative_width():
    add_reading(grid=(-5.0, 0.0, 0.0), charging=(0.0, 0.0, 0.0))
    assert compute_overview(NOW).lines[0].building_share == 0


def test_a_single_phase_installation_has_one_line():
    Installation.objects.update(phases=1)
    add_reading()
    overview = compute_overview(NOW)
    assert [line.name for line in overview.lines] == ["L1"]
    assert overview.charging_limit_a == (30.4,)


def test_the_meters_age_counts_from_its_last_value():
    add_reading(NOW - timedelta(seconds=9))
    add_reading(grid=None)
    assert compute_overview(NOW).meter_age_s == 9


def test_a_session_shows_its_currents_on_the_lines_of_the_installation():
    add_session(add_connector(status="Charging", rotation="L2L3L1", drawn=(11.0, 12.0, 13.0)))
    (session,) = compute_overview(NOW).sessions
    assert [(use.name, use.drawn_a, use.allowed_a) for use in session.lines] == [
        ("L1", 13.0, 16.0),
        ("L2", 11.0, 16.0),
        ("L3", 12.0, 16.0),
    ]
    assert session.energy_kwh == 2.5


def test_a_single_phase_session_uses_one_line():
    add_session(add_connector(status="Charging", rotation="L3", drawn=(14.0, None, None)))
    (session,) = compute_overview(NOW).sessions
    assert [(use.is_wired, use.drawn_a) for use in session.lines] == [(False, None), (False, None), (True, 14.0)]


def test_only_the_newest_allocation_counts():
    connector = add_connector(status="Charging")
    add_session(connector, limit_a=16.0)
    Allocation.objects.create(
        connector=connector,
        decided_at=NOW + timedelta(seconds=1),
        limit_a=0,
        reason="waiting",
        reason_params={"ahead": 2},
    )
    (session,) = compute_overview(NOW).sessions
    assert session.why == "waiting: 2 ahead"
    assert session.at.condition is Condition.HELD_BACK


def test_a_stopped_transaction_is_no_session():
    transaction = add_session(add_connector())
    Transaction.objects.filter(pk=transaction.pk).update(stopped_at=NOW, meter_stop_wh=11_000)
    assert compute_overview(NOW).sessions == ()


def test_connectors_are_counted_by_what_they_do():
    for number, status in enumerate(["Available", "Available", "Charging", "SuspendedEVSE", "SuspendedEV", "Faulted"]):
        add_connector(f"CP{number}", status=status)
    add_connector("CP9", status="Available", socket_id="")
    overview = compute_overview(NOW)
    assert dict(overview.counts) == {
        Condition.FREE: 2,
        Condition.CHARGING: 1,
        Condition.HELD_BACK: 1,
        Condition.OCCUPIED: 1,
        Condition.FAULT: 1,
        Condition.OFFLINE: 1,
    }
    assert overview.connectors == 7


def test_more_stations_cost_no_more_queries(django_assert_max_num_queries):
    add_reading()
    for number in range(25):
        add_session(add_connector(f"CP{number}", status="Charging"), id_tag=f"TAG{number}")
    compute_overview(NOW)  # makes the one-row settings
    with django_assert_max_num_queries(12):
        assert len(compute_overview(NOW).sessions) == 25


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_of_the_controller_has_a_sentence_with_the_same_figures(code):
    figures = set(re.findall(r"%\((\w+)\)s", REASON_TEXTS[code]))
    params = dict.fromkeys(figures, 4)
    with translation.override("en"):
        sentence = explain(code, params)
    assert sentence
    assert sentence != code
    assert sentence.count("4") == len(figures)


def test_no_sentence_is_left_without_its_reason():
    assert set(SENTENCES) == set(ReasonCode)


def test_reasons_are_told_in_the_visitors_language_with_its_decimal_sign():
    with translation.override("fr"):
        assert explain("ramping", {"target_a": 12.5}) == "monte bientôt à 12,5 A"


def test_the_first_in_the_queue_is_next():
    assert explain("waiting", {"ahead": 0}) == "waiting: next in turn"
    assert explain("waiting", {"ahead": 2, "circuit": ""}) == "waiting: 2 ahead"  # of all stations together
    assert explain("waiting", {"ahead": 0, "circuit": "B2"}) == "waiting: circuit B2 is full, next in turn"
    assert explain("waiting", {"ahead": 2, "circuit": "B2"}) == "waiting: circuit B2 is full, 2 ahead"


def test_a_reason_of_another_version_is_shown_as_it_is():
    assert explain("moon_phase", {}) == "moon_phase"
    assert explain("operator_profile", {}) == "operator_profile"


PATHS = ["/", "/live/overview", "/live/history", "/history/"]


@pytest.mark.parametrize("path", PATHS)
def test_a_restricted_dashboard_sends_visitors_to_the_sign_in_page(client, path):
    AccessSettings.objects.create(dashboard_access=DashboardAccess.RESTRICTED)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, "/sign-in/?next=/")


@pytest.mark.parametrize("path", ["/", "/live/history", "/history/"])
def test_a_restricted_dashboard_lets_users_in(client, path):
    AccessSettings.objects.create(dashboard_access=DashboardAccess.RESTRICTED)
    client.force_login(User.objects.create(username="marie"))
    assert client.get(path).status_code == 200


def test_visitors_see_the_place_but_neither_badge_nor_name(client):
    add_session(add_connector(status="Charging"))
    page = client.get("/").content.decode()
    assert "Place CP1" in page
    assert "Anna Weber" not in page
    assert "04A1B2C3" not in page


def test_users_see_whose_session_it_is(client):
    add_session(add_connector(status="Charging"))
    client.force_login(User.objects.create(username="marie"))
    assert "Anna Weber" in client.get("/").content.decode()


def test_a_visitor_is_led_to_sign_in_where_something_is_to_be_set_up(client):
    link = '<a href="/sign-in/">Sign in to set it up</a>'
    assert client.get("/").content.decode().count(link) == 1
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": 63})
    assert client.get("/").content.decode().count(link) == 1
    client.force_login(User.objects.create(username="marie"))
    assert link not in client.get("/").content.decode()


def test_at_the_machine_itself_the_page_names_its_addresses_in_the_network(client, monkeypatch):
    stand_at(monkeypatch, "192.168.1.2", "10.0.0.2")
    client.force_login(User.objects.create(username="marie"))
    page = client.get("/", headers={"host": "localhost:8000"}).content.decode()
    assert "<code>ws://10.0.0.2:8000/ocpp/&lt;its identity&gt;</code>" in page
    assert "<code>ws://192.168.1.2:8000/ocpp/&lt;its identity&gt;</code>" in page


def test_no_current_is_shown_before_the_fuse_is_known(client):
    add_reading(grid=None)
    Installation.objects.update_or_create(pk=1, defaults={"fuse_a": None})
    page = client.get("/").content.decode()
    assert not re.search("Current per line|For charging now", page)
    Installation.objects.update(fuse_a=63)
    page = client.get("/").content.decode()
    assert "Current per line" in page
    assert "For charging now" in page


def test_an_empty_installation_tells_a_user_the_address_for_stations(client):
    client.force_login(User.objects.create(username="marie"))
    assert "<code>ws://testserver/ocpp/&lt;its identity&gt;</code>" in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("connectors", "sentence"),
    [
        ([{"status": "Available"}], "Plug a car into the free place to begin."),
        ([{"status": "Available"}] * 2, "Plug a car into one of the 2 free places to begin."),
        ([{"status": "Faulted"}, {"socket_id": ""}], "Nobody is charging, and no place is free."),
        ([{"socket_id": ""}] * 2, "no station is connected and in service. Check their power and network."),
        ([], "Sessions appear here as soon as a car charges."),
    ],
)
def test_an_empty_list_of_sessions_says_what_can_be_done(client, connectors, sentence):
    for number, connector in enumerate(connectors):
        add_connector(f"CP{number}", **connector)
    assert sentence in client.get("/").content.decode()


def test_a_pending_station_is_not_said_to_be_kept_from_charging(client):
    Station.objects.create(identity="CP1")
    client.force_login(User.objects.create(username="marie"))
    page = client.get("/").content.decode()
    assert "waits for approval. Until then the load manager does not control what it draws." in page


@pytest.fixture
def silent_meter():
    add_connector()
    now = timezone.now()
    add_reading(now, grid=None, state="fail_safe")
    Meter.objects.update(failing_since=now - timedelta(minutes=1), last_error="no answer from 192.0.2.1:502")


@pytest.mark.usefixtures("silent_meter")
def test_a_silent_meter_says_why_what_it_means_and_where_to_look(client):
    AccessSettings.objects.create(setup_done_at=NOW)
    client.force_login(User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True))
    page = client.get("/").content.decode()
    assert "The meter gives no usable value." in page
    assert "Every station is at its fail-safe current." in page
    assert "no answer from 192.0.2.1:502" in page
    assert '<a href="/admin/energy/installation/#meter">Check the meter</a>' in page


@pytest.mark.usefixtures("silent_meter")
def test_visitors_are_not_told_the_meters_address(client):
    page = client.get("/").content.decode()
    assert "Every station is at its fail-safe current." in page
    assert "192.0.2.1" not in page
    assert "Check the meter" not in page


def test_a_static_installation_charges_on_without_its_meter(client):
    Installation.objects.update(mode="static", static_limit_a=32)
    add_connector()
    now = timezone.now()
    add_reading(now, grid=None)
    Meter.objects.update(failing_since=now - timedelta(minutes=1))
    assert "Charging goes on within the fixed current." in client.get("/").content.decode()


def test_a_working_meter_gives_no_notice(client):
    add_connector()
    add_reading(timezone.now())
    assert "The meter gives no usable value." not in client.get("/").content.decode()


def test_a_users_name_for_a_circuit_cannot_become_markup(client):
    params = {"line": "L1", "circuit": "<b>bold</b>", "shared_by": 2}
    add_session(add_connector(status="Charging"), reason="circuit_full", reason_params=params)
    page = client.get("/").content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>bold</b>" not in page


@pytest.fixture
def layer(monkeypatch):
    monkeypatch.setattr(live, "PERIOD_S", 0.0)
    return get_channel_layer()


@pytest.mark.django_db(transaction=True)
async def test_the_stream_sends_the_page_at_connect_and_after_each_change(layer):
    events = live.overview_events(VISITOR)
    first = (await anext(events)).decode()
    assert first.startswith("event: overview\ndata: ")
    assert "Not operational" in first
    assert first.endswith("\n\n")
    await layer.group_send("dashboard", {"type": "dashboard.changed"})
    assert (await anext(events)).startswith(b"event: overview\n")
    await events.aclose()


@pytest.mark.django_db(transaction=True)
async def test_the_stream_sends_a_point_only_for_a_new_reading(layer):
    await Reading.objects.acreate(
        at=NOW, charging_l1_a=1, charging_l2_a=2, charging_l3_a=3, limit_l1_a=4, limit_l2_a=5, limit_l3_a=6
    )
    events = live.overview_events(VISITOR)
    names = [(await anext(events)).split(b"\n")[0]]
    point = await anext(events)
    await layer.group_send("dashboard", {"type": "dashboard.changed"})
    names.append((await anext(events)).split(b"\n")[0])
    await layer.group_send("dashboard", {"type": "dashboard.changed"})
    names.append((await anext(events)).split(b"\n")[0])
    assert names == [b"event: overview"] * 3
    assert point == b"event: point\ndata: [%.1f,null,null,null,1.0,2.0,3.0,4.0,5.0,6.0]\n\n" % NOW.timestamp()
    await events.aclose()


@pytest.mark.django_db(transaction=True)
async def test_a_closed_stream_leaves_the_group(layer):
    events = live.overview_events(VISITOR)
    await anext(events)
    assert len(layer.groups["dashboard"]) == 1
    await events.aclose()
    assert not layer.groups.get("dashboard")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("layer")
async def test_visitors_share_one_computation_and_one_rendering(monkeypatch):
    monkeypatch.setattr(live, "PERIOD_S", 60.0)
    computed = []
    monkeypatch.setattr(live, "compute_overview", lambda now: computed.append(now) or compute_overview(now))
    streams = [live.overview_events(VISITOR) for _ in range(5)]
    pages = [await anext(stream) for stream in streams]
    assert len(set(pages)) == 1
    assert len(computed) == 1
    assert list(live.newest_frame().html) == [VISITOR]
    for stream in streams:
        await stream.aclose()


@pytest.mark.django_db(transaction=True)
async def test_a_visitors_stream_ends_when_the_dashboard_becomes_restricted(layer):
    events = live.overview_events(VISITOR)
    await anext(events)
    await AccessSettings.objects.aupdate(dashboard_access=DashboardAccess.RESTRICTED)
    await layer.group_send("dashboard", {"type": "dashboard.changed"})
    assert await anext(events) == b"event: ended\ndata: restricted\n\n"
    with pytest.raises(StopAsyncIteration):
        await anext(events)


def test_administrators_alone_are_told_of_stations_that_say_they_are_wired_otherwise(client):
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": NOW})
    station = Station.objects.create(identity="CP1", phase_rotation="L1L2L3")
    Preconfiguration.objects.create(station=station, reported={"ConnectorPhaseRotation": ["0.STR,1.STR", False]})
    told = {}
    for role in ("advanced", "administrator"):
        client.force_login(save_user(username=role, role=role))
        told[role] = "1 station says that its phases are wired otherwise" in client.get("/").content.decode()
    assert told == {"advanced": False, "administrator": True}


def test_before_anything_is_set_up_nothing_is_said_to_be_shared(client):
    Installation.objects.update(fuse_a=None)
    page = client.get("/").content.decode()
    assert "Nothing can be shared yet" in page
    assert "is shared." not in page
