"""Join what a search saw on the network to the stations that have connected."""

from datetime import datetime

from django.db import transaction

from stations.discovery.hosts import Host, Known, join, load, merge
from stations.models import Station, StationSearch


def found_hosts(search: StationSearch) -> list[Host]:
    """Return the hosts of a search."""
    return merge(load(entry) for entry in search.seen)


def known_stations() -> list[Known]:
    """List what is known of every station."""
    columns = ("pk", "identity", "host_name", "mac_address", "serial_number", "ip_address")
    rows = Station.objects.order_by("pk").values_list(*columns)
    return [Known(number, identity, name, mac, serial, ip or "") for number, identity, name, mac, serial, ip in rows]


def join_stations(*, seen_since: datetime | None = None) -> None:
    """Keep the MAC address and host name seen on the network of stations that have none.

    Nothing is done where the last search began before `seen_since`, or saw nothing.
    """
    search = StationSearch.objects.exclude(seen=[]).first()
    if search is None or (seen_since and search.begun_at and search.begun_at < seen_since):
        return
    hosts = found_hosts(search)
    joined = join(hosts, known_stations())  # may take long: nobody waits for the database meanwhile
    with transaction.atomic():
        for place, number in joined.items():
            host, station = hosts[place], Station.objects.filter(pk=number)
            if host.mac:
                station.filter(mac_address="").update(mac_address=host.mac)
            if host.name:
                station.filter(host_name="").update(host_name=host.name)
