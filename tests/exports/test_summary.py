"""Summaries per badge and station, and what the energy costs by the clock in the garage."""

import csv
import io
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exports.models import ExportSettings, HistoryImport, ImportedTransaction
from exports.period import month_of
from exports.summary import summarise
from exports.tariff import NoTimes, OffPeak, Tariff, off_peak_of
from stations.models import Connector, MeterValue, Station, Transaction
from stations.removal import delete_stations
from tests.exports.history import NOON, charged, garage

pytestmark = pytest.mark.django_db

PARIS, REUNION = ZoneInfo("Europe/Paris"), ZoneInfo("Indian/Reunion")
HOUR = timedelta(hours=1)
NIGHT = off_peak_of("22:00-06:00")


def paris(*figures, fold=0):
    return datetime(*figures, tzinfo=PARIS, fold=fold).astimezone(UTC)


# --- times of the day


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", ()),
        ("22:00-06:00", ((1320, 360),)),
        ("1:30-7:30, 12h30 – 14h30", ((90, 450), (750, 870))),
        ("18:00-24:00", ((1080, 0),)),
    ],
)
def test_times_of_the_day_are_read(text, spans):
    assert off_peak_of(text) == OffPeak(spans)


@pytest.mark.parametrize(
    "text", ["at night", "22-6", "25:00-06:00", "22:60-06:00", "6:00-6:00", "0:00-24:00", "1:00-3:00,2:00-4:00"]
)
def test_what_says_no_times_is_refused(text):
    with pytest.raises(NoTimes):
        off_peak_of(text)


@pytest.mark.parametrize(
    ("since", "until", "zone", "hours"),
    [
        (paris(2026, 1, 5, 20), paris(2026, 1, 6, 8), PARIS, 8),
        (paris(2026, 1, 5, 23), paris(2026, 1, 6, 1), PARIS, 2),
        (paris(2026, 1, 5, 8), paris(2026, 1, 5, 20), PARIS, 0),
        (paris(2026, 1, 5, 0), paris(2026, 1, 8, 0), PARIS, 24),
        (paris(2026, 3, 28, 20), paris(2026, 3, 29, 8), PARIS, 7),  # the night of summer time is an hour shorter
        (paris(2026, 10, 24, 20), paris(2026, 10, 25, 8), PARIS, 9),  # and the other an hour longer
        (datetime(2026, 3, 28, 16, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC), REUNION, 8),
    ],
)
def test_off_peak_is_counted_by_the_clock_in_the_garage(since, until, zone, hours):
    assert NIGHT.overlap(since, until, zone) == hours * HOUR


def test_a_time_that_the_clock_skips_is_when_it_skips():
    evening = paris(2026, 3, 28, 20)
    assert off_peak_of("22:00-02:30").overlap(evening, evening + 12 * HOUR, PARIS) == 4 * HOUR
    assert off_peak_of("02:30-06:00").overlap(evening, evening + 12 * HOUR, PARIS) == 3 * HOUR


def test_readings_within_one_session_do_not_look_up_the_clock_anew():
    class Counting(tzinfo):
        looked = 0

        def utcoffset(self, _at):
            self.looked += 1
            return timedelta()

        def dst(self, _at):
            return timedelta()

    few, many = Counting(), Counting()
    for zone, count in ((few, 8), (many, 800)):
        readings = [(NOON + number * 8 * HOUR / count, number) for number in range(count + 1)]
        NIGHT.wh_within(readings, zone)
    assert few.looked == many.looked


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 90_000)), min_size=2, max_size=20).filter(
        lambda points: max(wh for _minute, wh in points) > min(wh for _minute, wh in points)
    )
)
def test_peak_and_off_peak_make_up_the_whole(points):
    minutes, energies = sorted(minute for minute, _wh in points), sorted(wh for _minute, wh in points)
    readings = [(NOON + timedelta(minutes=at), wh) for at, wh in zip(minutes, energies, strict=True)]
    day = off_peak_of("06:00-22:00")
    within = NIGHT.wh_within(readings, PARIS), day.wh_within(readings, PARIS)
    assert all(0 <= wh <= energies[-1] - energies[0] for wh in within)
    assert sum(within) - (energies[-1] - energies[0]) in (0, 1), "both are rounded up at half a Wh"


CHANGES = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]  # of the clock in Paris
a_time = st.integers(0, 1439)


