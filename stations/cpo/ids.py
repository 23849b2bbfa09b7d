"""Numbers of transactions: ours ↔ the operator's. They are exchanged when a message goes out, not before."""

from typing import Any

from stations.models import CpoTransaction

NEEDS_NUMBER = frozenset({"MeterValues", "StopTransaction"})


def needs_number(action: str, payload: dict[str, Any]) -> bool:
    """Say whether a message speaks of a transaction by the operator's number."""
    return action in NEEDS_NUMBER and "transactionId" in payload


def cpo_number(transaction_id: int | None) -> int | None:
    """Return the operator's number of a transaction of ours; None: it has not said one."""
    numbered = CpoTransaction.objects.filter(transaction=transaction_id)
    return numbered.values_list("cpo_id", flat=True).first()


def own_number(link_id: int, cpo_id: Any) -> int | None:
    """Return our number of the transaction an operator means; of several with one number the last.

    None: it is none of this link's.
    """
    if isinstance(cpo_id, bool) or not isinstance(cpo_id, int) or abs(cpo_id) >= 2**31:
        return None
    meant = CpoTransaction.objects.filter(link=link_id, cpo_id=cpo_id).order_by("-transaction")
    return meant.values_list("transaction_id", flat=True).first()
