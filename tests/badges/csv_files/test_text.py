"""Which encoding a file is in: what programs write is read, what is not certain is refused."""

import codecs

import pytest

from badges.csv_files.faults import FileRefused
from badges.csv_files.text import decode

FRENCH = "badgeId;comment\r\nA1;Zoé à l’étage, garçon\r\n"
GERMAN = "badgeId;comment\r\nA1;Jürgen Groß – Tür Ö\r\n"


@pytest.mark.parametrize("text", [FRENCH, GERMAN, "badgeId,comment\nA1,plain\n"])
@pytest.mark.parametrize(
    ("before", "codec", "name"),
    [
        (codecs.BOM_UTF8, "utf-8", "UTF-8"),
        (b"", "utf-8", "UTF-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    ],
)
def test_unicode_is_read_as_what_it_is(text, before, codec, name):
    assert decode(before + text.encode(codec)) == (text, name)


@pytest.mark.parametrize("text", [FRENCH, GERMAN, "x;¼ × µ ß ñ", "Société ½ tarif"])
def test_windows_1252_is_read(text):
    assert decode(text.encode("cp1252")) == (text, "Windows-1252")


@pytest.mark.parametrize("text", ["André", "Hélène", "François", "crème"])
def test_mac_roman_is_read_where_nothing_else_makes_sense(text):
    assert decode(text.encode("mac_roman")) == (text, "Mac Roman")


def test_the_line_ends_of_a_macintosh_make_it_mac_roman():
    text = "badgeId;comment\rA1;Jürgen là-bas\r"
    assert decode(text.encode("mac_roman")) == (text, "Mac Roman")


@pytest.mark.parametrize(
    "raw",
    [
        "là".encode("mac_roman"),  # "lê" of MS-DOS
        "Škoda".encode("cp1252"),  # "äkoda" of a Macintosh
        "Björn".encode("cp850"),  # "Bjîrn" of a Macintosh
        "Łódź".encode("cp852"),
    ],
)
def test_letters_that_may_be_others_are_refused_with_what_to_do(raw):
    with pytest.raises(FileRefused, match="CSV UTF-8"):
        decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0" * 1000,
        b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0" + bytes(range(256)),
        b"badgeId;type\r\nA\0B;STANDARD\r\n",
        "badgeId;é".encode("utf-16-le"),
        codecs.BOM_UTF16_LE + b"b\0a",
        codecs.BOM_UTF8 + b"badgeId\r\n\xe9",
    ],
)
def test_what_is_no_text_is_refused(raw):
    with pytest.raises(FileRefused, match="not a CSV file"):
        decode(raw)
