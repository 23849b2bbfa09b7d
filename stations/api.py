"""Stations, connectors, transactions and commands in the REST API."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, unquote

from django.db.models import QuerySet
from django.db.models.functions import Upper
from django.http import Http404, HttpRequest
from django.urls import register_converter
from ninja import Query, Router, Schema, Status
from ninja.pagination import paginate
from pydantic import ConfigDict, Field

from accounts.access import ADMINISTRATOR, ADVANCED
from accounts.models import User
from stations.commanding import perform_command
from stations.errors import CommandUnfit
from stations.local_lists import progress_of
from stations.models import Command, CommandState, Connector, LocalList, SecurityEvent, Station, Transaction
from stations.ocpp16.normalise import integer
from stations.ocpp16.operations import OPERATIONS
from stations.periods import Period
from stations.transactions import at_station

router = Router()

ANSWER_WITHIN_S = 35.0  # a little more than a socket waits for its station
STATUS_OF_OUTCOME = {CommandState.REFUSED: 502, CommandState.TIMED_OUT: 504, CommandState.NOT_CONNECTED: 409}


class IdentityConverter:
    """An identity as one segment of a path, percent-encoded: `garage%2FCP1`."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Decode it; raises ValueError, which is 404, for what no identity can be."""
        identity = unquote(value)
        if not identity.isprintable():
            raise ValueError(f"expected printable characters, came {identity!r}")
        return identity

    def to_url(self, value: str) -> str:
        """Encode it."""
        return quote(value, safe="")


register_converter(IdentityConverter, "identity")


class ConnectorOut(Schema):
    """A connector; currents are those of the station's own phases, its phase rotation says on which line each is."""

    station: str
    number: int
    status: str
    error_code: str
    status_at: datetime | None
    current_l1_a: float | None
    current_l2_a: float | None
    current_l3_a: float | None
    power_w: float | None
    energy_wh: int | None
    measured_at: datetime | None
    accepted_limit_a: float | None
    accepted_at: datetime | None
    refusal: str

    @staticmethod
    def resolve_station(connector: Connector) -> str:
        """Name the station by its identity."""
        return connector.station.identity


class LocalListOut(Schema):
    """The badges that a station knows by itself; `badges` and `since` null: not known."""

    is_supported: bool
    version: int
    badges: int | None
    since: datetime | None
    left_out: int
    is_current: bool
    error: str

    @staticmethod
    def resolve_badges(kept: LocalList) -> int | None:
        """Count those it holds."""
        return kept.held.size if kept.held else None

    @staticmethod
    def resolve_since(kept: LocalList) -> datetime | None:
        """Give when it came to hold them."""
        return kept.held_at if kept.held else None

    @staticmethod
    def resolve_is_current(kept: LocalList) -> bool:
        """Say whether it holds the list it is to hold."""
        return not progress_of(kept).is_behind


class ProgressOut(Schema):
    """How far a station has come with a firmware update or an upload, in its own word."""

    kind: str
    status: str
    at: datetime


class StationOut(Schema):
    """A station with its connectors."""

    identity: str
    name: str
    state: str
    is_connected: bool
    connected_at: datetime | None
    last_seen_at: datetime | None
    phase_rotation: str
    min_current_a: float
    max_current_a: float
    fail_safe_a: float | None
    circuit: str | None
    priority: int
    security_profile: int
    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    mac_address: str
    ip_address: str | None
    local_list: LocalListOut | None
    connectors: list[ConnectorOut]
    progress: list[ProgressOut]

    @staticmethod
    def resolve_circuit(station: Station) -> str | None:
        """Name the circuit."""
        return station.circuit.name if station.circuit else None

    @staticmethod
    def resolve_local_list(station: Station) -> LocalList | None:
        """Give how far its local list is; null where it keeps none."""
        return getattr(getattr(station, "preconfiguration", None), "local_list", None)


class TransactionOut(Schema):
    """A charging operation; what is not known yet is null."""

    id: int
    station: str
    connector: int
    id_tag: str
    badge_comment: str | None
    is_authorised: bool
    started_at: datetime
    stopped_at: datetime | None
    meter_start_wh: int
    meter_stop_wh: int | None
    energy_wh: int | None
    stop_reason: str
    stop_id_tag: str
    reservation_id: int | None
    flags: list[str]

    @staticmethod
    def resolve_station(transaction: Transaction) -> str:
        """Name the station by its identity."""
        return transaction.charged_at.identity

    @staticmethod
    def resolve_connector(transaction: Transaction) -> int:
        """Name the connector by its number."""
        return transaction.charged_at.connector

    @staticmethod
    def resolve_reservation_id(transaction: Transaction) -> int | None:
        """Give the reservation it used, as the station named it."""
        return integer(transaction.raw_start.get("reservationId"))

    @staticmethod
    def resolve_badge_comment(transaction: Transaction) -> str | None:
        """Give what is written about the badge."""
        return transaction.badge.comment if transaction.badge else None


class TransactionFilter(Period):
    """Begun in a period, at one station, with one badge."""

    station: str | None = None
    badge: str | None = None


class SecurityEventFilter(Period):
    """Of a period, of one station, of one type."""

    station: str | None = None
    type: str | None = None


class SecurityEventOut(Schema):
    """What a station reported of its security; `at` is its own time, where that is believable."""

    id: int
    station: str
    type: str
    at: datetime
    tech_info: str
    received_at: datetime

    @staticmethod
    def resolve_station(event: SecurityEvent) -> str:
        """Name the station by its identity."""
        return event.station.identity


