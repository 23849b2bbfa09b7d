"""The bytes of a file as text: which encoding a spreadsheet wrote it in."""

import codecs
import re

from django.utils.translation import gettext_noop

from badges.csv_files.faults import FileRefused

LARGEST_FILE = 8 * 2**20  # bytes

UTF_8, UTF_16, WINDOWS, MAC, DOS = "UTF-8", "UTF-16", "Windows-1252", "Mac Roman", "MS-DOS (850)"
CODECS = {WINDOWS: "cp1252", MAC: "mac_roman", DOS: "cp850"}

# Beyond ASCII: what French and German are written with, what Windows-1252 has for others, and what it has for Czech.
FRENCH_GERMAN = frozenset("àâäæçéèêëîïôœöùûüÿßÀÂÄÆÇÉÈÊËÎÏÔŒÖÙÛÜ€§°«»‘’“”„–—…\N{NO-BREAK SPACE}")
WESTERN = FRENCH_GERMAN | {chr(code) for code in range(0xA0, 0x100)} | frozenset("‚•™Ÿ")
CZECH = frozenset("ŠŽšž")
# No word has a large letter with an accent after a small one, or an opening quotation mark within it.
_MISREAD = re.compile(r"[a-zß-öø-ÿœ][À-ÖØ-ÞŒŠŽ]|\w[‚„]|[A-Za-z][“”][A-Za-z]")


def decode(raw: bytes) -> tuple[str, str]:
    """Return the text of a file and the name of its encoding. Raises FileRefused where that is not certain."""
    text, encoding = _read(raw)
    if "\0" in text:
        raise _no_text()
    return text, encoding


def _read(raw: bytes) -> tuple[str, str]:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16"), UTF_16
        except UnicodeDecodeError:
            raise _no_text() from None
    try:
        return raw.decode("utf-8-sig"), UTF_8
    except UnicodeDecodeError:
        if raw.startswith(codecs.BOM_UTF8) or b"\0" in raw:
            raise _no_text() from None
    return _of_one_byte_each(raw)


def _of_one_byte_each(raw: bytes) -> tuple[str, str]:
    """Read a file of the time before Unicode: Windows-1252 where that makes sense, else what alone makes sense."""
    readings = {name: text for name, codec in CODECS.items() if (text := _or_none(raw, codec)) is not None}
    sensible = [name for name in (MAC, DOS) if _makes_sense(readings[name], FRENCH_GERMAN)]
    windows = readings.get(WINDOWS)
    if b"\r" in raw and b"\n" not in raw:  # only a Macintosh ends lines like this
        sensible = [name for name in sensible if name == MAC]
    elif windows is not None and _makes_sense(windows, WESTERN):
        sensible = [WINDOWS]
    elif windows is not None and _makes_sense(windows, WESTERN | CZECH):
        sensible.append(WINDOWS)
    if len(sensible) != 1:
        raise _unknown_encoding()
    return readings[sensible[0]], sensible[0]


def _or_none(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None


def _makes_sense(text: str, letters: frozenset[str]) -> bool:
    return all(one < "\x80" or one in letters for one in set(text)) and not _MISREAD.search(text)


def _no_text() -> FileRefused:
    return FileRefused(
        gettext_noop(
            "This is not a CSV file, or it is damaged: it holds bytes that no text has. Nothing was changed. "
            "In the spreadsheet choose “Save as”, “CSV UTF-8”, and import that file."
        )
    )


def _unknown_encoding() -> FileRefused:
    return FileRefused(
        gettext_noop(
            "It is not certain which letters with accents this file holds. Nothing was changed. "
            "In the spreadsheet choose “Save as”, “CSV UTF-8”, and import that file."
        )
    )
