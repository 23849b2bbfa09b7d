"""What the settings of an installation may be together (SPEC S10, S11, S13): one place for forms and site files."""

import re
import zoneinfo
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from stations.models import MAXIMUM_A, MINIMUM_A

DIRECT_MAXIMUM_A = 63
CT_PRIMARY_A = (75, 6000)
FUSE_MAXIMUM_A = 6000
DERATING_MAXIMUM_PERCENT = 50
UNBALANCE_A = (MINIMUM_A, MAXIMUM_A)
UNBALANCE_USUAL_A: Mapping[str, int] = {"DE": 20, "AT": 16, "CH": 16}
"""By country: 4.6 kVA in Germany (VDE-AR-N 4100), 3.7 kVA in Austria and Switzerland, at 230 V."""


class Breach(StrEnum):
    """A rule that settings break."""

    COUNTRY = "country"
    TIME_ZONE = "time_zone"
    FUSE_TOO_LARGE = "fuse_too_large"
    DIRECT_FUSE = "direct_fuse"
    CT_PRIMARY_MISSING = "ct_primary_missing"
    STATIC_MISSING = "static_missing"
    STATIC_ABOVE_FUSE = "static_above_fuse"
    FAIL_SAFE_TOO_SMALL = "fail_safe_too_small"
    FAIL_SAFE_TOO_LARGE = "fail_safe_too_large"


# The settings that a rule is about, first the one that a person has to look at.
SETTINGS_OF: Mapping[Breach, tuple[str, ...]] = {
    Breach.COUNTRY: ("country",),
    Breach.TIME_ZONE: ("time_zone",),
    Breach.FUSE_TOO_LARGE: ("fuse_a",),
    Breach.DIRECT_FUSE: ("fuse_a", "measurement"),
    Breach.CT_PRIMARY_MISSING: ("ct_ratio_a", "measurement"),
    Breach.STATIC_MISSING: ("static_limit_a", "mode"),
    Breach.STATIC_ABOVE_FUSE: ("static_limit_a", "fuse_a"),
    Breach.FAIL_SAFE_TOO_SMALL: ("fail_safe_a",),
    Breach.FAIL_SAFE_TOO_LARGE: ("fail_safe_a",),
}


@cache
def time_zones() -> tuple[str, ...]:
    """List the names a time zone may have; looking them up reads hundreds of files."""
    return tuple(sorted(zoneinfo.available_timezones()))


def breaches(settings: Mapping[str, Any]) -> list[Breach]:
    """List the rules that settings break, by the names of the installation's fields; currents are A, None where empty.

    What a single number may be (CT_PRIMARY_A, DERATING_MAXIMUM_PERCENT) is checked where it is entered.
    """
    fuse_a, static_a, fail_safe_a = settings["fuse_a"], settings["static_limit_a"], settings["fail_safe_a"]
    is_direct = settings["measurement"] == "direct"
    broken = {
        Breach.COUNTRY: not re.fullmatch(r"[A-Z]{2}", settings["country"]),
        Breach.TIME_ZONE: settings["time_zone"] not in time_zones(),
        Breach.FUSE_TOO_LARGE: fuse_a is not None and fuse_a > FUSE_MAXIMUM_A,
        Breach.DIRECT_FUSE: is_direct and fuse_a is not None and fuse_a > DIRECT_MAXIMUM_A,
        Breach.CT_PRIMARY_MISSING: not is_direct and settings["ct_ratio_a"] is None,
        Breach.STATIC_MISSING: settings["mode"] == "static" and static_a is None,
        Breach.STATIC_ABOVE_FUSE: static_a is not None and fuse_a is not None and static_a > fuse_a,
        Breach.FAIL_SAFE_TOO_SMALL: fail_safe_a is not None and 0 < fail_safe_a < MINIMUM_A,
        Breach.FAIL_SAFE_TOO_LARGE: fail_safe_a is not None and fail_safe_a > MAXIMUM_A,
    }
    return [breach for breach, is_broken in broken.items() if is_broken]
