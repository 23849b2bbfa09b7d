"""How readers give the number of one badge in different ways, and the known badge an unknown number may mean.

A number is 4, 7 or 10 bytes in hexadecimal digits (ISO/IEC 14443-3). Readers differ: some give the bytes in reverse,
some cut zeros, a check byte, or all but the first or last bytes. That is a hint for a person, never a decision.
"""

import re
from collections.abc import Sequence

from django.db.models import Q
from django.db.models.functions import Upper

from badges.models import Badge

HEX = re.compile(r"[0-9A-F]{6,20}")
SHORTEST = 6  # digits that must agree
CUT_ZEROS = ("", "0", "00")
MOST_HINTS = 3


def are_alike(number: str, other: str) -> bool:
    """Say whether two numbers may be one badge, in either order of bytes.

    Of the same length they are the same; else one begins or ends the other, but for the zeros around it.
    """
    one, two = _digits(number), _digits(other)
    return bool(one and two) and any(_is_part(form, two) for form in (one, _reversed(one)))


def _is_part(digits: str, other: str) -> bool:
    if len(digits) == len(other):
        return digits == other
    short, long = sorted((digits.strip("0"), other.strip("0")), key=len)
    return len(short) >= SHORTEST and (long.startswith(short) or long.endswith(short))


def _digits(number: str) -> str:
    """Write a number as whole bytes; empty where it is none."""
    digits = number.upper()
    return digits.zfill(len(digits) + len(digits) % 2) if HEX.fullmatch(digits) else ""


def _reversed(digits: str) -> str:
    return bytes.fromhex(digits)[::-1].hex().upper()


def badges_like(id_tag: str) -> Sequence[Badge]:
    """Find known badges whose number may be this one, given by another reader; a few are enough."""
    digits = _digits(id_tag)
    forms = [form for form in (digits.strip("0"), _reversed(digits).strip("0")) if len(form) >= SHORTEST]
    if not forms:
        return []
    lengths = [(form, length) for form in forms for length in range(SHORTEST, len(form) + 1)]
    parts = {part for form, length in lengths for part in (form[:length], form[-length:])}
    wanted = Q(number__in={before + part + after for part in parts for before in CUT_ZEROS for after in CUT_ZEROS})
    for form in forms:
        wanted |= Q(number__contains=form)
    others = Badge.objects.alias(number=Upper("id_tag")).exclude(number=id_tag.upper()).filter(wanted).order_by("pk")
    return [badge for badge in others if are_alike(id_tag, badge.id_tag)][:MOST_HINTS]
