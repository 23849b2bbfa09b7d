"""What operators must be told: a queue in the database for each link, sent in the order in which it happened.

A row is there in the same commit as what it tells of, and goes in the same commit as what its answer says. What is
between the two is sent again: the answer was lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import orjson
from django.db import connection, transaction
from django.db.models import F, Min, Q
from django.utils import timezone

from stations.cpo.badges import remember_tag
from stations.cpo.ids import cpo_number, needs_number
from stations.cpo.policy import MOST_LOSSES, backoff_s, is_set_aside, read_tag_info
from stations.editions import has_operators
from stations.models import CpoLink, CpoMessage, CpoTransaction, Station, StationState, Transaction
from stations.ocpp16.normalise import text
from stations.statements import insert

MOST_WAITING = 20_000
NO_ANSWER = "no answer: "
WAITS_FOR_START = "waits for the StartTransaction of its transaction, which was set aside"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is to be sent now; `tries` numbers it, so that no id is used twice on one connection."""

    pk: int
    action: str
    payload: dict[str, Any]
    transaction_id: int | None
    tries: int

    @property
    def message_id(self) -> str:
        """The same as long as it says the same and has no answer: the operator can know it again (OCPP-J 1.6 §4.1.4).

        One that says something else since (`take_back`) must not be taken for what the operator may have heard.
        """
        return f"m{self.pk}-{self.tries}-{crc32(orjson.dumps(self.payload)):08x}"


# --- into the queue


def current_link(station: Station) -> CpoLink | None:
    """Return the link that a station's next transaction belongs to, making it where it is new; None: no operator."""
    if not station.is_cpo_enabled or station.cpo_server_id is None or station.state != StationState.CONFIGURED:
        return None
    if not has_operators():
        return None
    identity = station.cpo_identity or station.identity
    link, _is_new = CpoLink.objects.get_or_create(
        station_id=station.pk, server_id=station.cpo_server_id, identity=identity
    )
    return link


def link_of(transaction_id: int) -> int | None:
    """Return the link (primary key) that a transaction began with; None: it began without an operator."""
    return CpoTransaction.objects.filter(transaction=transaction_id).values_list("link_id", flat=True).first()


def enqueue(
    *,
    link_id: int,
    action: str,
    payload: dict[str, Any],
    transaction_id: int | None,
    held_until: datetime | None = None,
) -> int:
    """Let an operator be told; returns the message (primary key).

    One that is held is not sent before its time, and lets the others pass until then.
    """
    message = CpoMessage.objects.create(
        link_id=link_id,
        action=action,
        payload=orjson.dumps(payload).decode(),
        transaction_id=transaction_id,
        queued_at=timezone.now(),
        set_aside_at=_waits_behind(transaction_id),
        next_try_at=held_until,
    )
    return int(message.pk)


def take_back(*, transaction_id: int, payload: dict[str, Any]) -> bool:
    """Take back what was supposed of a transaction's end; True where the operator heard nothing of it, nor will.

    One that is held goes. One that may be on its way says from now on what the station says, under another id.
    """
    supposed = CpoMessage.objects.filter(transaction=transaction_id, action="StopTransaction")
    if supposed.filter(_held()).delete()[0]:
        return True
    supposed.update(payload=orjson.dumps(payload).decode())
    return False


def _held() -> Q:
    """Match the messages that are not to be sent yet though nobody has refused them."""
    return Q(refusals=0, next_try_at__gt=timezone.now())


def _waits_behind(transaction_id: int | None) -> datetime | None:
    """Return when the start of a transaction was set aside: what belongs to it is set aside with it."""
    if transaction_id is None:
        return None
    aside = CpoMessage.objects.filter(transaction=transaction_id, action="StartTransaction")
    return aside.values_list("set_aside_at", flat=True).first()


def enqueue_many(rows: Iterable[tuple[int, str, dict[str, Any], int | None]]) -> None:
    """Let operators be told much, in one statement: link, action, payload, transaction."""
    queued_at: Any = connection.ops.adapt_datetimefield_value(timezone.now())
    columns = ("link_id", "action", "payload", "transaction_id", "queued_at", "refusals", "losses", "error")
    insert(
        CpoMessage,
        columns,
        [
            (link_id, action, orjson.dumps(payload).decode(), transaction_id, queued_at, 0, 0, "")
            for link_id, action, payload, transaction_id in rows
        ],
    )


# --- out of the queue


def next_message(*, link_id: int, web_id: str) -> tuple[Outgoing | None, datetime | None]:
    """Return what is to be sent now, or when there will be something.

    Both None: nothing waits, or another process has taken the link over.
    The oldest message holds up the others until it has its answer or is set aside; one that is held lets them pass.
    """
    waiting = CpoMessage.objects.filter(link=link_id, link__web_id=web_id, set_aside_at=None)
    while (row := waiting.exclude(_held()).order_by("pk").first()) is not None:
        if row.next_try_at is not None and row.next_try_at > timezone.now():
            return None, row.next_try_at
        payload = orjson.loads(row.payload)
        if needs_number(row.action, payload):
            number = cpo_number(row.transaction_id)
            if number is None:
                behind = CpoMessage.objects.filter(link=link_id, transaction=row.transaction_id, set_aside_at=None)
                behind.update(set_aside_at=timezone.now(), error=WAITS_FOR_START)
                continue
            payload["transactionId"] = number
        return Outgoing(row.pk, row.action, payload, row.transaction_id, row.refusals), None
    return None, None


