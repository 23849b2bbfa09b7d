"""What was charged off-peak is kept before the meter values that tell it are deleted: cost stays what it was."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from energy import upkeep
from exports import off_peak, summary_views
from exports.mailing import compose
from exports.models import ExportSettings, OffPeakEnergy
from exports.off_peak import keep_on
from exports.one_moment import one_moment
from exports.period import Period
from exports.summary import NotSplitYet, summarise
from stations.models import MeterValue, Transaction
from tests.exports.history import charged, garage

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 1, 5, 18, tzinfo=PARIS).astimezone(UTC)
LATER = BEGIN + timedelta(days=200)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31), PARIS)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Live in Paris, at noon of the day after; note what the worker is asked for: there is no broker here."""
    timezone.activate(PARIS)
    monkeypatch.setattr(upkeep, "REST", 0)
    tasks = []
    monkeypatch.setattr(off_peak.current_app, "send_task", lambda name, **_options: tasks.append(name))
    return tasks


@pytest.fixture
def session():
    """Make a session from 18:00 to 6:00, charged from 18:00 to 20:00: 10 kWh, of which an hour's are 5."""
    set_off_peak("22:00-06:00")
    made = charged(garage(), BEGIN, BEGIN + 12 * HOUR, wh=10_000, start_wh=500)
    for hours, wh in ((0, 500), (1, 5500), (2, 10_500), (11, 10_500)):
        measured(made, BEGIN + hours * HOUR, wh)
    return made


def set_off_peak(times):
    given = {"price": "1", "off_peak_price": "0", "off_peak_times": times}
    ExportSettings.objects.update_or_create(pk=1, defaults=given)


def measured(session, at, wh):
    MeterValue.objects.create(connector=session.connector, transaction=session, measured_at=at, energy_wh=wh)


def prune():
    while upkeep.prune(now=LATER):
        pass
    assert not MeterValue.objects.exists()


def total():
    one = summarise(YEAR).total
    return str(one.cost), one.estimated, one.older


@pytest.mark.usefixtures("session")
def test_a_session_costs_the_same_after_its_meter_values_are_deleted():
    before = total()
    assert before == ("10.00", 0, 0)
    prune()
    assert total() == before
    assert OffPeakEnergy.objects.get().is_final


@pytest.mark.usefixtures("session")
def test_a_few_deleted_values_of_a_session_do_not_change_it_either(monkeypatch):
    monkeypatch.setattr(upkeep, "ROWS_AT_ONCE", 1)
    upkeep.prune(now=LATER, for_s=0)
    assert MeterValue.objects.count() == 3
    set_off_peak("18:00-19:00")
    assert total() == ("10.00", 0, 1), "what is left of its values does not tell the first hour"


@pytest.mark.usefixtures("session")
def test_other_off_peak_times_are_looked_up_while_there_are_meter_values():
    keep_on()
    set_off_peak("19:00-20:00")
    assert total() == ("5.00", 0, 0)
    keep_on()
    assert OffPeakEnergy.objects.get().off_peak_wh == 5000
    prune()
    assert total() == ("5.00", 0, 0)


@pytest.mark.usefixtures("session")
def test_what_is_kept_stays_where_the_times_change_after_its_values_are_deleted(administrator):
    set_off_peak("18:00-19:00")
    prune()
    set_off_peak("19:30-20:00")
    keep_on()
    assert total() == ("5.00", 0, 1)
    asked_for = {"by": "range", "first": "2026-01-01", "last": "2026-12-31"}
    shown = administrator.get("/export/summary/", asked_for).content.decode()
    assert "1 session is priced by the off-peak times that counted when its meter values were deleted" in shown


@pytest.mark.usefixtures("session")
def test_a_station_that_tells_no_meter_values_is_estimated_by_the_times_of_today():
    MeterValue.objects.all().delete()
    keep_on()
    assert total() == ("3.33", 1, 0)
    set_off_peak("18:00-24:00")
    keep_on()
    assert total() == ("5.00", 1, 0)


def test_a_session_that_ended_otherwise_than_it_seemed_is_looked_up_anew(session):
    keep_on()
    Transaction.objects.update(meter_stop_wh=12_500, stopped_at=BEGIN + 4 * HOUR)
    measured(session, BEGIN + 3 * HOUR, 12_500)
    set_off_peak("20:00-21:00")
    for _ in range(2):
        assert total() == ("10.00", 0, 0)
        keep_on()
        Transaction.objects.update(stopped_at=BEGIN + 5 * HOUR)
    prune()
    assert total() == ("10.00", 0, 0)


def test_with_one_price_all_day_nothing_is_kept_and_what_was_kept_stays(session):
    keep_on()
    ExportSettings.objects.update(off_peak_price=None, off_peak_times="")
    other = charged(session.connector, BEGIN + 24 * HOUR, BEGIN + 36 * HOUR, wh=1000)
    measured(other, BEGIN + 25 * HOUR, 1000)
    keep_on()
    prune()
    set_off_peak("22:00-06:00")
    assert total() == ("10.33", 1, 0), "the first as measured, the other evenly"


def test_nothing_is_kept_of_what_ended_today_or_runs(session, time_machine):
    time_machine.move_to(BEGIN + 13 * HOUR)
    charged(session.connector, BEGIN + 12.5 * HOUR)
    keep_on()
    assert not OffPeakEnergy.objects.exists()
    assert total() == ("10.00", 0, 0)


