"""Which transaction a Supervisor's badge is to end, where several run: answered on a page."""

from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from stations.commanding import request_command
from stations.models import Command, StopRequest, Transaction

SHOWN_FOR = timedelta(days=7)


def recent_stop_requests() -> QuerySet[StopRequest]:
    """Return what Supervisors ended or wished to end, the newest first."""
    recent = StopRequest.objects.filter(asked_at__gt=timezone.now() - SHOWN_FOR)
    return recent.select_related("station", "badge", "transaction__connector__station")


@transaction.atomic
def answer_stop_request(*, request_id: int, transaction_id: int, user: User) -> Command | None:
    """End the chosen transaction; None where nobody asks any more, or it does not run at that station."""
    asked = StopRequest.objects.select_for_update(of=("self",)).select_related("station")
    wish = asked.filter(pk=request_id, open_until__gt=timezone.now()).first()
    if wish is None:
        return None
    running = Transaction.objects.filter(connector__station=wish.station, stopped_at=None, pk=transaction_id).first()
    if running is None:
        return None
    wish.transaction, wish.open_until = running, None
    wish.save(update_fields=["transaction", "open_until"])
    payload = {"transactionId": running.pk}
    return request_command(station=wish.station, action="RemoteStopTransaction", payload=payload, user=user)
