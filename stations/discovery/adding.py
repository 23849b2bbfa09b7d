"""Add stations that a search found before they connect, and say what is to be entered at each of them."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from stations.discovery.hosts import Host, join
from stations.discovery.joining import found_hosts, known_stations
from stations.discovery.makers import ALFEN_HOST, HAGER_HOST, Maker, maker_hinted, maker_named
from stations.editions import hold_room
from stations.errors import EditionFull
from stations.models import Station, StationSearch
from stations.security import make_password
from stations.services import connector_of, find_station

NOTES: dict[str, Promise] = {
    "Alfen": gettext_lazy("In the ACE Service Installer: protocol OCPP 1.6; it asks for host, port and path apart."),
    "KEBA": gettext_lazy("Choose OCPP 1.6: under OCPP 1.5 the station cannot be limited."),
    "Mennekes": gettext_lazy("Choose OCPP 1.6 (JSON); switch basic authentication off and leave the password out."),
    "go-e": gettext_lazy("It takes the new address about 4 s after it was entered."),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A host of a search with what it is: its station where it has connected or was added before.

    `maker` None: nothing says who made it. `is_sure` False: only its MAC address hints at a station.
    """

    host: Host
    station: Station | None
    maker: Maker | None
    is_sure: bool

    @property
    def key(self) -> str:
        """Tell it from the others of the same search."""
        return self.host.mac or self.host.name or self.host.ips[0]

    @property
    def own_ending(self) -> str:
        """Return how the identity ends that a Hager station brings along; empty of others."""
        matches = [match for name in self.host.names if (match := HAGER_HOST.fullmatch(name))]
        return matches[0][1] if matches else ""

    @property
    def identity(self) -> str:
        """Return the identity to enter; empty where the station brings its own."""
        if self.station is not None:
            return self.station.identity
        if self.own_ending:
            return ""
        serial = next((match[1] for name in self.host.names if (match := ALFEN_HOST.fullmatch(name))), "")
        return serial.upper() or self.host.name or self.host.mac.replace(":", "").upper() or self.host.ipv4

    @property
    def note(self) -> str:
        """Return what is to be known of entering it at this maker's stations; empty where nothing is."""
        if self.own_ending:
            text = _("The station brings its own OCPP identity, which ends in %(ending)s: enter the address alone.")
            return text % {"ending": self.own_ending}
        return str(NOTES.get(self.maker.name, "")) if self.maker else ""


@dataclass(frozen=True, slots=True)
class Added:
    """A station that was chosen; `password` is to be entered at it and shown this once, empty: there is no new one."""

    found: Found
    password: str = ""


def found_in(search: StationSearch) -> list[Found]:
    """Return what a search found that is a station or may be one, the surest first, then by name and address."""
    hosts = found_hosts(search)
    joined = join(hosts, known_stations())
    stations = Station.objects.in_bulk(joined.values())
    found = []
    for place, host in enumerate(hosts):
        station, named = stations.get(joined.get(place, 0)), maker_named(host.names, host.services)
        maker = named or maker_hinted(host.mac)
        if station is not None or maker is not None:
            found.append(Found(host, station, maker, station is not None or named is not None))
    return sorted(found, key=lambda one: (not one.is_sure, one.host.name.lower(), one.host.ips))


@transaction.atomic
def add_stations(*, keys: Collection[str]) -> list[Added]:
    """Add what was chosen of the last search, each with a new password; those that bring their identity come later.

    Raises EditionFull where the edition has no room for all of them; then none is added.
    """
    chosen = [found for found in found_in(StationSearch.get_solo()) if found.key in keys]
    new = [found for found in chosen if found.station is None]
    room = hold_room()
    if room is not None and len(new) > room:
        text = _(
            "Edition %(edition)s has room for %(room)d more stations, %(wanted)d were chosen: choose fewer, "
            "take others out of service, or use a larger edition (LLM_EDITION)."
        )
        raise EditionFull(text % {"edition": settings.EDITION, "room": room, "wanted": len(new)})
    return [_add(found) for found in chosen]


def _add(found: Found) -> Added:
    """Add one station, unless it is there or is to bring its identity. One that another has is not given again."""
    if found.station is not None or not found.identity:
        return Added(found)
    host = found.host
    wanted = (found.identity, host.mac.replace(":", "").upper(), host.ipv4)
    identity = next((identity for identity in wanted if identity and find_station(identity) is None), "")
    if not identity:
        return Added(found)
    station = Station.objects.create(
        identity=identity, host_name=host.name, mac_address=host.mac, ip_address=host.ipv4 or None
    )
    connector_of(station.pk, 1)
    return Added(replace(found, station=station), make_password(station_id=station.pk))
