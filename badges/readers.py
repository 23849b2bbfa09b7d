"""How readers give the number of one badge in different ways, and the known badge an unknown number may mean.

A number is 4, 7 or 10 bytes in hexadecimal digits (ISO/IEC 14443-3). Readers differ: some give the bytes in reverse,
some cut zeros, a check byte, or all but the first or last bytes. That is a hint for a person, never a decision.
"""

import re
from itertools import product

from django.db.models import Q
from django.db.models.functions import Upper

from badges.models import Badge

HEX = re.compile(r"[0-9A-F]{6,20}")
SHORTEST = 6  # digits that must agree
CUT_ZEROS = ("", "0", "00")
MOST_HINTS = 3


def are_alike(number: str, other: str) -> bool:
    """Say whether two numbers may be one badge: in either order of bytes, one begins or ends the other."""
    pairs = product(_forms(number), _forms(other)[:1])
    return any(_is_part(*sorted(pair, key=len)) for pair in pairs)


def _is_part(short: str, long: str) -> bool:
    return len(short) >= SHORTEST and (long.startswith(short) or long.endswith(short))


def _forms(number: str) -> list[str]:
    """Write a number forwards and with its bytes in reverse, without the zeros around it; none where it is no UID."""
    digits = number.upper()
    if not HEX.fullmatch(digits):
        return []
    digits = digits.zfill(len(digits) + len(digits) % 2)
    return [digits.strip("0"), bytes.fromhex(digits)[::-1].hex().upper().strip("0")]


def badges_like(id_tag: str) -> list[Badge]:
    """Find known badges whose number may be this one, given by another reader; a few are enough."""
    forms = [form for form in _forms(id_tag) if len(form) >= SHORTEST]
    if not forms:
        return []
    lengths = [(form, length) for form in forms for length in range(SHORTEST, len(form) + 1)]
    parts = {part for form, length in lengths for part in (form[:length], form[-length:])}
    wanted = Q(number__in={before + part + after for part in parts for before in CUT_ZEROS for after in CUT_ZEROS})
    for form in forms:
        wanted |= Q(number__contains=form)
    others = Badge.objects.alias(number=Upper("id_tag")).exclude(number=id_tag.upper()).filter(wanted).order_by("pk")
    return [badge for badge in others if are_alike(id_tag, badge.id_tag)][:MOST_HINTS]
