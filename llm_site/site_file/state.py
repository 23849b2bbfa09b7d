"""The site that is there, in the words of a site file: what `dump` writes and what a file is laid over."""

from dataclasses import dataclass, fields

from accounts.models import AccessSettings, User
from badges.models import Badge, BadgeSettings
from energy.allocation import Timing
from energy.models import Installation, Meter
from llm_site.site_file.document import Document, Entry
from llm_site.site_file.shape import ALL
from stations.models import Circuit, CpoServer, Station, StationState

MANUAL = "manual"


@dataclass
class Site:
    """Sections by name, lists by folded first key; secrets are never in it."""

    sections: dict[str, Entry]
    lists: dict[str, dict[str, Entry]]
    configured: frozenset[str]
    """Identities of the stations that are in service."""


def read_site() -> Site:
    """Read the whole site from the database; stations that wait for approval are in it, but not `configured`."""
    stations = Station.objects.select_related("circuit", "cpo_server").prefetch_related("badges").order_by("pk")
    badges = Badge.objects.prefetch_related("stations").order_by("pk")
    return Site(
        sections=_sections(),
        lists={
            "circuits": {
                row.name: circuit_entry(row) for row in Circuit.objects.select_related("parent").order_by("pk")
            },
            "stations": {row.identity: station_entry(row) for row in stations},
            "badges": {row.id_tag.upper(): badge_entry(row) for row in badges},
            "users": {row.username: user_entry(row) for row in User.objects.order_by("pk")},
            "cpo_servers": {row.name: server_entry(row) for row in CpoServer.objects.order_by("pk")},
        },
        configured=frozenset(row.identity for row in stations if row.state == StationState.CONFIGURED),
    )


def _sections() -> dict[str, Entry]:
    installation, meter = Installation.get_solo(), Meter.get_solo()
    timing = installation.timing
    access, rule = AccessSettings.get_solo(), BadgeSettings.get_solo()
    return {
        "installation": {
            "name": installation.name,
            "country": installation.country,
            "time_zone": installation.time_zone,
            "mode": installation.mode,
            "phases": installation.phases,
            "fuse_a": installation.fuse_a,
            "derating_percent": installation.derating_percent,
            "static_limit_a": installation.static_limit_a,
            "surplus": installation.surplus,
            "fail_safe_a": installation.fail_safe_a,
            "unbalance_a": installation.unbalance_a,
            "measurement": installation.measurement,
            "ct_ratio_a": installation.ct_ratio_a,
        },
        "meter": {"model": meter.model, "url": meter.url, "unit": meter.unit, "registers": meter.manual_map},
        "access": {
            "rule": rule.access_rule,
            "concurrent_use": rule.allows_concurrent_use,
        },
        "dashboard": {"access": access.dashboard_access},
        "setup": {"done": access.setup_done_at is not None},
        "timing": {field.name: timing[field.name] for field in fields(Timing) if field.name in timing},
    }


def circuit_entry(row: Circuit) -> Entry:
    """Describe a circuit."""
    return {"name": row.name, "limit_a": list(row.limit_a), "parent": row.parent.name if row.parent else None}


def station_entry(row: Station) -> Entry:
    """Describe a station; a row that is not saved yet has the defaults and no badges."""
    linked = sorted(badge.id_tag for badge in row.badges.all()) if row.pk else []
    return {
        "identity": row.identity,
        "name": row.name,
        "phase_rotation": row.phase_rotation,
        "min_current_a": row.min_current_a,
        "max_current_a": row.max_current_a,
        "circuit": row.circuit.name if row.circuit else None,
        "priority": row.priority,
        "badges": ALL if row.takes_all_badges else linked,
        "cpo": {
            "server": row.cpo_server.name if row.cpo_server else None,
            "identity": row.cpo_identity,
            "enabled": row.is_cpo_enabled,
        },
    }


def badge_entry(row: Badge) -> Entry:
    """Describe a badge; only stations in service are named."""
    stations = [] if row.pk is None else row.stations.all()
    linked = sorted(station.identity for station in stations if station.state == StationState.CONFIGURED)
    return {
        "id_tag": row.id_tag,
        "type": row.type,
        "active": row.is_active,
        "comment": row.comment,
        "email": row.email,
        "expires_on": row.expires_on,
        "stations": ALL if row.is_good_everywhere else linked,
    }


def user_entry(row: User) -> Entry:
    """Describe a user."""
    return {"username": row.username, "role": row.role, "email": row.email}


def server_entry(row: CpoServer) -> Entry:
    """Describe an operator's server."""
    return {"name": row.name, "url": row.url, "offline_policy": row.offline_policy}


def lay_over(document: Document, site: Site) -> Site:
    """Return the site as it will be: the file over what is there, defaults under new entries."""
    blank = {
        "circuits": circuit_entry(Circuit(limit_l1_a=0, limit_l2_a=0, limit_l3_a=0)),
        "stations": station_entry(Station()),
        "badges": badge_entry(Badge()),
        "users": user_entry(User()),
        "cpo_servers": server_entry(CpoServer()),
    }
    lists = {kind: dict(entries) for kind, entries in site.lists.items()}
    for kind, entries in document.lists.items():
        for key, given in entries.items():
            under = lists[kind].get(key, blank[kind])
            lists[kind][key] = {**under, **given}
            if "cpo" in given:
                lists[kind][key]["cpo"] = {**under["cpo"], **given["cpo"]} if given["cpo"] else blank[kind]["cpo"]
    return Site(
        sections={name: {**values, **document.sections.get(name, {})} for name, values in site.sections.items()},
        lists=lists,
        configured=site.configured | document.lists.get("stations", {}).keys(),
    )
