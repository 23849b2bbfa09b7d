"""Badge numbers as people find them printed."""

import re

# 4 to 10 bytes with one same sign between them, as on cards and in apps for telephones: 04:A1:B2:C3.
_PRINTED = re.compile(r"[0-9A-F]{2}([ :-])[0-9A-F]{2}(?:\1[0-9A-F]{2}){2,8}", re.IGNORECASE)


def without_separators(number: str) -> str:
    """Write bytes that stand apart as stations send them; any other number stays as it is."""
    found = _PRINTED.fullmatch(number)
    return number.replace(found[1], "") if found else number