@given(
    st.sampled_from(CHANGES),
    st.sampled_from([PARIS, REUNION]),
    st.tuples(a_time, a_time).filter(lambda times: times[0] != times[1]),
    st.integers(-600, 600),
    st.lists(st.tuples(st.integers(1, 200), st.integers(0, 50)), min_size=1, max_size=5),
)
@example(CHANGES[1], PARIS, (22 * 60, 2 * 60 + 30), -120, [(360, 1)])  # 02:30 comes twice, and ends it twice
@example(CHANGES[1], PARIS, (2 * 60 + 30, 6 * 60), -120, [(360, 1)])
def test_each_minute_counts_by_what_the_clock_shows_then_to_the_watt_hour(change, zone, times, minute, stretches):
    begin, end = times
    at, meter_wh, expected_wh = change + timedelta(minutes=minute), 0, 0
    readings = [(at, meter_wh)]
    for minutes, wh_each in stretches:
        for _ in range(minutes):
            clock = at.astimezone(zone)
            shown = clock.hour * 60 + clock.minute
            if begin <= shown < end or (end < begin and not end <= shown < begin):
                expected_wh += wh_each
            at += timedelta(minutes=1)
        meter_wh += minutes * wh_each
        readings.append((at, meter_wh))
    assert OffPeak((times,)).wh_within(readings, zone) == expected_wh


def test_a_session_costs_what_its_times_cost():
    prices = Tariff("EUR", Decimal("0.25"), Decimal("0.15"), NIGHT)
    assert prices.cost(10_000) == Decimal("2.50")
    assert prices.cost(10_000, 4000) == Decimal("2.10")
    assert Tariff("EUR", None).cost(10_000) is None


# --- sums


@pytest.fixture
def sessions():
    ExportSettings.objects.create(pk=1, price="0.25", off_peak_price="0.15", off_peak_times="22:00-06:00")
    first = garage()
    second = Connector.objects.create(station=Station.objects.create(identity="CP2", name="Place 2"), number=1)
    charged(first, NOON, NOON + HOUR, wh=7000, comment="Anna", start_wh=500)
    charged(second, NOON, NOON + HOUR, wh=1000, id_tag="CAFE02", comment="Luc")
    charged(second, NOON + 3 * HOUR, NOON + 4 * HOUR, wh=2000)
    charged(second, NOON + 5 * HOUR, id_tag="CAFE02")
    old_session(station_mac_address="a0:02:4a:e0:a3:c5")


def old_session(**given):
    brought_by = HistoryImport.objects.create(file_name="old.csv", time_zone="Europe/Paris", is_wh=True)
    old = {"number": 1, "id_tag": "cafe02", "energy_wh": 4000, "brought_by": brought_by}
    times = {"started_at": paris(2026, 1, 9, 23), "stopped_at": paris(2026, 1, 10, 1)}
    return ImportedTransaction.objects.create(**{**old, **times, **given})


def january():
    return summarise(month_of(date(2026, 1, 1), PARIS))


def told(sums):
    return [(one.key, one.name, one.sessions, one.unknown, one.energy_wh, str(one.cost)) for one in sums]


@pytest.mark.usefixtures("sessions")
def test_sessions_are_summed_per_badge_and_per_station():
    summary = january()
    assert told(summary.badges) == [("CAFE01", "Anna", 2, 0, 9000, "2.25"), ("CAFE02", "Luc", 3, 1, 5000, "0.85")]
    assert told(summary.stations) == [
        ("a0:02:4a:e0:a3:c5", "Place 1", 2, 0, 11000, "2.35"),
        ("CP2", "Place 2", 3, 1, 3000, "0.75"),
    ]
    assert told([summary.total]) == [("", "", 5, 1, 14000, "3.10")]


def test_what_has_the_same_name_is_not_the_same():
    stations = [Station.objects.create(identity=identity, name="Garage") for identity in ("CP1", "CP2")]
    for number, station in enumerate(stations):
        connector = Connector.objects.create(station=station, number=1)
        charged(connector, NOON, NOON + HOUR, wh=1000, id_tag=f"CAFE0{number}", comment="Guest")
    delete_stations(station_ids=[stations[1].pk])
    summary = january()
    assert [(one.key, one.name, one.energy_wh) for one in summary.stations] == [
        ("CP1", "Garage", 1000),
        ("CP2", "Garage", 1000),
    ]
    assert [(one.key, one.name) for one in summary.badges] == [("CAFE00", "Guest"), ("CAFE01", "Guest")]


def test_a_deleted_station_that_comes_back_is_one():
    first = garage()
    charged(first, NOON, NOON + HOUR, wh=1000)
    delete_stations(station_ids=[first.station_id])
    charged(garage(), NOON, NOON + HOUR, wh=2000)
    Transaction.objects.filter(connector=None).update(id_tag="cafe01 ")
    summary = january()
    assert [(one.name, one.sessions, one.energy_wh) for one in summary.stations] == [("Place 1", 2, 3000)]
    assert [(one.key, one.sessions) for one in summary.badges] == [("CAFE01", 2)]


def test_a_deleted_station_stays_one_with_its_history_of_the_old_device():
    first = garage()
    charged(first, NOON, NOON + HOUR, wh=1000)
    old_session(station_mac_address="A0:02:4A:E0:A3:C5", station_name="Garage")
    before = january().stations
    assert told(before) == [("a0:02:4a:e0:a3:c5", "Place 1", 2, 0, 5000, "0.00")]
    delete_stations(station_ids=[first.station_id])
    assert january().stations == before


