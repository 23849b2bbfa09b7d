"""The export (SPEC S31): which rows, which columns, and when a day begins in the garage."""

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from exports.columns import COLUMNS, Row
from exports.formats import FORMATS
from exports.models import HistoryImport, ImportedTransaction
from exports.period import Period, month_of
from exports.rows import rows_of
from stations.models import Transaction
from stations.removal import delete_stations
from tests.exports.history import NOON, charged, garage

pytestmark = pytest.mark.django_db

PARIS, REUNION = ZoneInfo("Europe/Paris"), ZoneInfo("Indian/Reunion")
JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31), PARIS)


def exported(kind, period=JANUARY):
    return b"".join(FORMATS[kind][1](rows_of(period), period.zone))


def lines(period=JANUARY):
    return list(csv.reader(io.StringIO(exported("csv", period).decode(), newline="")))[1:]


def test_a_session_is_exported_under_the_eight_columns():
    one = charged(garage(), NOON, NOON + timedelta(hours=2), wh=7421, comment="Anna")
    assert exported("csv").decode() == (
        "transactionId,evcsId,evcsName,startDateTransaction,stopDateTransaction,badgeId,badgeName,energyChargedKwh\r\n"
        f"{one.pk},a0:02:4a:e0:a3:c5,Place 1,05/01/2026 13:00,05/01/2026 15:00,CAFE01,Anna,7.421\r\n"
    )


def test_what_is_not_known_yet_is_empty():
    charged(garage())
    (line,) = lines()
    assert line[4:] == ["", "CAFE01", "N/A", ""]


def test_a_session_of_a_deleted_station_is_exported_as_it_was_called():
    connector = garage()
    charged(connector, NOON, NOON + timedelta(hours=1), wh=5)
    delete_stations(station_ids=[connector.station_id])
    (line,) = lines()
    assert line[1:3] == ["a0:02:4a:e0:a3:c5", "Place 1"]
    assert line[7] == "0.005"


def test_a_station_without_name_goes_by_its_identity():
    connector = garage()
    type(connector.station).objects.update(name="", mac_address="")
    charged(connector)
    (line,) = lines()
    assert line[1:3] == ["", "CP1"]


def test_imported_sessions_stand_among_the_others_in_the_order_of_their_beginning():
    connector = garage()
    brought_by = HistoryImport.objects.create(file_name="old.csv", time_zone="Europe/Paris", is_wh=True)
    old = {"brought_by": brought_by, "id_tag": "24cfd58", "station_mac_address": "a0:02:4a:e0:a3:b0"}
    for number, hours in ((7, 1), (8, 3)):
        ImportedTransaction.objects.create(number=number, started_at=NOON + timedelta(hours=hours), **old)
    own = charged(connector, NOON + timedelta(hours=2))
    assert [line[0] for line in lines()] == ["7", str(own.pk), "8"]
    assert lines()[0][1:] == ["a0:02:4a:e0:a3:b0", "N/A", "05/01/2026 14:00", "", "24cfd58", "N/A", ""]


