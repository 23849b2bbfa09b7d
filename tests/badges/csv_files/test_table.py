"""Rows, separators and quotes; formulas that a spreadsheet would run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.csv_files.faults import FileRefused, in_words
from badges.csv_files.survey import survey
from badges.csv_files.table import MOST_ROWS, Row, bare, defused, read_heading, read_rows, write_table
from badges.csv_files.text import decode

HEADING = "badgeId,type,comment,expirationDate,email"


def rows(text):
    return list(read_rows(text, read_heading(text)))


def cells(text):
    return [tuple(row.cells.values()) for row in rows(text)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(separator, end):
    text = end.join([HEADING.replace(",", separator), separator.join(["A1", "STANDARD", "x", "", "a@b.ch"]), ""])
    assert cells(text) == [("A1", "STANDARD", "x", "", "a@b.ch")]


def test_columns_may_stand_in_any_order_and_case_and_be_missing():
    found = rows("COMMENT;BadgeID\nfirst;A1\n")
    assert found == [Row(2, {"comment": "first", "badgeId": "A1"}, "")]


def test_lines_are_counted_as_an_editor_does():
    text = f'sep=,\n\n{HEADING}\nA1,,"two\nlines",,\n,,,,\n\nA2,,,,\n'
    assert [(row.line, row.cells["badgeId"]) for row in rows(text)] == [(4, "A1"), (8, "A2")]


def test_empty_columns_and_cells_at_the_end_do_no_harm():
    assert cells(f"{HEADING},,,\nA1,STANDARD,,,,,,\nA2\n") == [("A1", "STANDARD", "", "", ""), ("A2", "", "", "", "")]


def test_space_round_a_cell_is_taken_away_a_no_break_space_too():
    assert cells("badgeId,type\n\xa0A1\xa0, standard \n") == [("A1", "standard")]


def test_what_stands_beyond_the_last_column_is_seen():
    assert [row.extra for row in rows("badgeId,comment\nA1,one,two,three\n")] == ["two,three"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file is empty"),
        ("\r\n;;;\r\n", "The file is empty"),
        ("number;kind\nA1;x\n", "The first line does not name the columns"),
        ("A1,STANDARD\nA2,STANDARD\n", "The first line does not name the columns"),
        ("badgeId,type,colour\nA1,,red\n", "not known, the first is “colour”"),
        ("badgeId," + ",".join(f"c{number}" for number in range(2000)), "2000 columns that are not known"),
        ("badgeId,type,TYPE\nA1,,\n", "“type” twice"),
        (f"{HEADING}\n\n", "names the columns, but no badge"),
        (f'{HEADING}\nA1,,,,\nA2,,"never ends,,\nA3,,,,\n', "begins on line 3"),
        (f'{HEADING}\nA1,,"ends"early,,\n', "begins on line 2"),
        (f'{HEADING}\n"{"A" * 200_000}",,,,\n', "begins on line 2"),
        (f"{HEADING}\n" + "A\n" * (MOST_ROWS + 1), f"more than {MOST_ROWS} rows"),
    ],
    ids=lambda value: value[:20],
)
def test_a_broken_file_is_refused_with_what_to_do(text, said):
    with pytest.raises(FileRefused) as refused:
        survey(text)
    assert said in in_words(refused.value.fault)


def test_both_lines_of_a_number_that_comes_twice_are_named():
    seen = survey("badgeId\nab01\nA2\nAB01\nAb01\n")
    assert seen.repeated == {"AB01": [2, 4, 5]}


def test_of_a_number_that_comes_very_often_the_first_lines_are_named():
    text = "badgeId\n" + "A1\n" * 1000
    [(_sentence, values)] = survey(text).faults_of(rows(text)[500])
    assert values == {"lines": "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"}


@pytest.mark.parametrize("cell", ["=1+1", "+33 6", "-x", "@SUM(A1)", "\tx", "\rx", "'=1", "''+1"])
def test_a_formula_is_defused(cell):
    assert defused(cell) == f"'{cell}"
    assert bare(defused(cell)) == cell


@pytest.mark.parametrize("cell", ['="0123"', '"=""0123"""'])
def test_a_number_that_is_held_as_text_by_a_formula_keeps_its_zeros(cell):
    assert [row.cells["badgeId"] for row in rows(f"badgeId\n{cell}\n")] == ["0123"]


@given(st.text(alphabet="=+-@\t\r'ax\""))
def test_a_defused_cell_is_never_a_formula_and_comes_back_as_it_was(cell):
    assert not defused(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert bare(defused(cell)) == cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9), min_size=5, max_size=5))
def test_any_row_that_is_written_is_read_again(written):
    written = [cell.strip() for cell in written]
    written[0] = f"A{written[0]}"
    for separator in (",", ";", "\t"):
        text, _encoding = decode(write_table([HEADING.split(","), written], separator))
        assert cells(text) == [tuple(written)]
