"""The order in which people look for stations: by name, "Place 2" before "Place 10"."""

from django.db.models import CharField, F, Func, OrderBy, Value
from django.db.models.functions import Coalesce, Length, Lower, NullIf

DIGITS = "0123456789"


def by_name(prefix: str = "") -> list[OrderBy]:
    """Order by the name, or the identity where there is none; a number at its end counts as one.

    `prefix` leads to the station, such as `station__`. What stands before the number is compared first, then how long
    the whole is, which puts 2 before 10, then the whole.
    """
    name = Lower(Coalesce(NullIf(F(f"{prefix}name"), Value("")), F(f"{prefix}identity")))
    stem: Func = Func(name, Value(DIGITS), function="RTRIM", output_field=CharField())
    return [stem.asc(), Length(name).asc(), name.asc(), F(f"{prefix}identity").asc()]
