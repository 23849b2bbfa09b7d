"""What must hold on the site as it will be, whichever of its parts the file names."""

from collections.abc import Iterable
from dataclasses import replace

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.secrets import keyed_hash
from energy.allocation import Timing
from energy.meters.base import MeterError
from energy.meters.decode import load_maps, manual_map
from energy.models import Mode, SurplusUse
from energy.supply_rules import DIRECT_MAXIMUM_A, SETTINGS_OF, Breach, breaches
from llm_site.site_file.document import Document, Path, nearest
from llm_site.site_file.state import MANUAL, Site
from stations.editions import room_for_stations


def check(document: Document, present: Site, result: Site) -> None:
    """Report to the document whatever is wrong with the resulting site."""
    _check_needed_keys(document, present)
    _check_installation(document, result)
    _check_meter(document, result)
    _check_surplus(document, result)
    _check_circuits(document, result)
    _check_currents(document, result)
    _check_operators(document, result)
    _check_badge_links(document, result)
    _check_room(document, present)
    _check_users(document)
    _check_timing(document, result)


def _check_needed_keys(document: Document, present: Site) -> None:
    """Report keys that a new entry cannot be without."""
    for kind, key in (("circuits", "limit_a"), ("cpo_servers", "url")):
        for name in document.lists.get(kind, {}):
            if name not in present.lists[kind] and (kind, name, key) not in document.lines:
                document.report((kind, name), f'expected the key "{key}" for a new entry, came an entry without it')


def _check_installation(document: Document, result: Site) -> None:
    """Report settings that exclude each other (SPEC S10, S11, S13)."""
    values = result.sections["installation"]
    expected = {
        Breach.DIRECT_FUSE: "a fuse of {maximum} A or less for direct measurement, came {fuse_a:g}",
        Breach.CT_PRIMARY_MISSING: "the transformer's primary (75 to 6000 A) for {measurement}, came nothing",
        Breach.STATIC_MISSING: "the current that all stations together may draw in static mode, came nothing",
        Breach.STATIC_ABOVE_FUSE: "the fuse ({fuse_a:g} A) or less, came {static_limit_a:g}",
    }  # what is wrong with one key alone was reported when it was read
    for breach in breaches(values):
        if breach in expected:
            message = "expected " + expected[breach].format(maximum=DIRECT_MAXIMUM_A, **values)
            _report_first(document, message, *(("installation", key) for key in SETTINGS_OF[breach]))


def _report_first(document: Document, message: str, *paths: Path) -> None:
    """Report at the first path that the file gives; nothing if it gives none, or one that could not be read."""
    given = [path for path in paths if path in document.lines]
    if given and document.is_sound(*paths):
        document.report(given[0], message)


def _check_meter(document: Document, result: Site) -> None:
    """Report a meter that is not known, that cannot protect a fuse, or whose own register map is not one."""
    values, path = result.sections["meter"], ("meter", "model")
    model, registers = values["model"], ("meter", "registers")
    if not document.is_sound(path, registers):
        return
    if model == MANUAL:
        if values["registers"] is None:
            message = f'expected a register map for the model "{MANUAL}", came nothing'
            _report_first(document, message, registers, path)
            return
        try:
            manual_map(values["registers"])
        except MeterError as error:
            _report_first(document, str(error), registers, path)
        return
    if document.sections.get("meter", {}).get("registers") is not None:
        document.report(registers, f'expected no register map but for the model "{MANUAL}", came one for "{model}"')
    if model and path in document.lines:
        known = load_maps()
        if model not in known:
            near = nearest(model, [*known, MANUAL])
            document.report(path, f'expected the id of a known meter or "{MANUAL}", came "{model}"{near}')
        elif known[model].refusal:
            document.report(path, f'expected a meter that can protect a fuse, came "{model}": {known[model].refusal}')


def _check_surplus(document: Document, result: Site) -> None:
    """Report charging from solar surplus with a meter that never shows any."""
    installation, meter = result.sections["installation"], result.sections["meter"]
    if installation["mode"] != Mode.DYNAMIC or installation["surplus"] == SurplusUse.OFF:
        return
    try:
        found = manual_map(meter["registers"] or {}) if meter["model"] == MANUAL else load_maps().get(meter["model"])
    except MeterError:
        return  # said of the meter
    if found is None or not found.shows_export:
        message = f"expected off without a meter that shows which way the current flows, came {installation['surplus']}"
        _report_first(document, message, ("installation", "surplus"), ("meter", "model"), ("installation", "mode"))


