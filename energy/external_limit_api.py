"""The limit from outside in the REST API: an energy manager or a grid operator gives, reads and lifts it."""

from datetime import datetime
from typing import Annotated, Self

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field, model_validator

from accounts.access import ADMINISTRATOR
from energy.external_limit import LONGEST_S, MOST_W, amperes_of, give_limit, lift_limit
from energy.models import ExternalLimit, Installation
from energy.supply_rules import FUSE_MAXIMUM_A

router = Router(tags=["energy"], auth=ADMINISTRATOR)


class LimitIn(Schema):
    """What all stations together may draw, A on each line or W in all; for how long, 900 s where nothing is said."""

    # A mistyped key must not leave a limit standing for another time than was meant.
    model_config = ConfigDict(extra="forbid", strict=True)

    limit_a: Annotated[float, Field(ge=0, le=FUSE_MAXIMUM_A)] | None = None
    limit_w: Annotated[float, Field(ge=0, le=MOST_W)] | None = None
    valid_for_s: Annotated[int, Field(ge=1, le=LONGEST_S)] = 900

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Refuse a limit that is none, or two."""
        if (self.limit_a is None) == (self.limit_w is None):
            raise ValueError("expected either limit_a (A on each line) or limit_w (W in all)")
        return self


class LimitOut(Schema):
    """The limit that was given last, and what holds now: `in_force_a` is null where nothing from outside does.

    `state` is none, valid or expired; after it has expired, `fallback_a` holds, or nothing where that is null.
    """

    state: str
    limit_a: float | None
    valid_until: datetime | None
    given_by: str
    given_at: datetime | None
    fallback_a: float | None
    in_force_a: float | None


@router.get("/installation/limit", response=LimitOut)
def read(request: HttpRequest) -> LimitOut:  # noqa: ARG001 (ninja's interface)
    """Give the limit from outside and what holds now."""
    return _out(ExternalLimit.get_solo())


@router.put("/installation/limit", response=LimitOut)
def give(request: HttpRequest, wanted: LimitIn) -> LimitOut:
    """Have a limit hold from now on, in place of the one before."""
    if wanted.limit_a is not None:
        limit_a = wanted.limit_a
    else:
        limit_a = amperes_of(wanted.limit_w or 0.0, Installation.get_solo())
    given_by = f"REST API, {request.user.get_username()}"
    return _out(give_limit(limit_a=limit_a, valid_for_s=wanted.valid_for_s, given_by=given_by))


@router.delete("/installation/limit", response=LimitOut)
def lift(request: HttpRequest) -> LimitOut:  # noqa: ARG001
    """Have no limit from outside hold any more."""
    return _out(lift_limit())


def _out(given: ExternalLimit) -> LimitOut:
    now = timezone.now()
    state = "valid" if given.is_valid_at(now) else "expired" if given.has_run_out(now) else "none"
    return LimitOut(
        state=state,
        limit_a=given.limit_a,
        valid_until=given.valid_until,
        given_by=given.given_by,
        given_at=given.given_at,
        fallback_a=given.kept_after_expiry_a,
        in_force_a=given.in_force_a(now),
    )
