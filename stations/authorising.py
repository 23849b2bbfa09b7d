"""What a badge may do at a station: one way for all who ask, and what follows from a badge that is held to a reader.

`badges.authorisation` decides; this gathers what it decides on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from badges.authorisation import Decision, badge_settings, decide, find_badge
from badges.models import AccessRule, Badge, BadgeType, Reason
from badges.refusals import keep_refusal
from badges.scanning import note_scanned, scans_at, was_scanned
from stations.cpo.badges import decide_without
from stations.cpo.outbox import current_link
from stations.models import Command, Connector, ConnectorStatus, Station, StopRequest, Transaction

OUT_OF_USE = frozenset({ConnectorStatus.UNAVAILABLE, ConnectorStatus.FAULTED})
ASKED_FOR = timedelta(minutes=10)
REASON_OF = {
    "Accepted": Reason.ACCEPTED,
    "Invalid": Reason.UNKNOWN,
    "Expired": Reason.EXPIRED,
    "Blocked": Reason.INACTIVE,
    "ConcurrentTx": Reason.IN_USE,
}
"""What an operator says of a badge, in our words."""


@dataclass(frozen=True, slots=True)
class Presented:
    """The answer to a badge at a reader, and the transactions (primary keys) that it ends."""

    decision: Decision
    to_stop: Sequence[int] = field(default=())


class Running(NamedTuple):
    """A transaction that runs."""

    pk: int
    connector_id: int
    id_tag: str


@transaction.atomic
def present_badge(*, station_id: int, id_tag: str) -> Presented:
    """Answer a badge that is held to a station's reader (Authorize, OCPP 1.6 §4.1).

    One that charges here comes to end that, and may. Else, while badges are scanned here, it is collected and refused.
    A Supervisor's, where no connector is free, ends what runs: one alone at once, of several it is asked which.
    """
    station, badge = _station(station_id), find_badge(id_tag)
    said = _said_by_operator(station, id_tag)
    if said is not None:
        return Presented(said)
    scans = scans_at(station_id)
    is_supervisor = badge is not None and badge.type == BadgeType.SUPERVISOR
    here = _running_at(station_id) if scans or is_supervisor else []
    is_own = _has(here, id_tag)
    if scans and not is_own:
        note_scanned(scans=scans, id_tag=id_tag, station=str(station))
        return Presented(Decision(Reason.SCANNED))
    if badge is not None and here and not is_own and _may_stop_here(badge, station, here):
        return Presented(Decision(Reason.ACCEPTED), _ask_to_stop(station, badge, here))
    now, elsewhere = timezone.now(), Transaction.objects.exclude(connector__station=station_id)
    decision = _judge(badge, station, at=now, others=elsewhere)
    if decision.reason == Reason.IN_USE and _has(_running_at(station_id), id_tag):
        decision = _judge(badge, station, at=now, others=Transaction.objects.none())
    return Presented(_noted(decision, station, id_tag))


def judge_start(*, connector: Connector, id_tag: str, at: datetime, is_new: bool) -> tuple[Decision, Badge | None]:
    """Decide whether a transaction that begins at `at` may; `is_new`: nobody was told yet, so a refusal is kept.

    One that a station kept while it was offline is judged by its own day. While badges are scanned, one whose station
    did not ask first (`LocalPreAuthorize`, a badge that is set in the station) is collected and refused as at a reader.
    """
    station, badge = _station(connector.station_id), find_badge(id_tag)
    said = _said_by_operator(station, id_tag)
    if said is not None:
        return said, badge
    is_scanned = was_scanned(station_id=station.pk, id_tag=id_tag, at=at)
    scans = scans_at(station.pk, begun_by=at) if is_new and not is_scanned else []
    if scans and not _was_told_to_start(station, id_tag):
        note_scanned(scans=scans, id_tag=id_tag, station=str(station))
        is_scanned = True
    if is_scanned:
        decision = Decision(Reason.SCANNED)
    else:
        others = Transaction.objects.exclude(connector=connector)
        decision = _judge(badge, station, at=at, others=others, is_start=True)
    return (_noted(decision, station, id_tag) if is_new else decision), badge


def judge_stop(*, station_id: int, id_tag: str, at: datetime) -> Decision:
    """Decide what is answered to the badge that ended a transaction: it has ended, whatever the answer."""
    station = _station(station_id)
    said = _said_by_operator(station, id_tag)
    return said or _judge(find_badge(id_tag), station, at=at, others=Transaction.objects.none())


def judge_remote_start(*, station_id: int, id_tag: str) -> Decision:
    """Decide whether a badge that is named in a command may start to charge."""
    station = _station(station_id)
    said = _said_by_operator(station, id_tag)
    return said or _judge(find_badge(id_tag), station, at=timezone.now(), others=Transaction.objects.all())


def _said_by_operator(station: Station, id_tag: str) -> Decision | None:
    """Return what a station's operator said of a badge before, or its policy (SPEC S20); None: it has no operator."""
    link = current_link(station)
    if link is None:
        return None
    info = decide_without(link, id_tag)
    return Decision(REASON_OF[info["status"]], info.get("expiryDate", ""))