class CommandIn(Schema):
    """An operation of OCPP 1.6 and its payload."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, Field(json_schema_extra={"enum": sorted(OPERATIONS)}, examples=["GetConfiguration"])]
    payload: Annotated[dict[str, Any], Field(default_factory=dict, examples=[OPERATIONS["GetConfiguration"]])]
    timeout_s: Annotated[float, Field(gt=0, le=ANSWER_WITHIN_S)] = ANSWER_WITHIN_S


class CommandOut(Schema):
    """A command and what came of it; secrets are blanked."""

    id: int
    action: str
    payload: dict[str, Any]
    status: str
    answer: dict[str, Any] | None
    error_code: str
    error_text: str
    requested_by: str | None
    created_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None

    @staticmethod
    def resolve_status(command: Command) -> str:
        """Give how far it has come."""
        return command.state

    @staticmethod
    def resolve_requested_by(command: Command) -> str | None:
        """Name the user."""
        return command.requester or None


class FailedCommandOut(CommandOut):
    """A command that the station did not answer, or answered with an error."""

    message: str

    @staticmethod
    def resolve_message(command: Command) -> str:
        """Say what went wrong."""
        return f"{command.error_code}: {command.error_text}" if command.error_code else command.error_text


class Problem(Schema):
    """What is wrong, and what to do."""

    message: str


def _not_found(identity: str) -> Http404:
    return Http404(f"there is no station {identity!r}")


def _stations() -> QuerySet[Station]:
    kept = "preconfiguration__local_list__held"
    found = Station.objects.select_related("circuit", kept).prefetch_related("connectors__station", "progress")
    return found.defer(f"{kept}__entries", "preconfiguration__reported", "preconfiguration__tried")


@router.get("/stations", response=list[StationOut], tags=["stations"])
def stations(request: HttpRequest) -> QuerySet[Station]:  # noqa: ARG001 (ninja's interface)
    """List the stations by identity."""
    return _stations().order_by("identity")


@router.get("/stations/{identity:identity}", response={200: StationOut, 404: Problem}, tags=["stations"])
def station(request: HttpRequest, identity: str) -> Station:  # noqa: ARG001
    """Give one station."""
    found = _stations().filter(identity=identity).first()
    if found is None:
        raise _not_found(identity)
    return found


@router.get("/connectors", response=list[ConnectorOut], tags=["stations"])
def connectors(request: HttpRequest, station: str | None = None) -> QuerySet[Connector]:  # noqa: ARG001
    """List the connectors, of all stations or of one."""
    found = Connector.objects.select_related("station").order_by("station__identity", "number")
    return found if station is None else found.filter(station__identity=station)


@router.get("/transactions", response=list[TransactionOut], auth=ADVANCED, tags=["transactions"])
@paginate
def transactions(request: HttpRequest, wanted: Query[TransactionFilter]) -> QuerySet[Transaction]:  # noqa: ARG001
    """List the transactions, the newest first."""
    found = Transaction.objects.select_related("connector__station", "badge").order_by("-started_at", "-pk")
    found = wanted.within(found, "started_at")
    if wanted.station is not None:
        found = found.filter(at_station(wanted.station))
    if wanted.badge is not None:
        found = found.alias(number=Upper("id_tag")).filter(number=wanted.badge.upper())
    return found


@router.get(
    "/transactions/{int:number}", response={200: TransactionOut, 404: Problem}, auth=ADVANCED, tags=["transactions"]
)
def transaction(request: HttpRequest, number: int) -> Transaction:  # noqa: ARG001
    """Give one transaction."""
    found = Transaction.objects.select_related("connector__station", "badge").filter(pk=number).first()
    if found is None:
        raise Http404(f"there is no transaction {number}")
    return found


@router.get("/security-events", response=list[SecurityEventOut], auth=ADMINISTRATOR, tags=["security"])
@paginate
def security_events(request: HttpRequest, wanted: Query[SecurityEventFilter]) -> QuerySet[SecurityEvent]:  # noqa: ARG001
    """List what stations report of their security, the newest first."""
    found = SecurityEvent.objects.select_related("station").order_by("-at", "-pk")
    found = wanted.within(found, "at")
    if wanted.station is not None:
        found = found.filter(station__identity=wanted.station)
    if wanted.type is not None:
        found = found.filter(type=wanted.type)
    return found


@router.get("/stations/{identity:identity}/commands", response=list[CommandOut], auth=ADMINISTRATOR, tags=["commands"])
@paginate
def commands(request: HttpRequest, identity: str) -> QuerySet[Command]:  # noqa: ARG001
    """List what was asked of a station, the newest first."""
    return Command.objects.filter(station__identity=identity).order_by("-pk")


@router.post(
    "/stations/{identity:identity}/commands",
    response={
        200: CommandOut,
        404: Problem,
        409: FailedCommandOut,
        422: Problem,
        502: FailedCommandOut,
        504: FailedCommandOut,
    },
    auth=ADMINISTRATOR,
    tags=["commands"],
)
async def send_command(request: HttpRequest, identity: str, wanted: CommandIn) -> Status[Any]:
    """Ask a station to do something and wait for its answer.

    200: it answered, `status` says whether with yes (accepted) or no (rejected). 409: it is not connected. 422: the
    operation or its payload does not exist in OCPP 1.6. 502: it answered with an error. 504: it did not answer in time.
    """
    found = await Station.objects.filter(identity=identity).afirst()
    if found is None:
        raise _not_found(identity)
    user = request.user if isinstance(request.user, User) else None
    try:
        command = await perform_command(
            station=found, action=wanted.action, payload=wanted.payload, user=user, timeout_s=wanted.timeout_s
        )
    except CommandUnfit as error:
        return Status(422, {"message": str(error)})
    return Status(STATUS_OF_OUTCOME.get(CommandState(command.state), 200), command)
