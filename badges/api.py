"""Badges in the REST API."""

from datetime import date

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.pagination import paginate

from accounts.access import ADVANCED
from badges.models import Badge

router = Router(tags=["badges"], auth=ADVANCED)


class BadgeOut(Schema):
    """A badge; `stations` are those that name it, by identity."""

    id_tag: str
    type: str
    is_active: bool
    comment: str
    email: str
    expires_on: date | None
    priority: int | None
    is_good_everywhere: bool
    stations: list[str]

    @staticmethod
    def resolve_stations(badge: Badge) -> list[str]:
        """Name the stations."""
        return [station.identity for station in badge.stations.all()]


@router.get("/badges", response=list[BadgeOut])
@paginate
def badges(request: HttpRequest) -> QuerySet[Badge]:  # noqa: ARG001 (ninja's interface)
    """List the badges by number."""
    return Badge.objects.prefetch_related("stations").order_by("id_tag")