def test_every_session_is_exported_once_where_many_began_in_the_same_second(monkeypatch):
    monkeypatch.setattr("exports.rows.PAGE", page := 10)
    connector = garage()
    made = [
        Transaction(connector=connector, id_tag=f"{i}", meter_start_wh=0, started_at=NOON, stopped_at=NOON)
        for i in range(2 * page + 3)
    ]
    Transaction.objects.bulk_create(made)
    assert [int(line[0]) for line in lines()] == sorted(Transaction.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("name", ["=1+1", "+33", "-2", "@SUM(A1)", "\tA", "\rA", "\nA", "'=1"])
def test_no_name_is_run_as_a_formula(name):
    charged(garage(), comment=name)
    assert lines()[0][6] == f"'{name}"
    book = openpyxl.load_workbook(io.BytesIO(exported("xlsx")))
    cell = book.worksheets[0]["G2"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert cell.value == name.replace("\r", "\n")  # as XML reads it


def test_a_spreadsheet_holds_numbers_times_and_texts():
    one = charged(garage(), NOON, NOON + timedelta(hours=2, seconds=59), wh=7421, comment='Zoë & "Léa" <3 \x07')
    charged(one.connector, NOON + timedelta(hours=4))
    book = openpyxl.load_workbook(io.BytesIO(exported("xlsx")))
    heading, row, running = book.worksheets[0].iter_rows(values_only=True)
    assert heading == COLUMNS
    times = datetime(2026, 1, 5, 13), datetime(2026, 1, 5, 15)  # noqa: DTZ001 (a spreadsheet knows no zone)
    assert row == (one.pk, "a0:02:4a:e0:a3:c5", "Place 1", *times, "CAFE01", 'Zoë & "Léa" <3 \ufffd', 7.421)
    assert running[4] is running[7] is None


def test_a_spreadsheet_takes_neither_a_name_for_a_character_nor_a_long_number_for_another():
    row = Row(NOON, 2**63 - 1, None, "", "_x0041_", "", "", None, None)
    book = b"".join(FORMATS["xlsx"][1](iter([row]), PARIS))
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert ">_x005F_x0041_</t>" in sheet
    assert openpyxl.load_workbook(io.BytesIO(book)).worksheets[0]["A2"].value == str(2**63 - 1)


def test_what_one_sheet_cannot_hold_goes_on_in_the_next(monkeypatch):
    connector = garage()
    for hour in range(3):
        charged(connector, NOON + timedelta(hours=hour), NOON + timedelta(hours=hour))
    monkeypatch.setattr("exports.spreadsheet.ROWS_OF_SHEET", 2)
    book = openpyxl.load_workbook(io.BytesIO(exported("xlsx")))
    assert [sheet.max_row for sheet in book.worksheets] == [3, 2]


def test_json_says_the_offset_of_each_time():
    one = charged(garage(), NOON, NOON + timedelta(hours=2), wh=7421)
    charged(one.connector, NOON + timedelta(hours=4), id_tag="")
    first, second = json.loads(exported("json"))
    assert list(first) == list(COLUMNS)
    assert first["startDateTransaction"] == "2026-01-05T13:00:00+01:00"
    assert first["energyChargedKwh"] == 7.421
    assert (second["stopDateTransaction"], second["energyChargedKwh"]) == (None, None)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_period_without_sessions_gives_a_file_without_rows(kind):
    content = exported(kind)
    if kind == "json":
        assert json.loads(content) == []
    elif kind == "xlsx":
        assert openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].max_row == 1
    else:
        assert lines() == []


# --- days, months and the clock in the garage


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        (PARIS, datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        (REUNION, datetime(2026, 2, 28, 20, tzinfo=UTC), datetime(2026, 3, 31, 20, tzinfo=UTC)),
    ],
)
def test_a_month_begins_and_ends_at_midnight_in_the_garage(zone, first, last):
    connector = garage(zone.key)
    second = timedelta(seconds=1)
    for at in (first - second, first, last - second, last):
        charged(connector, at, at)
    begun = [line[3] for line in lines(month_of(date(2026, 3, 8), zone))]
    assert begun == ["01/03/2026 00:00", "31/03/2026 23:59"]


def test_times_follow_the_clock_across_the_change_of_summer_time():
    connector = garage()
    spring, autumn = datetime(2026, 3, 29, 0, 59, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for begun in (spring, autumn):
        charged(connector, begun, begun + timedelta(hours=1))
    year = Period(date(2026, 1, 1), date(2026, 12, 31), PARIS)
    assert [line[3:5] for line in lines(year)] == [
        ["29/03/2026 01:59", "29/03/2026 03:59"],
        ["25/10/2026 02:30", "25/10/2026 02:30"],
    ]
    year = year._replace(zone=REUNION)
    assert [line[3:5] for line in lines(year)] == [
        ["29/03/2026 04:59", "29/03/2026 05:59"],
        ["25/10/2026 04:30", "25/10/2026 05:30"],
    ]


@pytest.mark.parametrize(
    ("zone", "shown"), [(PARIS, ["01:59", "03:59", "02:30"]), (REUNION, ["04:59", "05:59", "04:30", "05:30"])]
)
def test_pages_show_the_time_of_the_garage_across_the_change_of_summer_time(administrator, zone, shown):
    connector = garage(zone.key)
    for begun in (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)):
        charged(connector, begun, begun + timedelta(hours=1))
    page = administrator.get("/admin/stations/transaction/").content.decode()
    assert all(time in page for time in shown)


