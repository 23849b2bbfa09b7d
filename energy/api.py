"""The installation, its readings and what was allocated, in the REST API."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.pagination import paginate

from energy.models import Allocation, Installation, Meter, Reading, ReadingMean
from energy.reasons import explain
from stations.periods import Period

router = Router(tags=["energy"])


class MeterOut(Schema):
    """The building's meter; `failing_since` is null while it answers."""

    model: str
    is_present: bool
    last_error: str
    failing_since: datetime | None


class InstallationOut(Schema):
    """The building's supply and how it is shared; `usable_a` is what one line may carry."""

    name: str
    country: str
    time_zone: str
    mode: str
    phases: int
    is_configured: bool
    fuse_a: float | None
    derating_percent: float
    usable_a: float | None
    static_limit_a: float | None
    surplus: str
    fail_safe_a: float | None
    unbalance_a: float | None
    measurement: str
    ct_ratio_a: float | None
    meter: MeterOut

    @staticmethod
    def resolve_meter(installation: Installation) -> Meter:  # noqa: ARG004 (ninja's interface)
        """Give the only meter there is."""
        meter: Meter = Meter.get_solo()
        return meter


class ReadingOut(Schema):
    """One moment: what the grid gave, what charging took, what was left for charging; A on each line."""

    at: datetime
    state: str
    grid_l1_a: float | None
    grid_l2_a: float | None
    grid_l3_a: float | None
    charging_l1_a: float
    charging_l2_a: float
    charging_l3_a: float
    limit_l1_a: float
    limit_l2_a: float
    limit_l3_a: float


class ReadingMeanOut(Schema):
    """The mean of some readings: of `span_s` seconds, beginning at a moment; A on each line."""

    begins_at: datetime
    span_s: int
    readings: int
    grid_l1_a: float | None
    grid_l2_a: float | None
    grid_l3_a: float | None
    charging_l1_a: float
    charging_l2_a: float
    charging_l3_a: float
    limit_l1_a: float
    limit_l2_a: float
    limit_l3_a: float


class AllocationOut(Schema):
    """What a connector was told from one moment on, and why: as a code with its values, and as a sentence."""

    station: str
    connector: int
    decided_at: datetime
    limit_a: float
    reason: str
    reason_params: dict[str, Any]
    reason_text: str

    @staticmethod
    def resolve_station(allocation: Allocation) -> str:
        """Name the station by its identity."""
        return allocation.connector.station.identity

    @staticmethod
    def resolve_connector(allocation: Allocation) -> int:
        """Name the connector by its number."""
        return allocation.connector.number

    @staticmethod
    def resolve_reason_text(allocation: Allocation) -> str:
        """Say why, in the language of the request."""
        return explain(allocation.reason, allocation.reason_params)


class MeanFilter(Period):
    """Begun in a period, of one length: 60 or 900 s."""

    span_s: int | None = None


class AllocationFilter(Period):
    """Decided in a period, for one station, for one connector number."""

    station: str | None = None
    connector: int | None = None


@router.get("/installation", response=InstallationOut)
def installation(request: HttpRequest) -> Installation:  # noqa: ARG001 (ninja's interface)
    """Give the installation and its meter."""
    found: Installation = Installation.get_solo()
    return found


@router.get("/readings", response=list[ReadingOut])
@paginate
def readings(request: HttpRequest, wanted: Query[Period]) -> QuerySet[Reading]:  # noqa: ARG001
    """List the readings, the newest first: one for each turn of the loop, for a day where nothing else is set."""
    return wanted.within(Reading.objects.order_by("-at"), "at")


@router.get("/reading-means", response=list[ReadingMeanOut])
@paginate
def reading_means(request: HttpRequest, wanted: Query[MeanFilter]) -> QuerySet[ReadingMean]:  # noqa: ARG001
    """List the means of readings, the newest first."""
    found = wanted.within(ReadingMean.objects.order_by("-begins_at", "span_s"), "begins_at")
    return found if wanted.span_s is None else found.filter(span_s=wanted.span_s)


@router.get("/allocations", response=list[AllocationOut])
@paginate
def allocations(request: HttpRequest, wanted: Query[AllocationFilter]) -> QuerySet[Allocation]:  # noqa: ARG001
    """List what the connectors were told, the newest first, with the reason."""
    found = Allocation.objects.select_related("connector__station").order_by("-decided_at", "-pk")
    found = wanted.within(found, "decided_at")
    if wanted.station is not None:
        found = found.filter(connector__station__identity=wanted.station)
    if wanted.connector is not None:
        found = found.filter(connector__number=wanted.connector)
    return found