def test_energy_without_an_end_is_estimated_where_there_are_two_prices():
    old_session(stopped_at=None)
    for more, estimated in (({}, 0), ({"off_peak_price": "0.15", "off_peak_times": "22:00-06:00"}, 1)):
        ExportSettings.objects.update_or_create(pk=1, defaults={"price": "0.25", **more})
        total = january().total
        assert (total.cost, total.estimated) == (Decimal("1.00"), estimated)
    ImportedTransaction.objects.update(energy_wh=None)
    assert january().total.estimated == 0


def test_energy_and_prices_at_their_limits_are_added_up():
    ExportSettings.objects.create(pk=1, price="9999.99999")
    connector = garage()
    for hour, wh in enumerate((2**62 - 1, 2**31, 2**31 + 1, 0)):
        charged(connector, NOON + hour * HOUR, NOON + hour * HOUR, wh=wh)
    charged(connector, NOON + 9 * HOUR)
    total = january().total
    assert (total.sessions, total.unknown) == (5, 1)
    assert total.energy_wh == 2**62 + 2**32
    assert total.cost == sum(Tariff("EUR", Decimal("9999.99999")).cost(wh) for wh in (2**62 - 1, 2**31, 2**31 + 1))


def test_meter_values_say_when_the_energy_was_charged(administrator):
    ExportSettings.objects.create(pk=1, price="1", off_peak_price="0", off_peak_times="22:00-06:00")
    begin, end = paris(2026, 1, 5, 18), paris(2026, 1, 6, 6)
    session = charged(garage(), begin, end, wh=10_000, start_wh=500)
    evenly = january().total
    assert (evenly.cost, evenly.estimated) == (Decimal("3.33"), 1), "over twelve hours, as nothing better is known"
    asked = {"by": "range", "first": "2026-01-01", "last": "2026-01-31"}
    assert "The cost of 1 session is estimated" in administrator.get("/export/summary/", asked).content.decode()
    for hours, wh in ((0, 500), (1, 5500), (2, 10_500), (3, 9_000), (8, 10_500)):
        MeterValue.objects.create(
            connector=session.connector, transaction=session, measured_at=begin + hours * HOUR, energy_wh=wh
        )
    measured = january().total
    assert (measured.cost, measured.estimated) == (Decimal("10.00"), 0)


def test_energy_without_duration_is_priced_by_its_moment():
    ExportSettings.objects.create(pk=1, price="1", off_peak_price="0", off_peak_times="22:00-06:00")
    connector = garage()
    for hour in (12, 23):
        charged(connector, paris(2026, 1, 5, hour), paris(2026, 1, 5, hour), wh=1000)
    assert january().total.cost == Decimal("1.00")


# --- the pages


@pytest.mark.usefixtures("sessions")
def test_the_summary_is_a_page_and_a_file(administrator):
    asked = {"by": "range", "first": "2026-01-01", "last": "2026-01-31"}
    shown = administrator.get("/export/summary/", asked).content.decode()
    assert "Sessions that began from 01/01/2026 to 31/01/2026." in shown
    assert "Off-peak (22:00-06:00) 0.15 EUR per kWh." in shown
    assert "1 session has no energy yet" in shown
    file = administrator.get("/export/summary/", {**asked, "csv": "1"})
    lines = list(csv.reader(io.StringIO(file.content.decode())))
    assert lines[1] == ["badge", "CAFE01", "Anna", "2", "0", "9.000", "2.25", "EUR", "0"]
    assert lines[-1] == ["total", "", "", "5", "1", "14.000", "3.10", "EUR", "0"]


def test_without_a_tariff_there_is_no_cost(administrator):
    charged(garage(), NOON, NOON + HOUR, wh=7000)
    asked = {"by": "range", "first": "2026-01-01", "last": "2026-01-31"}
    assert "EUR" not in administrator.get("/export/summary/", asked).content.decode()
    file = administrator.get("/export/summary/", {**asked, "csv": "1"}).content.decode()
    assert file.splitlines()[-1] == "total,,,1,0,7.000,,,0"


GOOD = {"currency": "CHF", "price": "0.25", "off_peak_price": "0.15", "off_peak_times": "22:00-06:00"}


def test_a_tariff_is_saved_and_nothing_beside_it(administrator):
    ExportSettings.objects.create(pk=1, mail_to="anna@example.org")
    assert administrator.post("/export/tariff/", GOOD).status_code == 302
    saved = ExportSettings.objects.get()
    assert (saved.currency, saved.price, saved.mail_to) == ("CHF", Decimal("0.25"), "anna@example.org")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"currency": "euro"}, "currency"),
        ({"price": "-1"}, "price"),
        ({"price": ""}, "price"),
        ({"off_peak_price": ""}, "off_peak_price"),
        ({"off_peak_times": ""}, "off_peak_times"),
        ({"off_peak_times": "at night"}, "off_peak_times"),
    ],
)
def test_half_a_tariff_is_refused_at_its_field(administrator, wrong, field):
    answer = administrator.post("/export/tariff/", GOOD | wrong)
    assert list(answer.context["form"].errors) == [field]
    assert ExportSettings.get_solo().price is None