@transaction.atomic
def settle_message(*, message_id: int, answer: dict[str, Any]) -> bool:
    """Take a message off the queue with what its answer says; False where it makes no sense, which is a refusal."""
    rows = CpoMessage.objects.select_for_update(of=("self",)).select_related("link")
    row = rows.filter(pk=message_id).first()
    if row is None:
        return True
    info = read_tag_info(answer.get("idTagInfo"))
    if row.action == "StartTransaction" and row.transaction_id is not None:
        number = answer.get("transactionId")
        if isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 2**31 or info is None:
            note_refusal(message_id=message_id, code="", why=f"an answer without sense: {str(answer)[:200]}")
            return False
        CpoTransaction.objects.filter(transaction=row.transaction_id).update(cpo_id=number, status=info["status"])
        is_authorised = info["status"] == "Accepted"
        Transaction.objects.filter(cpo__transaction=row.transaction_id).update(is_authorised=is_authorised)
    id_tag = orjson.loads(row.payload).get("idTag") if info is not None else None
    if info is not None and id_tag is not None:
        remember_tag(server_id=row.link.server_id, id_tag=id_tag, info=info)
    row.delete()
    return True


@transaction.atomic
def note_refusal(*, message_id: int, code: str, why: str) -> None:
    """Note that the operator refused a message; it is tried again later, or set aside in the end."""
    row = CpoMessage.objects.select_for_update(of=("self",)).filter(pk=message_id).first()
    if row is None:
        return
    row.refusals += 1
    row.error = text(f"{code}: {why}" if code else why, 300)
    if is_set_aside(refusals=row.refusals, losses=0, code=code):
        _set_aside(row, row.error)
        return
    row.next_try_at = timezone.now() + timedelta(seconds=backoff_s(row.refusals))
    row.save(update_fields=["refusals", "error", "next_try_at"])


@transaction.atomic
def note_loss(*, message_id: int, why: str) -> None:
    """Note that a message was sent and not answered; it is sent again with the same id."""
    row = CpoMessage.objects.select_for_update(of=("self",)).filter(pk=message_id).first()
    if row is None:
        return
    row.losses += 1
    row.error = text(why, 300)
    row.save(update_fields=["losses", "error"])
    if row.losses >= MOST_LOSSES:
        _set_aside(row, row.error)


def _set_aside(row: CpoMessage, why: str) -> None:
    """Let the others pass; with a start goes all that needs its number."""
    now = timezone.now()
    row.set_aside_at, row.error = now, why[:300]
    row.save(update_fields=["set_aside_at", "error", "refusals", "losses"])
    if row.action == "StartTransaction":
        behind = CpoMessage.objects.filter(link=row.link_id, transaction=row.transaction_id, set_aside_at=None)
        behind.update(set_aside_at=now, error=WAITS_FOR_START)


@transaction.atomic
def retry(*, message_ids: list[int]) -> int:
    """Put messages that were set aside back in their place, with the rest of their transactions; returns how many."""
    chosen = CpoMessage.objects.filter(pk__in=message_ids)
    of_same = Q(transaction__in=chosen.exclude(transaction=None).values("transaction"))
    aside = CpoMessage.objects.filter(Q(pk__in=message_ids) | of_same, set_aside_at__isnull=False)
    return aside.update(set_aside_at=None, next_try_at=None, refusals=0, losses=0, error="")


def thin_out(*, link_id: int) -> int:
    """Drop every second of the waiting MeterValues of a link that has too many messages; returns how many.

    Starts and stops are never dropped, nor are the first and the last values that a transaction has.
    """
    waiting = CpoMessage.objects.filter(link=link_id)
    if waiting.count() <= MOST_WAITING:
        return 0
    values = waiting.filter(action="MeterValues").order_by("transaction", "pk").values_list("pk", "transaction")
    by_transaction: dict[int | None, list[int]] = {}
    for pk, transaction_id in values:
        by_transaction.setdefault(transaction_id, []).append(pk)
    dropped = [pk for pks in by_transaction.values() for pk in pks[1:-1:2]]
    for begin in range(0, len(dropped), 500):
        CpoMessage.objects.filter(pk__in=dropped[begin : begin + 500]).delete()
    return len(dropped)


@dataclass(frozen=True, slots=True)
class Queue:
    """How much waits for an operator, since when, and how much was set aside."""

    waiting: int
    oldest_at: datetime | None
    is_refused: bool
    set_aside: int


def queue_of(link_id: int) -> Queue:
    """Count what waits."""
    rows = CpoMessage.objects.filter(link=link_id)
    waiting = rows.filter(set_aside_at=None)
    found = waiting.aggregate(oldest=Min("queued_at"))
    return Queue(
        waiting=waiting.count(),
        oldest_at=found["oldest"],
        is_refused=waiting.filter(refusals__gt=0).exists(),
        set_aside=rows.exclude(set_aside_at=None).count(),
    )


def still_needed() -> Q:
    """Match the links that are spoken for: those in force, and those with something left to tell."""
    in_service = Q(station__is_cpo_enabled=True, station__state=StationState.CONFIGURED)
    in_force = (
        in_service
        & Q(station__cpo_server=F("server"))
        & (Q(station__cpo_identity=F("identity")) | Q(station__cpo_identity="", station__identity=F("identity")))
    )
    runs = CpoTransaction.objects.filter(transaction__stopped_at=None).values("link")
    waits = CpoMessage.objects.filter(set_aside_at=None).values("link")
    return in_force | Q(pk__in=runs) | Q(pk__in=waits)