def _was_told_to_start(station: Station, id_tag: str) -> bool:
    """Say whether a command of late told a station to charge with this badge."""
    told = Command.objects.filter(station=station, created_at__gt=timezone.now() - ASKED_FOR)
    return told.filter(action="RemoteStartTransaction", payload__idTag__iexact=id_tag).exists()


def _running_at(station_id: int) -> list[Running]:
    found = Transaction.objects.filter(connector__station=station_id, stopped_at=None)
    return [Running(*row) for row in found.values_list("pk", "connector_id", "id_tag")]


def _has(running: Iterable[Running], id_tag: str) -> bool:
    return any(one.id_tag.upper() == id_tag.upper() for one in running)


def _judge(
    badge: Badge | None, station: Station, *, at: datetime, others: QuerySet[Transaction], is_start: bool = False
) -> Decision:
    """Decide; `others` are the transactions that would make a second use of the badge.

    `is_start`: a transaction begins by this. Where a badge may charge one car, one start waits for the other.
    """
    settings = badge_settings()
    if is_start and badge is not None and not settings.allows_concurrent_use:
        Badge.objects.select_for_update(no_key=True).filter(pk=badge.pk).first()
    return decide(
        badge,
        rule=settings.access_rule,
        is_allowed_here=badge is not None and _agree(station, badge),
        at=at,
        zone=timezone.get_current_timezone(),
        is_in_use=badge is not None and not settings.allows_concurrent_use and _charges_in(badge, others),
    )


def _charges_in(badge: Badge, others: QuerySet[Transaction]) -> bool:
    """Say whether a badge charges in one of these; what a station that is away still does is not known."""
    running = others.filter(badge=badge, stopped_at=None, is_authorised=True)
    return running.exclude(connector__station__socket_id="").exists()


def _station(station_id: int) -> Station:
    of_operator = ("is_cpo_enabled", "cpo_server_id", "cpo_identity", "state")
    return Station.objects.only("name", "identity", "takes_all_badges", *of_operator).get(pk=station_id)


def _agree(station: Station, badge: Badge) -> bool:
    """Say whether station and badge take each other (SPEC S18): each takes all, or names the other."""
    if station.takes_all_badges and badge.is_good_everywhere:
        return True
    return station.badges.filter(pk=badge.pk).exists()


def _noted(decision: Decision, station: Station, id_tag: str) -> Decision:
    """Keep a refusal."""
    if not decision.is_accepted:
        keep_refusal(id_tag=id_tag, station=str(station), reason=decision.reason)
    return decision


def _may_stop_here(badge: Badge, station: Station, running: Sequence[Running]) -> bool:
    """Say whether a badge is a Supervisor's that is good here, and can mean no charging of its own.

    Never by a parentIdTag: a station compares it by itself, and every badge with it could end the others' charging.
    """
    if badge.type != BadgeType.SUPERVISOR:
        return False
    taken = {one.connector_id for one in running}
    free = Connector.objects.filter(station=station).exclude(pk__in=taken).exclude(status__in=OUT_OF_USE)
    if free.exists():
        return False
    at, zone = timezone.now(), timezone.get_current_timezone()
    return decide(badge, rule=AccessRule.BADGE, is_allowed_here=_agree(station, badge), at=at, zone=zone).is_accepted


def _ask_to_stop(station: Station, badge: Badge, running: Sequence[Running]) -> list[int]:
    """Keep a Supervisor's wish; returns what it ends at once."""
    now = timezone.now()
    wish = StopRequest(station=station, badge=badge, id_tag=badge.id_tag, asked_at=now)
    if len(running) == 1:
        wish.transaction_id = running[0].pk
        wish.save()
        return [running[0].pk]
    again = StopRequest.objects.filter(station=station, badge=badge, open_until__gt=now)
    if not again.update(asked_at=now, open_until=now + ASKED_FOR):
        wish.open_until = now + ASKED_FOR
        wish.save()
    return []
