"""Writes on transactions: each is done once, however often a station repeats itself."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from badges.authorisation import Decision
from badges.models import Reason
from stations.authorising import judge_start, judge_stop
from stations.cpo.outbox import current_link
from stations.cpo.telling import tell_of_loss, tell_of_start, tell_of_stop
from stations.metering import keep_samples
from stations.models import Connector, Station, Transaction
from stations.ocpp16.normalise import CLOCK_FLAG, METER_FLAG, Start, Stop
from stations.services import ask_to_decide, connector_of, note_idle
from stations.strays import keep_stray

LOST, MATCHED_FLAG = "Lost", "matched"


@transaction.atomic
def start_transaction(*, station_id: int, start: Start, raw: dict[str, Any]) -> tuple[Transaction, Decision]:
    """Begin a transaction once; returns it with what is answered to its badge.

    A repeated start finds the first, and the answer that it got. One on a connector whose last transaction never ended
    closes that as lost; one that happened earlier (kept by a station that was offline) is itself closed until its stop
    arrives.
    A refused badge begins one too: the energy may flow all the same. Where the station has an operator, that is told.
    """
    connector = Connector.objects.select_for_update().get(pk=connector_of(station_id, start.connector).pk)
    repeated = _same_start(connector, start, raw)
    decision, badge = judge_start(connector=connector, id_tag=start.id_tag, at=start.at, is_new=repeated is None)
    if repeated is not None:
        return repeated, _same_answer(repeated, decision)
    begun = Transaction(
        connector=connector,
        id_tag=start.id_tag,
        badge=badge,
        is_authorised=decision.is_accepted,
        meter_start_wh=start.meter_wh,
        started_at=start.at,
        flags=list(start.flags),
        raw_start=raw,
    )
    running = Transaction.objects.select_for_update().filter(connector=connector, stopped_at=None).first()
    if running is not None and running.started_at > start.at:
        begun.stopped_at, begun.meter_stop_wh, begun.stop_reason = running.started_at, start.meter_wh, LOST
    elif running is not None:
        close_transaction(running, at=start.at, meter_wh=start.meter_wh, reason=LOST)
        tell_of_loss(lost=running, is_stop_to_come=False)
    begun.save()
    link = current_link(connector.station)
    if link is not None:
        tell_of_start(link=link, begun=begun, start=start, raw=raw)
        if begun.stopped_at is not None:
            tell_of_loss(lost=begun, is_stop_to_come=True)
    if begun.stopped_at is None:
        lasting_a, standing_a = connector.lasting_limit_a, connector.station.standing_fail_safe_a
        held_a = standing_a if standing_a is None or lasting_a is None else lasting_a
        Connector.objects.filter(pk=connector.pk).update(accepted_limit_a=held_a, accepted_at=begun.recorded_at)
    ask_to_decide()
    return begun, decision


def _same_answer(begun: Transaction, decision: Decision) -> Decision:
    """Return a decision that agrees with what a transaction was told when it began."""
    if decision.is_accepted == begun.is_authorised:
        return decision
    return Decision(Reason.ACCEPTED if begun.is_authorised else Reason.UNKNOWN)


def _same_start(connector: Connector, start: Start, raw: dict[str, Any]) -> Transaction | None:
    """Find the transaction that this start already began; where its clock was wrong, by the time as it was sent."""
    same = Transaction.objects.filter(connector=connector, id_tag=start.id_tag, meter_start_wh=start.meter_wh)
    if CLOCK_FLAG not in start.flags:
        return same.filter(started_at=start.at).first()
    recent = same.filter(stopped_at=None)
    return next((t for t in recent if t.raw_start.get("timestamp") == raw.get("timestamp")), None)


def at_station(identity: str) -> Q:
    """Match the transactions of a station, also where it was deleted."""
    return Q(connector__station__identity=identity) | Q(connector=None, station_identity=identity)


def awaits_stop(*, station_id: int, transaction_id: int) -> bool:
    """Say whether a transaction of a station is still to be ended, or was counted as lost until its stop comes."""
    ours = Transaction.objects.filter(connector__station_id=station_id, pk=transaction_id)
    return ours.filter(Q(stopped_at=None) | Q(stop_reason=LOST)).exists()


@transaction.atomic
def stop_transaction(*, station_id: int, stop: Stop, raw: dict[str, Any]) -> Decision | None:
    """End a transaction once; returns what is answered to the badge that stopped it, None without one.

    A stop that names no transaction of ours ends the only one it can mean, or is kept as a stray message.
    """
    found = _meant_by(station_id, stop)
    if found is None:
        keep_stray(station_id, "StopTransaction", raw, f"no transaction {stop.transaction_id} at this station")
    else:
        if stop.transaction_id != found.pk:
            found.flags = [*found.flags, MATCHED_FLAG]
        was_lost = found.stop_reason == LOST
        if found.stopped_at is None or was_lost:
            found.raw_stop, found.stop_id_tag = raw, stop.id_tag
            found.flags = [*found.flags, *(flag for flag in stop.flags if flag not in found.flags)]
            close_transaction(found, at=stop.at, meter_wh=stop.meter_wh, reason=stop.reason)
            tell_of_stop(ended=found, stop=stop, was_lost=was_lost)
            if found.connector_id is not None:
                keep_samples((found.connector_id, found.pk, sample) for sample in stop.samples)
        elif raw != found.raw_stop:
            keep_stray(station_id, "StopTransaction", raw, f"transaction {found.pk} had ended already")
    ask_to_decide()
    return judge_stop(station_id=station_id, id_tag=stop.id_tag, at=stop.at) if stop.id_tag else None


def _meant_by(station_id: int, stop: Stop) -> Transaction | None:
    """Find the transaction a stop ends: by number, else the only open one that it can be."""
    ours = Transaction.objects.select_for_update(of=("self",)).filter(connector__station_id=station_id)
    numbered = ours.filter(pk=stop.transaction_id).select_related("connector").first() if stop.transaction_id else None
    if numbered is not None:
        return numbered
    if stop.transaction_id and (left_behind := _left_behind(station_id, stop.transaction_id)) is not None:
        return left_behind
    possible = ours.filter(stopped_at=None, started_at__lte=stop.at).select_related("connector")
    if stop.meter_wh is not None:
        possible = possible.filter(meter_start_wh__lte=stop.meter_wh)
    if stop.id_tag:
        same_badge = possible.filter(id_tag__iexact=stop.id_tag)
        possible = same_badge if same_badge else possible
    return possible[0] if len(possible) == 1 else None


def _left_behind(station_id: int, number: int) -> Transaction | None:
    """Find a transaction by number that this station had before it was deleted and came back."""
    identity = Station.objects.filter(pk=station_id).values("identity")
    kept = Transaction.objects.select_for_update(of=("self",)).filter(connector=None, station_identity__in=identity)
    return kept.filter(pk=number).first()


def close_transaction(ended: Transaction, *, at: datetime, meter_wh: int | None, reason: str) -> None:
    """Write the end of a transaction; what the meter cannot have counted is estimated from its samples and flagged."""
    if meter_wh is None or meter_wh < ended.meter_start_wh:
        highest = ended.meter_values.aggregate(highest=Max("energy_wh"))["highest"]
        meter_wh = max(ended.meter_start_wh, highest or 0)
        ended.flags = [*ended.flags, METER_FLAG] if METER_FLAG not in ended.flags else ended.flags
    if at < ended.started_at:
        at = ended.started_at
        ended.flags = [*ended.flags, CLOCK_FLAG] if CLOCK_FLAG not in ended.flags else ended.flags
    ended.stopped_at, ended.meter_stop_wh, ended.stop_reason = at, meter_wh, reason
    ended.save()
    is_last = not Transaction.objects.filter(connector=ended.connector, stopped_at=None).exists()
    if ended.connector is not None and is_last:
        note_idle(ended.connector)
