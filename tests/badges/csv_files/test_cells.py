"""Cells as people and spreadsheets write them."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from badges.csv_files.cells import read_day, read_email, read_number, read_type, spellings, write_day

DAY = date(2031, 1, 30)


@pytest.mark.parametrize(
    "cell",
    [
        "30.01.2031",
        "30.1.2031",
        "30/01/2031",
        "2031-01-30",
        "30-01-2031",
        "30.01.31",  # LibreOffice
        "30/01/31",
        "30/01/2031 00:00",
        "2031-01-30 00:00:00",
        "2031-01-30T00:00:00",
        "30-janv-31",  # Excel in French
        "30 janvier 2031",
        "30. Jan 31",  # Excel in German
        "30. Januar 2031",
        "30-Jan-31",  # Excel in English
    ],
)
def test_a_day_is_read_however_programs_write_it(cell):
    assert read_day(cell) == DAY


@pytest.mark.parametrize(
    ("cell", "month"),
    [
        ("1er février 2031", 2),
        ("1-févr-31", 2),
        ("1. Feb. 2031", 2),
        ("1-mars-31", 3),
        ("1. Mrz 31", 3),
        ("1. März 2031", 3),
        ("1-avr-31", 4),
        ("1-mai-31", 5),
        ("1-juin-31", 6),
        ("1-juil-31", 7),
        ("1-août-31", 8),
        ("1-Okt-31", 10),
        ("1-déc-31", 12),
        ("1. Dez 31", 12),
    ],
)
def test_months_have_names_in_three_languages(cell, month):
    assert read_day(cell) == date(2031, month, 1)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("01/30/2031", "month before the day"),
        ("1/30/31", "month before the day"),
        ("30-01-31", "two ways"),
        ("31.02.2031", "no day of the calendar"),
        ("30.13.2031", "no day of the calendar"),
        ("00.00.0000", "no day of the calendar"),
        ("soon", "no day of the calendar"),
        ("30.01.2031 13:30", "no day of the calendar"),
        ("30-xyz-31", "no day of the calendar"),
        ("47878", "as a spreadsheet counts it"),
        ("30-janv", "no year"),
        ("30. Jan", "no year"),
        ("30.01.", "no year"),
        ("Jan-30", "no year"),
    ],
)
def test_a_day_that_is_not_certain_is_refused_with_the_reason(cell, said):
    with pytest.raises(ValidationError, match=said):
        read_day(cell)


def test_beside_an_american_day_the_others_are_doubted():
    assert read_day("02/01/2031") == date(2031, 1, 2)
    with pytest.raises(ValidationError, match="other rows have the month before the day"):
        read_day("02/01/2031", is_file_month_first=True)
    assert read_day("03/03/2031", is_file_month_first=True) == date(2031, 3, 3)
    assert read_day("02.01.2031", is_file_month_first=True) == date(2031, 1, 2)


@given(st.dates())
def test_every_day_that_is_written_is_read_again(day):
    assert read_day(write_day(day)) == day


@pytest.mark.parametrize("cell", ["", "-", "–", "N/A", "#N/A", "#NV", "NULL", "(vide)", "(leer)"])
def test_nothing_is_nothing_however_programs_write_it(cell):
    assert (read_type(cell), read_day(cell), read_email(cell)) == (None, None, "")


def test_no_day_is_written_as_nothing():
    assert write_day(None) == ""


@pytest.mark.parametrize("cell", ["1,23E+09", "1.23E+09", "4E+13", "1.2e-5", "1,23457E+15"])
def test_a_number_that_a_spreadsheet_has_rounded_is_refused(cell):
    with pytest.raises(ValidationError, match="its digits are lost"):
        read_number(cell)


@pytest.mark.parametrize(
    "cell", ["a1b2c3", "04E10", "12E4567", "0012", "24cfd58", "1E5", "A-1/2", "12-34-56", "04:aa-bb:cc"]
)
def test_a_number_stays_as_it_is(cell):
    assert read_number(cell) == cell


@pytest.mark.parametrize("cell", ["04 aa bb cc dd ee ff", "04:AA:BB:CC:DD:EE:FF", "04-aa-bb-cc-dd-ee-ff"])
def test_a_number_as_it_is_printed_is_read_as_stations_send_it(cell):
    assert read_number(cell).upper() == "04AABBCCDDEEFF"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "no badge number"),
        ("A" * 21, "at most 20"),
        ("A\tB", "cannot be printed"),
        ("À", "without accents"),
        ("日本", "without accents"),
    ],
)
def test_what_can_be_no_number_is_refused(cell, said):
    with pytest.raises(ValidationError, match=said):
        read_number(cell)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("STANDARD", "standard"), ("standard", "standard"), ("Supervisor", "supervisor"), ("SUPERUSER", "supervisor")],
)
def test_types_are_read_in_any_case(cell, kind):
    assert read_type(cell) == kind


def test_another_type_is_refused_and_none_is_none():
    assert read_type("") is None
    with pytest.raises(ValidationError, match="STANDARD or SUPERVISOR"):
        read_type("VIP")


@pytest.mark.parametrize("cell", ["anna", "anna@", "a b@c.ch", "a@" + "b" * 260 + ".ch"])
def test_an_address_that_is_none_is_refused(cell):
    with pytest.raises(ValidationError, match="not an e-mail address"):
        read_email(cell)


def test_numbers_of_digits_are_collected_without_their_zeros():
    assert spellings(["0012", "12", "A12", "", "00", "0" * 20 + "12"]) == {"12": ["0012", "12"]}
