"""What tests of the history begin with: a garage in Paris that has charged."""

from datetime import UTC, datetime

from badges.models import Badge
from energy.models import Installation
from stations.models import Connector, Station, Transaction

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def garage(time_zone="Europe/Paris"):
    Installation.objects.update_or_create(pk=1, defaults={"time_zone": time_zone, "fuse_a": 63})
    station = Station.objects.create(
        identity="CP1", name="Place 1", mac_address="a0:02:4a:e0:a3:c5", state="configured"
    )
    return Connector.objects.create(station=station, number=1)


def charged(connector, started_at=NOON, stopped_at=None, *, wh=None, id_tag="CAFE01", comment="", start_wh=0, **given):
    badge = Badge.objects.get_or_create(id_tag=id_tag, defaults={"comment": comment})[0] if id_tag else None
    return Transaction.objects.create(
        connector=connector,
        id_tag=id_tag,
        badge=badge,
        meter_start_wh=start_wh,
        started_at=started_at,
        stopped_at=stopped_at,
        meter_stop_wh=None if wh is None else start_wh + wh,
        **given,
    )