def _check_circuits(document: Document, result: Site) -> None:
    """Report unknown circuits, and circuits that lie inside themselves."""
    known = result.lists["circuits"]
    for kind, key in (("circuits", "parent"), ("stations", "circuit")):
        for name, given in document.lists.get(kind, {}).items():
            _check_known(document, (kind, name, key), given.get(key), known, "circuit")
    for name in known:
        circle = _circle(name, {inner: entry["parent"] for inner, entry in known.items()})
        paths: list[Path] = [("circuits", inner, "parent") for inner in circle]
        given_names = [path[1] for path in paths if path in document.lines]
        if circle and name == (given_names or circle)[0]:
            way = " in ".join([*circle, circle[0]])
            document.report(paths[circle.index(name)], f"expected no circuit inside itself, came the circle {way}")


def _circle(start: str, parents: dict[str, str | None]) -> list[str]:
    """Return the circle of circuits through `start`, in an order that is the same from each of them; else nothing."""
    walk = [start]
    while (outer := parents.get(walk[-1])) is not None and outer not in walk:
        walk.append(outer)
    if outer != start:
        return []
    lowest = walk.index(min(walk))
    return walk[lowest:] + walk[:lowest]


def _check_known(document: Document, path: Path, name: str | None, known: Iterable[str], what: str) -> None:
    if name is not None and name not in known:
        document.report(path, f'expected a {what} that is known, came "{name}"{nearest(name, known)}')


def _check_currents(document: Document, result: Site) -> None:
    """Report stations whose maximum is less than their minimum."""
    for identity in document.lists.get("stations", {}):
        entry = result.lists["stations"][identity]
        if entry["max_current_a"] < entry["min_current_a"]:
            message = f"expected the minimum ({entry['min_current_a']:g} A) or more, came {entry['max_current_a']:g}"
            keys = ("max_current_a", "min_current_a")
            _report_first(document, message, *(("stations", identity, key) for key in keys))


def _check_operators(document: Document, result: Site) -> None:
    """Report unknown operator servers, and connections that are switched on without one."""
    for identity, given in document.lists.get("stations", {}).items():
        path: Path = ("stations", identity, "cpo")
        cpo = result.lists["stations"][identity]["cpo"]
        if not given.get("cpo") or not document.is_sound(path, (*path, "server")):
            continue
        _check_known(document, (*path, "server"), cpo["server"], result.lists["cpo_servers"], "operator server")
        if cpo["enabled"] and cpo["server"] is None:
            document.report((*path, "enabled"), "expected a server for a connection that is enabled, came none")


def _check_badge_links(document: Document, result: Site) -> None:
    """Report badges of stations, and stations of badges, that do not exist (SPEC S18)."""
    badges, stations = result.lists["badges"], result.lists["stations"]
    for identity, given in document.lists.get("stations", {}).items():
        for id_tag in _named(given.get("badges")):
            if id_tag.upper() not in badges:
                _report_item(document, ("stations", identity, "badges"), id_tag, "badge", badges)
    for key, given in document.lists.get("badges", {}).items():
        for identity in _named(given.get("stations")):
            if identity not in stations:
                _report_item(document, ("badges", key, "stations"), identity, "station", stations)


def _named(value: str | list[str] | None) -> list[str]:
    return [] if value is None or isinstance(value, str) else value


def _report_item(document: Document, path: Path, name: str, what: str, known: Iterable[str]) -> None:
    message = f'expected a {what} that is known, came "{name}"{nearest(name, known)}'
    document.report(path, message, line=document.line((*path, name)))


def _check_room(document: Document, present: Site) -> None:
    """Report the first station that the edition has no room for (SPEC S1)."""
    room = room_for_stations()
    added = [identity for identity in document.lists.get("stations", {}) if identity not in present.configured]
    if room is not None and len(added) > room:
        message = (
            f"expected at most {room} more stations (the edition's limit), came {len(added)}; "
            f'"{added[room]}" is the first too many'
        )
        document.report(("stations", added[room]), message)


def _check_users(document: Document) -> None:
    """Report passwords that break a rule (SPEC S3), and tokens that are someone else's."""
    users = document.lists.get("users", {})
    owners = dict(User.objects.exclude(api_token_hash=None).values_list("api_token_hash", "username"))
    owners = {kept: owner for kept, owner in owners.items() if "token" not in users.get(owner, {})}
    for username, given in users.items():
        if "password" in given:
            try:
                validate_password(given["password"], User(username=username))
            except ValidationError as error:
                document.report(("users", username, "password"), " ".join(error.messages))
        if given.get("token") is not None:
            owner = owners.setdefault(keyed_hash(given["token"]), username)
            if owner != username:
                message = f'expected a token of this user alone, came that of "{owner}"'
                document.report(("users", username, "token"), message)


def _check_timing(document: Document, result: Site) -> None:
    """Report times that the controller cannot work with together."""
    given = {name: value for name, value in result.sections["timing"].items() if value is not None}
    try:
        replace(Timing(), **given)
    except ValueError as error:
        document.report(("timing",), str(error))
