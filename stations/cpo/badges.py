"""Badges where an operator decides: what it said last, for when it cannot be asked."""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from stations.cpo.policy import ACCEPTED, LONGEST_TAG, decide_alone, expiry_of
from stations.models import CpoIdTag, CpoLink, CpoTransaction

Payload = dict[str, Any]


def said_alone(*, link_id: int, id_tag: str) -> Payload:
    """Decide on a badge without the operator."""
    link = CpoLink.objects.select_related("server").get(pk=link_id)
    return decide_without(link, id_tag)


def decide_without(link: CpoLink, id_tag: str) -> Payload:
    """Return the IdTagInfo of a badge as the policy of the operator's server and what it said before have it."""
    now = timezone.now()
    still_counts = Q(expires_at=None) | Q(expires_at__gt=now)
    known = CpoIdTag.objects.filter(still_counts, server=link.server_id, id_tag=id_tag.upper()[:LONGEST_TAG])
    return decide_alone(
        link.server.offline_policy,
        id_tag=id_tag,
        listed=link.known_tags.get(id_tag.upper()),
        is_cached=known.exists(),
        now=now,
    )


def remember_tag(*, server_id: int, id_tag: str, info: Payload) -> None:
    """Keep what an operator says of a badge: only what it accepts counts later, so no one can fill the table."""
    tags = CpoIdTag.objects.filter(server=server_id, id_tag=id_tag.upper())
    if info["status"] == ACCEPTED:
        defaults = {"expires_at": expiry_of(info)}
        CpoIdTag.objects.update_or_create(server_id=server_id, id_tag=id_tag.upper(), defaults=defaults)
    elif info["status"] != "ConcurrentTx":
        tags.delete()


def forget_tags(*, server_id: int) -> None:
    """Forget what an operator has said of badges (ClearCache)."""
    CpoIdTag.objects.filter(server=server_id).delete()


def said_of_start(*, transaction_id: int) -> Payload | None:
    """Return what the operator said of a transaction's badge; None while that is still to come.

    One that it is not told of is none of its business: it is accepted or not by what was stored.
    """
    told = CpoTransaction.objects.filter(transaction=transaction_id).first()
    if told is not None and not told.status:
        return None
    return {"status": told.status} if told is not None else {}
