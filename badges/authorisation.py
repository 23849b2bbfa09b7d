"""Whether a badge may charge, and why not: one decision, for every way a station can ask (OCPP 1.6 §7.2)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.db.models.functions import Upper

from badges.models import LONGEST_NUMBER, PLAIN, AccessRule, Badge, BadgeSettings, BadgeType, Reason

STATUS_OF = {
    Reason.ACCEPTED: "Accepted",
    Reason.UNKNOWN: "Invalid",
    Reason.PENDING: "Invalid",
    Reason.EXPIRED: "Expired",
    Reason.INACTIVE: "Blocked",
    Reason.NOT_HERE: "Blocked",
    Reason.IN_USE: "ConcurrentTx",
    Reason.SCANNED: "Invalid",
}
ACCEPTED, INVALID = "Accepted", "Invalid"
LAST_YEAR = 2037  # the clocks of 32 bits end in 2038


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered to a badge; `ends_at` is wire time, empty: nothing ends it."""

    reason: Reason
    ends_at: str = ""

    @property
    def is_accepted(self) -> bool:
        """Say whether the badge may charge."""
        return self.reason == Reason.ACCEPTED

    @property
    def id_tag_info(self) -> dict[str, str]:
        """Give the answer as stations read it (OCPP 1.6 §7.27)."""
        expiry = {"expiryDate": self.ends_at} if self.ends_at else {}
        return {"status": STATUS_OF[self.reason], **expiry}


def find_badge(id_tag: str) -> Badge | None:
    """Find a badge by its number, compared without case."""
    return next(iter(Badge.objects.alias(number=Upper("id_tag")).filter(number=id_tag.upper())), None)


def is_badge_number(id_tag: str) -> bool:
    """Say whether a badge can have this number (OCPP 1.6 §7.28: 20 characters)."""
    return 0 < len(id_tag) <= LONGEST_NUMBER and re.match(PLAIN, id_tag) is not None


def decide(
    badge: Badge | None, *, rule: str, is_allowed_here: bool, at: datetime, zone: tzinfo, is_in_use: bool = False
) -> Decision:
    """Decide with the rule: with free access anyone may charge, else the badge must be good here on the day of `at`.

    `zone` is the installation's: there the day of the expiry date ends. `is_in_use`: it charges another car already,
    which is not allowed.
    """
    if rule == AccessRule.FREE:
        return Decision(Reason.ACCEPTED)
    if badge is None:
        return Decision(Reason.UNKNOWN)
    if badge.type == BadgeType.PENDING:
        return Decision(Reason.PENDING)
    if badge.has_expired(at.astimezone(zone).date()):
        return Decision(Reason.EXPIRED)
    if not badge.is_active:
        return Decision(Reason.INACTIVE)
    if not is_allowed_here:
        return Decision(Reason.NOT_HERE)
    if is_in_use:
        return Decision(Reason.IN_USE)
    return Decision(Reason.ACCEPTED, end_of_day(badge.expires_on, zone))


def end_of_day(day: date | None, zone: tzinfo) -> str:
    """Return the end of a day in a time zone as stations read it; empty where it lies beyond their clocks."""
    if day is None or day.year > LAST_YEAR:
        return ""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def badge_settings() -> BadgeSettings:
    """Return the access rule in force, and what goes with it."""
    found: BadgeSettings = BadgeSettings.get_solo()
    return found
