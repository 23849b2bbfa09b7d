"""Files as Excel, LibreOffice and Numbers write them in French, German and English, byte by byte.

All hold the same two badges. Excel separates with the list separator of the language and shows days as the language
does; its plain CSV is Windows-1252, on a Macintosh Mac Roman with CR. LibreOffice writes UTF-8 with LF and shortens
years; Numbers writes UTF-8 without a mark.
"""

from datetime import date

import pytest

from badges.models import Badge
from tests.badges.importing import check, counts, write

pytestmark = pytest.mark.django_db

UMLAUT, ACCENT = b"J\xc3\xbcrgen; \xe2\x80\x9eTief\xe2\x80\x9c", b"Zo\xc3\xa9 \xc3\xa0 l\xe2\x80\x99\xc3\xa9tage; nord"

FILES = {
    "Excel, French, CSV": (
        b"badgeId;type;comment;expirationDate;email\r\n"
        b'04A1B2C3;STANDARD;"Zo\xe9 \xe0 l\x92\xe9tage; nord";31/12/2030;zoe@example.org\r\n'
        b"99887766;SUPERVISOR;;;\r\n"
    ),
    "Excel, French, CSV UTF-8": (
        b"\xef\xbb\xbfbadgeId;type;comment;expirationDate;email\r\n"
        b'04A1B2C3;STANDARD;"' + ACCENT + b'";31/12/2030;zoe@example.org\r\n'
        b"99887766;SUPERVISOR;;;\r\n"
    ),
    "Excel, French, Unicode text": b"\xff\xfe"
    + (
        "badgeId\ttype\tcomment\texpirationDate\temail\r\n"
        "04A1B2C3\tSTANDARD\tZoé à l’étage; nord\t31/12/2030\tzoe@example.org\r\n"
        "99887766\tSUPERVISOR\t\t\t\r\n"
    ).encode("utf-16-le"),
    "Excel for Mac, French, CSV": (
        b"badgeId;type;comment;expirationDate;email\r"
        b'04A1B2C3;STANDARD;"Zo\x8e \x88 l\xd5\x8etage; nord";31/12/2030;zoe@example.org\r'
        b"99887766;SUPERVISOR;;;\r"
    ),
    "Excel, German, CSV": (
        b"badgeId;type;comment;expirationDate;email\r\n"
        b'04A1B2C3;STANDARD;"J\xfcrgen; \x84Tief\x93";31.12.2030;zoe@example.org\r\n'
        b"99887766;SUPERVISOR;;;\r\n"
    ),
    "Excel, German, CSV UTF-8, month by its name": (
        b"\xef\xbb\xbfbadgeId;type;comment;expirationDate;email\r\n"
        b'04A1B2C3;STANDARD;"' + UMLAUT + b'";31. Dez 30;zoe@example.org\r\n'
        b"99887766;SUPERVISOR;;;\r\n"
    ),
    "Excel, English, CSV": (
        b"badgeId,type,comment,expirationDate,email\r\n"
        b"04A1B2C3,STANDARD,Zo\xe9 \xe0 l\x92\xe9tage; nord,31/12/2030,zoe@example.org\r\n"
        b"99887766,SUPERVISOR,,,\r\n"
    ),
    "Excel, English, saved after two more columns were emptied": (
        b"badgeId,type,comment,expirationDate,email,,\r\n"
        b"04A1B2C3,STANDARD,Zo\xe9 \xe0 l\x92\xe9tage; nord,31-Dec-30,zoe@example.org,,\r\n"
        b"99887766,SUPERVISOR,,,,,\r\n"
        b",,,,,,\r\n"
    ),
    "LibreOffice, French": (
        b"badgeId,type,comment,expirationDate,email\n"
        b"04A1B2C3,STANDARD," + ACCENT + b",31/12/30,zoe@example.org\n"
        b"99887766,SUPERVISOR,,,\n"
    ),
    "LibreOffice, German, all texts in quotation marks": (
        b'"badgeId";"type";"comment";"expirationDate";"email"\n'
        b'"04A1B2C3";"STANDARD";"' + UMLAUT + b'";31.12.30;"zoe@example.org"\n'
        b'99887766;"SUPERVISOR";;;\n'
    ),
    "LibreOffice, English, Windows-1252": (
        b"badgeId,type,comment,expirationDate,email\n"
        b"04A1B2C3,STANDARD,Zo\xe9 \xe0 l\x92\xe9tage; nord,31/12/2030,zoe@example.org\n"
        b"99887766,SUPERVISOR,,,\n"
    ),
    "Numbers, French": (
        b"badgeId;type;comment;expirationDate;email\r\n"
        b'04A1B2C3;STANDARD;"' + ACCENT + b'";31/12/2030;zoe@example.org\r\n'
        b"99887766;SUPERVISOR;;;"
    ),
    "Numbers, German": (
        b"badgeId;type;comment;expirationDate;email\n"
        b'04A1B2C3;STANDARD;"' + UMLAUT + b'";31.12.2030;zoe@example.org\n'
        b"99887766;SUPERVISOR;;;"
    ),
    "Numbers, English, ISO days": (
        b"badgeId,type,comment,expirationDate,email\r\n"
        b"04A1B2C3,STANDARD," + ACCENT + b",2030-12-31,zoe@example.org\r\n"
        b"99887766,SUPERVISOR,,,"
    ),
}


@pytest.mark.parametrize("raw", FILES.values(), ids=FILES)
def test_a_file_of_any_program_brings_the_same_badges(raw):
    done = write(check(raw))
    assert counts(done) == (2, 0, 0, 0)
    first, second = Badge.objects.order_by("id_tag").values_list("id_tag", "type", "expires_on", "email", "comment")
    assert first[:4] == ("04A1B2C3", "standard", date(2030, 12, 31), "zoe@example.org")
    assert first[4] in ("Zoé à l’étage; nord", "Jürgen; „Tief“")
    assert second == ("99887766", "supervisor", None, "", "")