# --- the dialogue


def test_the_dialogue_offers_the_months_since_the_first_session(administrator, time_machine):
    time_machine.move_to("2026-03-31T22:30:00Z")  # April has begun in Paris
    charged(garage(), datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
    shown = administrator.get("/export/").context["form"].fields["month"].choices
    assert shown == [("2026-04", "April 2026"), ("2026-03", "March 2026"), ("2026-02", "February 2026")]


def test_a_month_leads_to_its_file(administrator, time_machine):
    time_machine.move_to("2026-03-31T12:00:00Z")
    charged(garage(), datetime(2024, 1, 1, tzinfo=UTC))
    answer = administrator.get("/export/", {"by": "month", "month": "2024-02", "format": "csv"})
    assert answer.url == "/export/transactions.csv?from=2024-02-01&to=2024-02-29"


@pytest.mark.parametrize(
    ("first", "last", "field", "why"),
    [
        ("2026-01-01", "2027-01-02", "last", "end it on 01/01/2027"),
        ("2026-02-01", "2026-01-31", "last", "ends before it begins"),
        ("", "2026-01-31", "first", "Enter a date"),
        ("0001-01-01", "0001-01-31", "first", "Enter a date"),
        ("2026-02-30", "2026-01-31", "first", "Enter a valid date"),
    ],
)
def test_a_range_that_cannot_be_is_refused_at_its_field(administrator, first, last, field, why):
    asked = {"by": "range", "first": first, "last": last, "format": "csv"}
    answer = administrator.get("/export/", asked)
    assert why in str(answer.context["form"].errors[field])


def test_a_leap_year_is_a_year(administrator):
    asked = {"by": "range", "first": "2024-01-01", "last": "2024-12-31", "format": "xlsx"}
    assert administrator.get("/export/", asked).url == "/export/transactions.xlsx?from=2024-01-01&to=2024-12-31"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("closed_connections")
async def test_a_file_is_sent_piece_by_piece_to_its_end(administrator, monkeypatch):
    monkeypatch.setattr("exports.rows.PAGE", 1)
    monkeypatch.setattr("exports.spreadsheet.PAGE", 1)

    def charge():
        connector = garage()
        for hour in range(5):
            charged(connector, NOON + timedelta(hours=hour), NOON + timedelta(hours=hour))

    await sync_to_async(charge)()
    client = AsyncClient()
    client.cookies = administrator.cookies
    for kind in FORMATS:
        answer = await client.get(f"/export/transactions.{kind}", {"from": "2026-01-01", "to": "2026-01-31"})
        name = f"transactions-2026-01-01-2026-01-31.{kind}"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        pieces = [piece async for piece in answer.streaming_content]
        assert len(pieces) > 1
        assert all(pieces)
        expected = await sync_to_async(exported)(kind)
        assert (b"".join(pieces) == expected) or (kind == "xlsx" and len(b"".join(pieces)) == len(expected))


@pytest.mark.parametrize(
    "days",
    ["", "from=2026-01-01", "from=2026-01-01&to=2027-01-02", "from=x&to=2026-02-30", "from=9999-12-31&to=9999-12-31"],
)
def test_an_address_that_names_no_period_is_refused(administrator, days):
    assert administrator.get(f"/export/transactions.csv?{days}").status_code == 400
