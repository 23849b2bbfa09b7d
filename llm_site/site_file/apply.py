"""Write a site file to the database: all of it or nothing, and only what differs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, models, transaction
from django.utils import timezone

from accounts.audit import update_recorded
from accounts.models import AccessSettings, Role, User
from accounts.origin import Way, changes_come_by
from accounts.secrets import keyed_hash, seal, unseal
from accounts.services import FIRST_PASSWORD, FIRST_USERNAME, end_token, save_user
from badges.models import Badge, BadgeSettings
from energy.allocation import Timing
from energy.models import Installation, Meter
from llm_site.site_file.check import check
from llm_site.site_file.document import Document, Entry, Path, Problem, SiteFileError, path_text, read
from llm_site.site_file.shape import ALL, LISTS, SECTIONS
from llm_site.site_file.state import lay_over, read_site
from stations.connections import check_connections
from stations.editions import has_operators
from stations.models import Circuit, Connector, CpoServer, SecurityProfile, Station, StationState
from stations.preconfiguration import onboard_now
from stations.services import ask_to_decide

Link = tuple[int, int]  # primary keys of a station and a badge


@dataclass
class Outcome:
    """What an apply did: names of new and changed entries per kind, and what people should know."""

    new: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    warnings: list[str] = field(default_factory=list)

    def note(self, kind: str, key: str, *, is_new: bool) -> None:
        """Count an entry as new or changed, once."""
        if is_new:
            self.new[kind].add(key)
        elif key not in self.new[kind]:
            self.changed[kind].add(key)

    def lines(self) -> list[str]:
        """Say per kind what was done: `stations: 6 new, 0 changed`."""
        sections = [f"{name}: changed" for name in SECTIONS if self.changed[name]]
        lists = [
            f"{kind}: {len(self.new[kind])} new, {len(self.changed[kind])} changed"
            for kind in LISTS
            if self.new[kind] or self.changed[kind]
        ]
        return sections + lists or ["nothing changed"]


def apply_site(text: str) -> Outcome:
    """Apply a site file; raises SiteFileError with every problem, in which case nothing was written."""
    document = read(text, SECTIONS, LISTS)
    _forget_known_passwords(document)
    with transaction.atomic(), changes_come_by(Way.SITE_FILE):
        present = read_site()
        check(document, present, lay_over(document, present))
        if document.problems:
            raise SiteFileError(document.problems)
        outcome = _Writer(document).write()
        ask_to_decide()
    return outcome


def _forget_known_passwords(document: Document) -> None:
    """Leave out passwords that users have already: comparing them is slow, and would hold up every other writer."""
    users = document.lists.get("users", {})
    for row in User.objects.filter(username__in=users, must_change_password=False):
        given = users[row.username]
        if "password" in given and row.check_password(given["password"]):
            del given["password"]


class _Writer:
    """The writing of one file, inside its transaction."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.outcome = Outcome()

    def write(self) -> Outcome:
        """Write what is referred to before what refers to it."""
        self._write_sections()
        self._write_circuits()
        self._write_servers()
        self._write_badges()
        self._write_stations()
        self._write_links()
        self._write_users()
        self._finish_first_start()
        self._close_delivered_account()
        self._warn()
        return self.outcome

    @contextmanager
    def _located(self, path: Path) -> Iterator[None]:
        """Turn a refusal of the model or the database into a problem at a line of the file."""
        try:
            yield
        except ValidationError as error:
            message = " ".join(error.messages)
        except (IntegrityError, DataError) as error:
            message = f"expected what the database can keep, came something it refuses: {error}"
        else:
            return
        raise SiteFileError([Problem(self.document.line(path), path_text(path), message)])

    def _save(self, path: Path, row: models.Model, values: Mapping[str, Any]) -> None:
        """Set values on a row and save those that differ."""
        is_new = row.pk is None
        changed = [name for name, value in values.items() if getattr(row, name) != value]
        for name in changed:
            setattr(row, name, values[name])
        if not is_new and not changed:
            return
        with self._located(path):
            row.full_clean()
            row.save(update_fields=None if is_new else changed)
        self.outcome.note(path[0], path[-1], is_new=is_new)

    def _entries(self, kind: str) -> dict[str, Entry]:
        return self.document.lists.get(kind, {})

    def _write_sections(self) -> None:
        given = self.document.sections
        installation, access = Installation.get_solo(), AccessSettings.get_solo()
        self._save(("installation",), installation, given.get("installation", {}))
        meter = _renamed(given.get("meter", {}), registers="manual_map")
        self._save(("meter",), Meter.get_solo(), meter)
        access_rule = _renamed(given.get("access", {}), rule="access_rule", concurrent_use="allows_concurrent_use")
        self._save(("access",), BadgeSettings.get_solo(), access_rule)
        self._save(("dashboard",), access, _renamed(given.get("dashboard", {}), access="dashboard_access"))
        if "done" in given.get("setup", {}):
            done_at = (access.setup_done_at or timezone.now()) if given["setup"]["done"] else None
            self._save(("setup",), access, {"setup_done_at": done_at})
        defaults = Timing()
        timing = {**installation.timing, **given.get("timing", {})}
        kept = {name: value for name, value in timing.items() if value not in (None, getattr(defaults, name, None))}
        self._save(("timing",), installation, {"timing": kept})

    def _write_circuits(self) -> None:
        rows = {row.name: row for row in Circuit.objects.all()}
        entries = self._entries("circuits")
        for name, given in entries.items():
            values: Entry = {}
            if "limit_a" in given:
                values = dict(zip(("limit_l1_a", "limit_l2_a", "limit_l3_a"), given["limit_a"], strict=True))
            row = rows.setdefault(name, Circuit(name=name))
            self._save(("circuits", name), row, values)
        for name, given in entries.items():
            if "parent" in given:
                parent = rows[given["parent"]] if given["parent"] else None
                self._save(("circuits", name), rows[name], {"parent": parent})

    def _write_servers(self) -> None:
        rows = {row.name: row for row in CpoServer.objects.all()}
        for name, given in self._entries("cpo_servers").items():
            row = rows.get(name) or CpoServer(name=name)
            values = _some(given, "url", "offline_policy")
            if "password" in given:
                values["password_sealed"] = _sealed(row.password_sealed, given["password"])
            self._save(("cpo_servers", name), row, values)

    def _write_badges(self) -> None:
        rows = {row.id_tag.upper(): row for row in Badge.objects.all()}
        for key, given in self._entries("badges").items():
            values = _some(given, "type", "comment", "email", "expires_on")
            if "active" in given:
                values["is_active"] = given["active"]
            if "stations" in given:
                values["is_good_everywhere"] = given["stations"] == ALL
            self._save(("badges", key), rows.get(key) or Badge(id_tag=given["id_tag"]), values)

    def _write_stations(self) -> None:
        rows = {row.identity: row for row in Station.objects.all()}
        circuits = {row.name: row for row in Circuit.objects.all()}
        servers = {row.name: row for row in CpoServer.objects.all()}
        with_connector = set(Connector.objects.values_list("station_id", flat=True))
        for identity, given in self._entries("stations").items():
            path = ("stations", identity)
            row = rows.get(identity) or Station(identity=identity)
            values = _some(given, "name", "phase_rotation", "min_current_a", "max_current_a", "priority")
            values["state"] = StationState.CONFIGURED
            if row.is_connected and row.state != StationState.CONFIGURED:
                onboard_now(station_ids=[row.pk])
            if "circuit" in given:
                values["circuit"] = circuits[given["circuit"]] if given["circuit"] else None
            if "badges" in given:
                values["takes_all_badges"] = given["badges"] == ALL
            if "password" in given:
                values["password_hash"] = keyed_hash(given["password"]) if given["password"] else ""
            if "cpo" in given:
                values |= _operator_values(given["cpo"], servers)
            self._save(path, row, values)
            if row.pk not in with_connector:
                Connector.objects.create(station=row, number=1)
                self.outcome.note(*path, is_new=False)
        given_password = [identity for identity, given in self._entries("stations").items() if "password" in given]
        check_connections(station_ids=[rows[identity].pk for identity in given_password if identity in rows])

    def _write_links(self) -> None:
        """Make the one relation of stations and badges (SPEC S18) say what either side names.

        A list replaces the links of its station or badge, but for those that the other side names. Links of stations
        that are not in service are no part of a site file and stay.
        """
        stations = {row.identity: row for row in Station.objects.filter(state=StationState.CONFIGURED)}
        waiting = {row.identity: row for row in Station.objects.exclude(state=StationState.CONFIGURED)}
        badges = {row.id_tag.upper(): row for row in Badge.objects.all()}
        through = Station.badges.through
        present: set[Link] = set(through.objects.values_list("station_id", "badge_id"))

        wanted: set[Link] = set()
        replaced: set[Link] = set()
        in_service = {row.pk for row in stations.values()}
        for identity, given in self._entries("stations").items():
            if given.get("badges", ALL) != ALL:
                pk = stations[identity].pk
                wanted |= {(pk, badges[id_tag.upper()].pk) for id_tag in given["badges"]}
                replaced |= {link for link in present if link[0] == pk}
        for key, given in self._entries("badges").items():
            if given.get("stations", ALL) != ALL:
                pk = badges[key].pk
                wanted |= {((stations.get(identity) or waiting[identity]).pk, pk) for identity in given["stations"]}
                replaced |= {link for link in present if link[1] == pk and link[0] in in_service}

        lost, gained = replaced - wanted, wanted - present
        lost_of, gained_of = _badges_by_station(lost), _badges_by_station(gained)
        for station in (stations | waiting).values():
            if station.pk in lost_of:
                station.badges.remove(*lost_of[station.pk])
            if station.pk in gained_of:
                station.badges.add(*gained_of[station.pk])
        touched_stations, touched_badges = ({link[side] for link in lost | gained} for side in (0, 1))
        for identity, station in (stations | waiting).items():
            if station.pk in touched_stations and not station.takes_all_badges:
                self.outcome.note("stations", identity, is_new=False)
        for key, badge in badges.items():
            if badge.pk in touched_badges and not badge.is_good_everywhere:
                self.outcome.note("badges", key, is_new=False)

    def _write_users(self) -> None:
        rows = {row.username: row for row in User.objects.all()}
        could_administer = _can_administer(User.objects.all())
        for username, given in self._entries("users").items():
            row = rows.get(username)
            if row is not None and not _is_changed(row, given):
                continue
            with self._located(("users", username)):
                saved = save_user(username=username, **_some(given, "role", "email", "password", "token"))
                if "password" in given:
                    update_recorded(User.objects.filter(pk=saved.pk), must_change_password=False)
                if "token" in given and given["token"] is None:
                    end_token(user=saved)
            self.outcome.note("users", username, is_new=row is None)
        if could_administer and not _can_administer(User.objects.all()):
            with self._located(("users",)):
                raise ValidationError("nobody could administer any more: leave one active administrator")

    def _finish_first_start(self) -> None:
        """Count the first start as made where a file brings an installation and an administrator who can sign in."""
        given = self.document.sections
        named = User.objects.filter(username__in=self._entries("users"))
        if given.get("installation") and "done" not in given.get("setup", {}) and _can_administer(named):
            access = AccessSettings.get_solo()
            self._save(("setup",), access, {"setup_done_at": access.setup_done_at or timezone.now()})

    def _close_delivered_account(self) -> None:
        """Deactivate `admin` with the delivered password once the site is set up and someone else can administer it."""
        if AccessSettings.get_solo().setup_done_at is None or not _can_administer(User.objects.all()):
            return
        for user in User.objects.filter(username=FIRST_USERNAME, must_change_password=True, is_active=True):
            if user.check_password(FIRST_PASSWORD):
                user.is_active = False
                user.save(update_fields=["is_active"])
                self.outcome.note("users", user.username, is_new=False)
                self.outcome.warnings.append(
                    f'the user "{user.username}" still had the delivered password and was deactivated'
                )

    def _warn(self) -> None:
        """Say what is applied as asked but may not be what was meant."""
        warnings, meter = self.outcome.warnings, Meter.get_solo()
        if Station.objects.filter(is_cpo_enabled=True).exists() and not has_operators():
            warnings.append(f"edition {settings.EDITION} has no operator connection: what is set of it is only stored")
        by_password = Station.objects.filter(security_profile__in=(SecurityProfile.BASIC, SecurityProfile.TLS))
        for row in by_password.filter(password_hash="", next_password_hash=""):
            warnings.append(f'the station "{row.identity}" needs a password and has none: it cannot connect')
        if bool(meter.model) != bool(meter.url):
            missing = "url" if meter.model else "model"
            warnings.append(f"the meter has no {missing}: it is not read")
        inactive = User.objects.filter(username__in=self._entries("users"), is_active=False)
        warnings += [f'the user "{user.username}" is deactivated and stays so' for user in inactive]
        if User.objects.exists() and not User.objects.filter(is_active=True).exclude(password__startswith="!").exists():
            warnings.append("no user can sign in: give an administrator a password")


