"""The side menu of every page: where one may go, how things stand there, and the load manager's own state."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import Count, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from accounts.models import AccessSettings, DashboardAccess, User
from badges.models import AccessRule, Badge, BadgeSettings
from energy.dashboard import is_restricted
from energy.manager_state import Cause, ManagerState, current_state
from energy.models import ExternalLimit, Installation, Meter, Mode, TimeTableRow
from stations.editions import has_operators
from stations.models import Circuit, CpoLink, CpoMessage, LinkState, Station, StationState, Transaction

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu; `state` says in a few words how things stand there, or nothing."""

    title: str
    icon: str
    url: str
    state: str
    is_current: bool
    is_on_bar: bool  # of a phone


@dataclass(frozen=True, slots=True)
class Group:
    """The entries of one kind of job."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Menu:
    """What stands beside a page; `state` is None where the visitor may not know it."""

    state: ManagerState | None
    groups: tuple[Group, ...]

    @property
    def current(self) -> Entry | None:
        """Return the entry that the page belongs to."""
        return next((entry for group in self.groups for entry in group.entries if entry.is_current), None)


@dataclass(frozen=True, slots=True)
class Place:
    """A page the menu may lead to: `model` is what one must be allowed to view or change there.

    `further` names the pages that belong to it and whose addresses do not lie below its own.
    """

    title: Promise
    icon: str
    url_name: str
    model: str
    words: Callable[[Counts], str] = lambda _counts: ""
    is_on_bar: bool = False
    further: tuple[str, ...] = ()


def _settings(counts: Counts) -> str:
    if counts["installation"] and counts["dynamic"] and not counts["meter"]:
        return _("No meter")
    return pgettext("settings", "Configured") if counts["installation"] else _("Not configured")


def _stations(counts: Counts) -> str:
    configured, pending = counts["configured"], counts["pending"]
    words = []
    if configured:
        words.append(ngettext("%(count)d configured", "%(count)d configured", configured) % {"count": configured})
    if pending:
        words.append(ngettext("%(count)d pending", "%(count)d pending", pending) % {"count": pending})
    return ", ".join(words) or _("No station configured")


def _badges(counts: Counts) -> str:
    return ngettext("%(count)d badge added", "%(count)d badges added", counts["badges"]) % {"count": counts["badges"]}


def _users(counts: Counts) -> str:
    return ngettext("%(count)d user", "%(count)d users", counts["users"]) % {"count": counts["users"]}


def _circuits(counts: Counts) -> str:
    return ngettext("%(count)d circuit", "%(count)d circuits", counts["circuits"]) % {"count": counts["circuits"]}


def _limits(counts: Counts) -> str:
    words = [_("Energy manager")] if counts["external"] else []
    if counts["rows"]:
        words.append(ngettext("%(count)d row", "%(count)d rows", counts["rows"]) % {"count": counts["rows"]})
    return ", ".join(words) or pgettext("limits", "None")


def _operators(counts: Counts) -> str:
    if not counts["told"]:
        return pgettext("operator", "Not connected")
    return _("%(accepted)d of %(told)d accepted") % counts


def _waiting(counts: Counts) -> str:
    count = counts["waiting"]
    return ngettext("%(count)d waiting", "%(count)d waiting", count) % {"count": count} if count else ""


def _transactions(counts: Counts) -> str:
    return ngettext("%(count)d running", "%(count)d running", counts["running"]) % {"count": counts["running"]}


CONFIGURATION = [
    Place(
        gettext_lazy("General settings"),
        "installation",
        "admin:energy_installation_changelist",
        "energy.installation",
        _settings,
    ),
    Place(
        gettext_lazy("Charging stations"),
        "stations",
        "admin:stations_station_changelist",
        "stations.station",
        _stations,
        is_on_bar=True,
    ),
    Place(
        gettext_lazy("Operators"),
        "operators",
        "admin:stations_cposerver_changelist",
        "stations.cposerver",
        _operators,
    ),
    Place(gettext_lazy("Circuits"), "circuits", "admin:stations_circuit_changelist", "stations.circuit", _circuits),
    Place(
        gettext_lazy("Limits over time"),
        "limits",
        "admin:energy_timetablerow_changelist",
        "energy.timetablerow",
        _limits,
    ),
    Place(
        gettext_lazy("Badges"),
        "badges",
        "admin:badges_badge_changelist",
        "badges.badge",
        _badges,
        is_on_bar=True,
        further=("admin:badges_refusal_changelist", "admin:stations_station_stop_requests"),
    ),
    Place(
        gettext_lazy("Access rule"),
        "rule",
        "admin:badges_badgesettings_changelist",
        "badges.badgesettings",
        lambda counts: str((AccessRule.BADGE if counts["badge_required"] else AccessRule.FREE).label),
    ),
    Place(gettext_lazy("Users"), "users", "admin:accounts_user_changelist", "accounts.user", _users),
    Place(
        gettext_lazy("Sign-in and overview"),
        "access",
        "admin:accounts_accesssettings_changelist",
        "accounts.accesssettings",
        lambda counts: _("Users only") if counts["restricted"] else _("Public"),
    ),
    Place(
        gettext_lazy("System settings"),
        "system",
        "system",
        "energy.installation",
        lambda _counts: _("System information, date/time"),
    ),
    Place(gettext_lazy("Planner"), "planner", "admin:energy_scenario_changelist", "energy.scenario"),
    Place(gettext_lazy("Data retention"), "retention", "admin:energy_retention_changelist", "energy.retention"),
    Place(gettext_lazy("Set-up tutorial"), "tutorial", "tutorial", "energy.installation"),
]
RECORDS = [
    Place(
        gettext_lazy("Charging sessions"),
        "transactions",
        "admin:stations_transaction_changelist",
        "stations.transaction",
        _transactions,
        further=("admin:stations_straymessage_changelist",),
    ),
    Place(
        gettext_lazy("History and export"),
        "export",
        "export",
        "exports.importedtransaction",
        further=("admin:exports_importedtransaction_changelist",),
    ),
    Place(
        gettext_lazy("Messages for operators"),
        "messages",
        "admin:stations_cpomessage_changelist",
        "stations.cpomessage",
        _waiting,
    ),
    Place(gettext_lazy("Flight recorder"), "recorder", "admin:energy_recording_changelist", "energy.recording"),
    Place(gettext_lazy("Commands"), "commands", "admin:stations_command_changelist", "stations.command"),
    Place(gettext_lazy("Changes"), "changes", "admin:accounts_change_changelist", "accounts.change"),
    Place(gettext_lazy("Messages"), "messages", "admin:stations_frame_changelist", "stations.frame"),
    Place(
        gettext_lazy("Security events"), "security", "admin:stations_securityevent_changelist", "stations.securityevent"
    ),
    Place(
        gettext_lazy("Certificates"), "certificates", "admin:stations_certificate_changelist", "stations.certificate"
    ),
]


def menu_of(request: HttpRequest) -> Menu:
    """Make the menu of who asks; five queries for an administrator, however much there is."""
    user = request.user
    if getattr(user, "must_change_password", False) or (not user.is_authenticated and is_restricted()):
        return Menu(None, ())
    state = current_state(timezone.now())
    overview = reverse("overview")
    is_overview = request.path in (overview, reverse("history-table"))
    groups = [Group("", (Entry(_("Overview"), "overview", overview, "", is_overview, True),))]
    reachable = [(place, url) for place in CONFIGURATION + RECORDS if (url := _url(request, place))]
    current = _current(request.path, reachable)
    counts = _counts(state) if reachable else {}
    for title, places in ((_("Configuration"), CONFIGURATION), (_("Records"), RECORDS)):
        entries = tuple(
            Entry(str(place.title), place.icon, url, place.words(counts), place is current, place.is_on_bar)
            for place, url in reachable
            if place in places
        )
        groups += [Group(title, entries)] if entries else []
    return Menu(state, tuple(groups))


def _url(request: HttpRequest, place: Place) -> str | None:
    """Give the address of a place; None where this user may not go."""
    app, name = place.model.split(".")
    if place.model.startswith("stations.cpo") and not has_operators():
        return None
    rights = (f"{app}.view_{name}", f"{app}.change_{name}")
    if not getattr(request.user, "is_staff", False) or not any(map(request.user.has_perm, rights)):
        return None
    return reverse(place.url_name)


def _current(path: str, reachable: list[tuple[Place, str]]) -> Place | None:
    """Find the place that a page belongs to: the one that names most of its address."""
    addresses = [(url, place) for place, url in reachable]
    addresses += [(reverse(name), place) for place, _own in reachable for name in place.further]
    fitting = [(len(address), place) for address, place in addresses if path.startswith(address)]
    return max(fitting, key=lambda fit: fit[0])[1] if fitting else None


def _counts(state: ManagerState) -> Counts:
    """Count what the words of the places need, all in one query; what is not there counts nothing."""
    stations = Station.objects.all()
    counted = {
        "dynamic": Installation.objects.filter(mode=Mode.DYNAMIC),
        "meter": Meter.objects.exclude(model="").exclude(url=""),
        "configured": stations.filter(state=StationState.CONFIGURED),
        "pending": stations.filter(state=StationState.PENDING),
        "circuits": Circuit.objects.all(),
        "rows": TimeTableRow.objects.all(),
        "external": ExternalLimit.objects.exclude(limit_a=None),
        "badges": Badge.objects.all(),
        "badge_required": BadgeSettings.objects.filter(access_rule=AccessRule.BADGE),
        "users": User.objects.filter(is_active=True),
        "restricted": AccessSettings.objects.filter(dashboard_access=DashboardAccess.RESTRICTED),
        "running": Transaction.objects.filter(stopped_at=None),
        "told": stations.filter(is_cpo_enabled=True),
        "accepted": CpoLink.objects.filter(state=LinkState.ACCEPTED, station__is_cpo_enabled=True),
        "waiting": CpoMessage.objects.all(),
    }
    first, *others = (
        rows.order_by().values(what=Value(name)).annotate(count=Count("pk")).values_list("what", "count")
        for name, rows in counted.items()
    )
    counts = defaultdict(int, first.union(*others, all=True))
    counts["installation"] = int(state.cause is not Cause.NOT_CONFIGURED)
    return counts
