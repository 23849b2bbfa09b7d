"""Whether a badge may charge: one decision, for every way a station can ask (OCPP 1.6 §7.2 AuthorizationStatus)."""

from datetime import date

from django.db.models.functions import Upper

from badges.models import AccessRule, Badge, BadgeSettings, BadgeType

ACCEPTED, BLOCKED, EXPIRED, INVALID = "Accepted", "Blocked", "Expired", "Invalid"


def find_badge(id_tag: str) -> Badge | None:
    """Find a badge by its number, compared without case."""
    return Badge.objects.alias(number=Upper("id_tag")).filter(number=id_tag.upper()).first()


def decide(badge: Badge | None, *, rule: str, is_allowed_here: bool, today: date) -> str:
    """Return the AuthorizationStatus: with free access anyone may charge, else the badge must be good here today."""
    if rule == AccessRule.FREE:
        return ACCEPTED
    if badge is None or badge.type == BadgeType.PENDING:
        return INVALID
    if badge.has_expired(today):
        return EXPIRED
    if not badge.is_active or not is_allowed_here:
        return BLOCKED
    return ACCEPTED


def access_rule() -> str:
    """Return the rule in force."""
    return str(BadgeSettings.get_solo().access_rule)
