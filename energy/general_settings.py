"""Keep the general settings: the installation and its meter, both or neither."""

from django.db import transaction

from energy.models import Installation, Meter
from stations.services import ask_to_decide

SUPPLY = (
    "name",
    "country",
    "time_zone",
    "mode",
    "phases",
    "fuse_a",
    "derating_percent",
    "static_limit_a",
    "surplus",
    "fail_safe_a",
    "unbalance_a",
    "measurement",
    "ct_ratio_a",
)
READ_BY = ("model", "url", "unit", "manual_map")


@transaction.atomic
def save_general_settings(*, installation: Installation, meter: Meter) -> None:
    """Save both, already checked, and decide again once.

    Only what people set is written: the loop writes the rest of these rows meanwhile. A meter that is read in another
    way begins without the trouble of the last one.
    """
    installation.save(update_fields=SUPPLY)
    kept = Meter.get_solo()
    if any(getattr(kept, name) != getattr(meter, name) for name in READ_BY):
        meter.last_error, meter.failing_since, meter.lines_fault = "", None, None
        meter.save(update_fields=[*READ_BY, "last_error", "failing_since", "lines_fault"])
    ask_to_decide()
