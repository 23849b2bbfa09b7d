"""A stretch of time, as the lists of the REST API are asked for it."""

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from django.db.models import Model, QuerySet
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, Field

M = TypeVar("M", bound=Model)


def _in_utc(at: datetime) -> datetime:
    """Convert to UTC; raises ValueError for what lies before the first year or behind the last."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time within the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Period(Schema):
    """At or after `from`, and before `to`."""

    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None

    def within(self, rows: QuerySet[M], column: str) -> QuerySet[M]:
        """Narrow rows down to those whose time, in `column`, lies in it."""
        if self.since is not None:
            rows = rows.filter(**{f"{column}__gte": self.since})
        if self.until is not None:
            rows = rows.filter(**{f"{column}__lt": self.until})
        return rows
