"""The bytes of a file as text: which encoding a spreadsheet wrote it in."""

import codecs

from django.utils.translation import gettext_noop

from badges.csv_files.faults import FileRefused

LARGEST_FILE = 8 * 2**20  # bytes

UTF_8, UTF_16, WINDOWS, MAC = "UTF-8", "UTF-16", "Windows-1252", "Mac Roman"

# Beyond ASCII, what French, German and English are written with.
WESTERN = frozenset("àâäæçéèêëîïôœöùûüÿßñáíóúãõåøÀÂÄÆÇÉÈÊËÎÏÔŒÖÙÛÜŸÑÁÍÓÚÅØ€£§°©®«»‘’‚“”„–—…•\N{NO-BREAK SPACE}")
ODD = frozenset("ƒˆ‰†‡˜‹›")  # Windows-1252 has them, hardly any text does: where they turn up it is another encoding


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
    """Read a file of the time before Unicode: what makes sense in one way only is certain."""
    windows, mac = _or_none(raw, "cp1252"), raw.decode("mac_roman")
    could_be_windows = windows is not None and ODD.isdisjoint(windows)
    is_usual_windows = windows is not None and _is_western(windows)
    could_be_mac = _is_western(mac)
    has_mac_lines = b"\r" in raw and b"\n" not in raw
    if could_be_mac and (not could_be_windows or (has_mac_lines and not is_usual_windows)):
        return mac, MAC
    if windows is None or not could_be_windows or (could_be_mac and (has_mac_lines or not is_usual_windows)):
        raise _unknown_encoding()
    return windows, WINDOWS


def _or_none(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_western(text: str) -> bool:
    return all(character < "\x80" or character in WESTERN for character in set(text))


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
