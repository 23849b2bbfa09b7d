"""What piles up goes when it is older than the settings say, and nothing else does."""

from datetime import UTC, datetime, timedelta

import pytest

from energy import upkeep
from energy.means import CURRENTS, MINUTE_S, QUARTER_S, roll_up
from energy.models import Allocation, Reading, ReadingMean, Retention
from stations.models import Frame, MeterValue, Transaction
from tests.energy.overview_rows import add_connector, add_reading

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture(autouse=True)
def _without_rest(monkeypatch):
    monkeypatch.setattr(upkeep, "REST", 0)


def add_mean(days, span_s):
    ReadingMean.objects.create(begins_at=ago(days), span_s=span_s, readings=1, **dict.fromkeys(CURRENTS, 1.0))


def days_of(rows, column):
    return sorted((NOW - at).days for at in rows.values_list(column, flat=True))


def prune():
    while upkeep.prune(now=NOW):
        pass


def test_readings_go_after_their_days_once_their_mean_is_written():
    add_reading(ago(3))
    add_reading(ago(0.5))
    prune()
    assert Reading.objects.count() == 2
    roll_up(now=NOW)
    prune()
    assert days_of(Reading.objects, "at") == [0]
    assert ReadingMean.objects.filter(span_s=MINUTE_S).count() == 2


def test_minutes_go_before_quarters_and_quarters_in_the_end():
    for days in (1, 40, 4000):
        add_mean(days, MINUTE_S)
        add_mean(days, QUARTER_S)
    prune()
    assert days_of(ReadingMean.objects.filter(span_s=MINUTE_S), "begins_at") == [1]
    assert days_of(ReadingMean.objects.filter(span_s=QUARTER_S), "begins_at") == [1, 40]


def test_the_settings_say_how_long():
    Retention.objects.update_or_create(pk=1, defaults={"minutes_days": 50})
    for days in (1, 40, 60):
        add_mean(days, MINUTE_S)
    add_mean(1, QUARTER_S)
    prune()
    assert days_of(ReadingMean.objects.filter(span_s=MINUTE_S), "begins_at") == [1, 40]


def test_meter_values_go_but_not_those_of_a_charging_that_runs():
    connector = add_connector()
    running = Transaction.objects.create(connector=connector, id_tag="A", meter_start_wh=0, started_at=ago(200))
    for transaction in (None, running):
        for days in (91, 89):
            MeterValue.objects.create(connector=connector, transaction=transaction, measured_at=ago(days))
    prune()
    assert days_of(MeterValue.objects.filter(transaction=None), "measured_at") == [89]
    assert days_of(MeterValue.objects.filter(transaction=running), "measured_at") == [89, 91]


def test_what_a_connector_was_told_goes_but_for_the_newest():
    connector, other = add_connector("CP1"), add_connector("CP2")
    for row, days in ((connector, 300), (connector, 200), (other, 300), (other, 1)):
        Allocation.objects.create(connector=row, decided_at=ago(days), limit_a=0, reason="waiting")
    prune()
    assert days_of(Allocation.objects.filter(connector=connector), "decided_at") == [200]
    assert days_of(Allocation.objects.filter(connector=other), "decided_at") == [1]


def test_old_messages_go(monkeypatch):
    station = add_connector().station
    monkeypatch.setattr("stations.message_log.time.time", NOW.timestamp)
    for number, days in enumerate((8, 1)):
        Frame.objects.create(station=station, number=number, at_s=ago(days).timestamp(), is_incoming=True, text="")
    prune()
    assert [frame.number for frame in Frame.objects.all()] == [1]


def test_it_stops_when_its_time_is_up_and_goes_on_in_the_next_turn(monkeypatch):
    monkeypatch.setattr(upkeep, "ROWS_AT_ONCE", 2)
    for days in range(40, 50):
        add_mean(days, MINUTE_S)
    add_mean(1, QUARTER_S)
    assert upkeep.prune(now=NOW, for_s=0)
    assert ReadingMean.objects.filter(span_s=MINUTE_S).count() == 8
    prune()
    assert ReadingMean.objects.filter(span_s=MINUTE_S).count() == 0


def test_days_outside_their_bounds_are_refused_at_the_field(admin_client):
    from accounts.models import AccessSettings

    AccessSettings.objects.update_or_create(pk=1, defaults={"setup_done_at": NOW})
    given = {"readings_days": 0, "minutes_days": 31, "quarters_days": 3653, "meter_values_days": 90, "messages_days": 7}
    page = admin_client.post("/admin/energy/retention/", given)
    assert "greater than or equal to 1" in page.content.decode()
    assert admin_client.post("/admin/energy/retention/", {**given, "readings_days": 2}).status_code == 302
    assert Retention.get_solo().readings_days == 2
