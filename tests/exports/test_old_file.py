"""Reading an old device's history: its faults undone, whatever Excel made of the file."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exports.columns import COLUMNS, Row
from exports.formats import as_csv
from exports.old_file import Flag, NoHistory, OldRow, Why, cells_in, decode, read_row, says_wh

PARIS, REUNION = ZoneInfo("Europe/Paris"), ZoneInfo("Indian/Reunion")
# The example of the manual, §05.09: some of its rows, all kinds of them.
EXAMPLE = """\
transactionId,evcsId,evcsName,startDateTransaction,stopDateTransaction,badgeId,badgeName,energyChargedKwh
1,a0:02:4a:e0:a3:c5,N/A,07/11/2022 11:21,07/11/2022 11:30,645c0542,N/A,679
2,a0:02:4a:e0:a4:10,N/A,07/11/2022 11:23,07/11/2022 12:24,044ee958,N/A,13550
3,a0:02:4a:e0:a3:c5,N/A,07/11/2022 12:27,08/11/2022 05:56,34f5db32,N/A,937
8,a0:02:4a:e0:a3:b0,N/A,07/11/2022 13:35,07/11/2022 13:38,24cfd58,N/A,231
9,a0:02:4a:e0:a3:b0,N/A,07/11/2022 13:38,07/11/2022 13:38,24cfd58,N/A,0
12,a0:02:4a:e0:a3:c5,N/A,08/11/2022 12:08,01/01/1970 01:00,34f5db32,N/A,4294965680
13,a0:02:4a:e0:a4:10,N/A,08/11/2022 12:26,01/01/1970 01:00,74ac0a42,N/A,4294945063
16,a0:02:4a:e0:a3:b0,N/A,08/11/2022 12:34,01/01/1970 01:00,24cfd58,N/A,4294960831
17,a0:02:4a:e0:a5:00,N/A,08/11/2022 12:35,01/01/1970 01:00,a443f141,N/A,4294960561
18,a0:02:4a:e0:a3:c5,N/A,09/11/2022 12:12,10/11/2022 06:00,34f5db32,N/A,8565
"""


def read(text, zone=PARIS, is_wh=None):
    is_wh = says_wh(text) if is_wh is None else is_wh
    return [read_row(cells.texts, zone, is_wh=is_wh) for cells in cells_in(text)]


def one(zone=PARIS, is_wh=True, **given):
    cells = dict(zip(COLUMNS, EXAMPLE.splitlines()[1].split(","), strict=True)) | given
    return read_row(tuple(cells.values()), zone, is_wh=is_wh)


def test_the_example_of_the_manual_is_read_as_it_is_meant():
    assert says_wh(EXAMPLE)
    rows = read(EXAMPLE)
    assert [row.energy_wh for row in rows] == [679, 13550, 937, 231, 0, None, None, None, None, 8565]
    assert [row.number for row in rows if row.stopped_at is None] == [12, 13, 16, 17]
    assert {row.flags for row in rows} == {(), (Flag.NOT_ENDED, Flag.ENERGY_WRAPPED)}
    first = datetime(2022, 11, 7, 10, 21, tzinfo=UTC)
    end = first + timedelta(minutes=9)
    assert rows[0] == OldRow(1, "a0:02:4a:e0:a3:c5", "", first, end, "645c0542", "", 679, ())


def test_times_are_those_of_the_clock_in_the_garage():
    assert one(REUNION).started_at == datetime(2022, 11, 7, 7, 21, tzinfo=UTC)
    assert one(REUNION, stopDateTransaction="01/01/1970 04:00").stopped_at is None


@pytest.mark.parametrize(
    "data",
    [
        EXAMPLE.encode(),
        EXAMPLE.encode("utf-8-sig"),
        EXAMPLE.replace(",", ";").encode("cp1252"),
        EXAMPLE.replace(",", "\t").encode("utf-16"),
        ("sep=;\r\n" + EXAMPLE.replace(",", ";").replace("\n", "\r\n")).encode(),
        EXAMPLE.replace("07/11/2022 11:21,", "7/11/2022 11:21:00,").encode(),
        "".join(f'"{line}"\n'.replace(",", '","') for line in EXAMPLE.splitlines()).encode(),
        (EXAMPLE + "\n,,,,,,,\n\n").encode(),
    ],
)
def test_a_file_is_read_as_spreadsheets_leave_it(data):
    assert read(decode(data)) == read(EXAMPLE)


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "Zoë"), ("cp1252", "Zoë – Œuvre"), ("utf-16", "Zoë ☃")])
def test_accents_survive(encoding, name):
    assert read(decode(EXAMPLE.replace("645c0542,N/A", f"645c0542,{name}").encode(encoding)))[0].badge_name == name


@pytest.mark.parametrize("text", ["0.679", "0,679"])
def test_kilowatt_hours_are_known_by_their_decimals(text):
    table = EXAMPLE.replace(",", ";").replace(";679", f";{text}").replace(";13550", ";14")
    assert [row.energy_wh for row in read(table)[:2]] == [679, 14_000]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"a,b\n1,2", b"\x00\x01", b"%PDF-1.7", EXAMPLE[20:].encode()])
def test_what_is_no_history_is_said_to_be_none(data):
    with pytest.raises(NoHistory):
        list(cells_in(decode(data)))


@pytest.mark.parametrize(
    ("cell", "text", "why"),
    [
        ("transactionId", "x1", Why.NUMBER),
        ("transactionId", "", Why.NUMBER),
        ("transactionId", str(2**63), Why.NUMBER),
        ("startDateTransaction", "", Why.START),
        ("startDateTransaction", "31/02/2022 11:21", Why.START),
        ("startDateTransaction", "01/01/1970 01:00", Why.START),
        ("stopDateTransaction", "2022-11-07", Why.STOP),
        ("stopDateTransaction", "07/11/2022 11:20", Why.ORDER),
        ("energyChargedKwh", "much", Why.ENERGY),
        ("badgeName", "x" * 256, Why.TEXT),
    ],
)
def test_a_row_that_cannot_be_says_why(cell, text, why):
    assert one(**{cell: text}).why == why


def test_a_row_that_breaks_off_is_left_out():
    (row,) = read(EXAMPLE.splitlines()[0] + "\n1,a0:02\n")
    assert row.why == Why.CELLS


def test_wrong_lines_are_named_by_their_number_in_the_file():
    assert [cells.line for cells in cells_in("sep=,\n" + EXAMPLE)] == list(range(3, 13))


def test_an_end_in_the_hour_that_comes_twice_is_not_before_its_beginning():
    row = one(startDateTransaction="30/10/2022 02:50", stopDateTransaction="30/10/2022 02:10")
    assert row.stopped_at - row.started_at == timedelta(minutes=20)
    assert row.flags == (Flag.CLOCK_CHANGE,)


def test_energy_that_is_below_zero_is_not_known():
    assert one(energyChargedKwh="-1616").energy_wh is None


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(str.strip)
odd_names = st.sampled_from(["", "=1+1", "'=1", "+33", "@x", "-", 'a"b', "a,b;c", "two\nlines", "\tx"])
texts = (names | odd_names).filter(lambda text: text != "N/A" and text == text.strip(" "))
minutes = st.integers(0, 30 * 366 * 24 * 60).map(
    lambda minute: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


@st.composite
def histories(draw):
    begun = draw(minutes)
    end = draw(st.none() | st.integers(0, 5000).map(lambda minute: begun + timedelta(minutes=minute)))
    energy_wh = draw(st.none() | st.integers(0, 2**31 - 1))
    mac_address, station, id_tag, badge = (draw(texts) for _ in range(4))
    number = draw(st.integers(1, 2**63 - 1))
    return Row(begun, number, end, mac_address, station, id_tag, badge, energy_wh, None)


@given(st.lists(histories(), max_size=5), st.sampled_from([PARIS, REUNION]))
@example([Row(datetime(2022, 10, 30, 0, 30, tzinfo=UTC), 1, None, "", "", "", "", 5, None)], PARIS)
def test_what_was_exported_is_imported_as_it_was(rows, zone):
    text = decode(b"".join(as_csv(iter(rows), zone)))
    back = read(text, zone, is_wh=False)
    again = (
        Row(row.started_at, row.number, row.stopped_at, *row[1:3], row.id_tag, row.badge_name, row.energy_wh, None)
        for row in back
    )
    assert list(csv.reader(io.StringIO(text))) == list(csv.reader(io.StringIO(decode(b"".join(as_csv(again, zone))))))
    for row, old in zip(rows, back, strict=True):
        assert (old.number, old.station_mac_address, old.station_name) == (row.number, row.mac_address, row.station)
        assert (old.id_tag, old.badge_name, old.energy_wh) == (row.id_tag, row.badge_name, row.energy_wh)
        if Flag.CLOCK_CHANGE not in old.flags:
            assert (old.started_at, old.stopped_at, old.flags) == (row.started_at, row.stopped_at, ())


@given(st.lists(histories(), min_size=1).filter(lambda rows: any(row.energy_wh is not None for row in rows)))
def test_an_export_of_ours_is_known_to_be_in_kilowatt_hours(rows):
    assert not says_wh(decode(b"".join(as_csv(iter(rows), PARIS))))
