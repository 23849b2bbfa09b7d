"""The page of one session: its course as a picture and a table, what was corrected; and the list that leads there."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import AccessSettings, User
from badges.models import Badge
from stations.models import Connector, MeterValue, Station, Transaction
from stations.removal import delete_stations
from stations.session_curve import MOMENTS, Moment, current_picture, power_picture, thinned

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_CURRENT = (None, None, None)


def moments(*powers_w, each=timedelta(minutes=10)):
    return [Moment(NOON + i * each, power_w, NO_CURRENT, None) for i, power_w in enumerate(powers_w)]


def test_the_power_is_drawn_from_the_beginning_to_the_end_under_a_round_figure():
    picture = power_picture(moments(0, 3000, 7400), NOON, NOON + timedelta(minutes=20))
    assert picture.top == 10
    (line,) = picture.lines
    assert (line.pieces, line.highest) == (("0.0,100.0 500.0,70.0 1000.0,26.0",), 7.4)


def test_a_line_breaks_where_nothing_was_measured():
    (line,) = power_picture(moments(1000, None, 500), NOON, NOON + timedelta(minutes=20)).lines
    assert line.pieces == ("0.0,0.0", "1000.0,50.0")


def test_phases_that_were_not_measured_have_no_line():
    measured = [Moment(NOON, None, (16.0, None, 0.0), None)]
    assert [line.name for line in current_picture(measured, NOON, NOON).lines] == ["L1", "L3"]
    assert power_picture(measured, NOON, NOON) is None


def test_a_long_session_keeps_its_peaks():
    many = moments(*(11_000 if i == 4711 else 1000 for i in range(10_000)))
    few = thinned(many)
    assert len(few) == MOMENTS
    assert max(moment.power_w for moment in few) == 11_000
    assert few == sorted(few, key=lambda moment: moment.at)


@pytest.fixture
def administrator(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": NOON})
    client.force_login(User.objects.create(username="admin", role="administrator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def session():
    connector = Connector.objects.create(station=Station.objects.create(identity="CP1", name="Place 1"), number=1)
    badge = Badge.objects.create(id_tag="CAFE01", comment="Anna")
    given = {"id_tag": "CAFE01", "badge": badge, "started_at": NOON, "stopped_at": NOON + HOUR}
    given |= {"meter_start_wh": 1000, "meter_stop_wh": 8400, "stop_reason": "EVDisconnected", "flags": ["meter"]}
    return Transaction.objects.create(connector=connector, **given)


def page_of(client, session):
    return client.get(f"/admin/stations/transaction/{session.pk}/change/").content.decode()


def test_the_page_shows_the_course_as_pictures_and_as_a_table(administrator, session):
    for minutes, power_w, energy_wh in ((0, 0, 1000), (30, 7400, 4700)):
        at = {"measured_at": NOON + timedelta(minutes=minutes), "connector": session.connector}
        MeterValue.objects.create(
            transaction=session, power_w=power_w, energy_wh=energy_wh, current_l1_a=power_w / 230, **at
        )
    shown = page_of(administrator, session)
    assert shown.count("<polyline") == 2
    assert "7.4 kW at most" in shown
    assert "L1: 32.2 A at most" in shown
    assert "3.700" in shown  # kWh since the beginning
    assert all(figure in shown for figure in ("1.000", "8.400", "7.400", "cable pulled", "Anna"))


def test_the_lines_of_the_picture_are_named_as_french_sets_a_colon(administrator, session):
    for minute in (0, 30):
        at = {"measured_at": NOON + timedelta(minutes=minute), "connector": session.connector}
        MeterValue.objects.create(transaction=session, current_l1_a=16, current_l2_a=8, current_l3_a=0, **at)
    administrator.cookies["django_language"] = "fr"
    page = administrator.get(f"/admin/stations/transaction/{session.pk}/change/").content.decode()
    assert "L1\N{NO-BREAK SPACE}: 16,0 A au plus" in page
    assert f"<h1>Session de charge {session.pk}</h1>" in page


def test_the_page_says_what_was_corrected(administrator, session):
    shown = page_of(administrator, session)
    assert "the energy is that of its last meter values" in shown
    assert "there is no curve" in shown


def test_a_session_of_a_deleted_station_has_a_page(administrator, session):
    delete_stations(station_ids=[session.connector.station_id])
    assert "Place 1 · 1 (deleted)" in page_of(administrator, session)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"q": "Anna"}, 1),
        ({"q": "cafe01"}, 1),
        ({"q": "Place 1"}, 1),
        ({"q": "nobody"}, 0),
        ({"standing": "running"}, 0),
        ({"standing": "ended"}, 1),
        ({"standing": "corrected"}, 1),
        ({"standing": "lost"}, 0),
        ({"standing": "refused"}, 0),
    ],
)
@pytest.mark.usefixtures("session")
def test_sessions_are_found_and_filtered(administrator, asked, count):
    shown = administrator.get("/admin/stations/transaction/", asked)
    assert shown.context["cl"].result_count == count


def test_a_page_of_no_session_leads_back_to_the_list(administrator):
    assert administrator.get("/admin/stations/transaction/99/change/").status_code == 302