def _badges_by_station(links: set[Link]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for station_id, badge_id in sorted(links):
        found[station_id].append(badge_id)
    return found


def _some(given: Entry, *keys: str) -> Entry:
    """Return those of the keys that are given."""
    return {key: given[key] for key in keys if key in given}


def _renamed(given: Entry, **fields: str) -> Entry:
    """Return what is given under the names of the model's fields."""
    return {fields.get(key, key): value for key, value in given.items()}


def _operator_values(given: Entry | None, servers: Mapping[str, CpoServer]) -> Entry:
    """Return the station's fields of its operator connection; None clears it."""
    cpo: Entry = {"server": None, "identity": "", "enabled": False} if given is None else given
    values = _renamed(cpo, server="cpo_server", identity="cpo_identity", enabled="is_cpo_enabled")
    if "cpo_server" in values:
        values["cpo_server"] = servers[cpo["server"]] if cpo["server"] else None
    return values


def _sealed(kept: str, password: str | None) -> str:
    """Seal a password, keeping the seal that holds the same one already; None is no password."""
    if password is None:
        return ""
    try:
        if kept and unseal(kept) == password:
            return kept
    except InvalidToken:
        pass  # sealed under another key: of no use any more
    return seal(password)


def _is_changed(row: User, given: Entry) -> bool:
    """Say whether a file asks anything of a user that is not so already."""
    if any(getattr(row, key) != given[key] for key in ("role", "email") if key in given):
        return True
    if "token" in given and row.api_token_hash != (keyed_hash(given["token"]) if given["token"] else None):
        return True
    return "password" in given  # those that the user has already were left out


def _can_administer(users: models.QuerySet[User]) -> bool:
    """Say whether one of them is an administrator with a password of their own."""
    administrators = users.filter(role=Role.ADMINISTRATOR, is_active=True, must_change_password=False)
    return any(user.has_usable_password() for user in administrators)