def test_it_stops_when_its_second_is_up_and_goes_on_from_there(session, monkeypatch):
    monkeypatch.setattr(off_peak, "PAGE", 2)
    monkeypatch.setattr(off_peak, "SLICE_S", 0)
    others = [charged(session.connector, BEGIN + day * 24 * HOUR, BEGIN + day * 24 * HOUR, wh=1) for day in range(1, 5)]
    after, slices = 0, 0
    while after is not None:
        after, slices = keep_on(after=after), slices + 1
    assert slices == 4
    assert OffPeakEnergy.objects.count() == 1 + len(others)


def test_what_the_database_adds_up_is_what_adding_one_by_one_gives():
    ExportSettings.objects.create(
        pk=1, price="0.23456", off_peak_price="0.25", off_peak_times="22:00-06:00,12:30-14:30"
    )
    connector, random, at = garage(), Random(7), BEGIN
    for number in range(60):
        at += random.randrange(1, 40) * HOUR
        session = charged(connector, at, at + random.randrange(700) * HOUR / 60, wh=random.randrange(30_000))
        if number % 2:
            measured(session, at + HOUR / 3, random.randrange(30_000))
    one_by_one = summarise(YEAR)
    keep_on()
    assert OffPeakEnergy.objects.count() == 60
    assert summarise(YEAR, at_most=0) == one_by_one


@pytest.mark.usefixtures("session")
def test_while_many_are_looked_up_the_page_says_how_far_it_is(administrator, monkeypatch, asked):
    monkeypatch.setattr(summary_views, "AT_ONCE", 0)
    with pytest.raises(NotSplitYet):
        summarise(YEAR, at_most=0)
    given = {"currency": "EUR", "price": "1", "off_peak_price": "0", "off_peak_times": "21:00-22:00"}
    administrator.post("/export/tariff/", given)
    assert asked == ["exports.tasks.keep_off_peak"]
    days = {"by": "range", "first": "2026-01-01", "last": "2026-12-31"}
    answer = administrator.get("/export/summary/", days)
    assert "0 of 1 sessions are done" in answer.content.decode()
    assert "csv" not in administrator.get("/export/summary/", {**days, "csv": "1"}).url
    part = administrator.get("/export/summary/", days, headers={"HX-Request": "true"})
    assert part.content.decode().lstrip().startswith("<section")
    keep_on()
    assert administrator.get("/export/summary/", days, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert administrator.get("/export/summary/", days).context["summary"].total.cost == Decimal("10.00")


# --- while others write


@pytest.fixture
def after_each_reading():
    """Let others write after each reading of transactions, until this is called: `writes` is what they do."""
    writes = []

    def write():
        timezone.activate(PARIS)
        for one in writes:
            one()
        connection.close()

    def wrapper(execute, sql, *rest):
        result = execute(sql, *rest)
        if 'FROM "stations_transaction"' in sql:
            other = threading.Thread(target=write)
            other.start()
            other.join()
        return result

    with connection.execute_wrapper(wrapper):
        yield writes


def end_all():
    Transaction.objects.filter(stopped_at=None).update(stopped_at=BEGIN + 9 * HOUR, meter_stop_wh=1000)


@pytest.mark.django_db(transaction=True)
def test_what_the_worker_keeps_or_a_station_ends_meanwhile_is_in_the_sums_once(after_each_reading):
    set_off_peak("22:00-06:00")
    connector = garage()
    for hour in range(4):
        charged(connector, BEGIN + hour * HOUR, BEGIN + (hour + 1) * HOUR, wh=1000)
    charged(connector, BEGIN + 8 * HOUR)
    after_each_reading += [keep_on, end_all]
    meanwhile = summarise(YEAR).total
    assert (meanwhile.sessions, meanwhile.unknown, meanwhile.energy_wh) == (5, 1, 4000)
    assert OffPeakEnergy.objects.count() == 5, "nobody was kept from writing"
    after = summarise(YEAR).total
    assert (after.sessions, after.unknown, after.energy_wh) == (5, 0, 5000)


@pytest.mark.django_db(transaction=True)
def test_both_files_of_an_email_tell_the_same_moment(after_each_reading):
    charged(garage(), BEGIN)
    after_each_reading.append(end_all)
    mail = compose(date(2026, 1, 1), ExportSettings.get_solo(), PARIS)
    transactions, summary = (content for _name, content, _type in mail.attachments)
    assert ",1.000" not in transactions
    assert summary.splitlines()[-1] == "total,,,1,1,0.000,,,0"
    assert ",1.000" in compose(date(2026, 1, 1), ExportSettings.get_solo(), PARIS).attachments[0][1]


@pytest.mark.django_db(transaction=True)
def test_a_moment_is_over_also_where_it_broke_off():
    set_off_peak("22:00-06:00")
    charged(garage(), BEGIN, BEGIN + HOUR, wh=1000)
    for asked in (breaks_off, lambda: summarise(YEAR, at_most=0)):
        with pytest.raises(NotSplitYet):
            asked()
        with transaction.atomic():
            Transaction.objects.update(meter_stop_wh=F("meter_stop_wh") + 1000)
    connection.close()
    assert Transaction.objects.get().meter_stop_wh == 3000, "what is written after it is there to stay"


def breaks_off():
    with one_moment():
        Transaction.objects.get()
        raise NotSplitYet(0, 1)
