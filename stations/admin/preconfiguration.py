"""What was learned of a station, on its page."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline

from stations.local_lists import progress_of
from stations.models import LocalList, Preconfiguration
from stations.ocpp16.configuration import WRITTEN
from stations.ocpp16.ladder import Climb, restore, standing_climb
from stations.ocpp16.ladder import Role as ProfileRole
from stations.preconfiguration import capabilities_of, tried_on


class PreconfigurationInline(StackedInline):  # type: ignore[misc]
    """What a station can and what was set in it: learned, not entered."""

    model = Preconfiguration
    can_delete = False
    fields = readonly_fields = [
        "read_at",
        "limit_form",
        "standing_form",
        "abilities",
        "proposed_rotation",
        "settings_written",
        "settings_refused",
        "needs_reboot",
        "badges_known",
        "badges_trouble",
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (Django's interface)
        """It is learned from the station."""
        return False

    @admin.display(description=_("limits are given as"))
    def limit_form(self, kept: Preconfiguration) -> str:
        """Name the form of charging profile that works, or say why none does."""
        return _form(_climb(kept, ProfileRole.LIVE))

    @admin.display(description=_("the fail-safe current is given as"))
    def standing_form(self, kept: Preconfiguration) -> str:
        """Name the form that holds the standing current."""
        return _form(standing_climb(_climb(kept, ProfileRole.LIVE), _climb(kept, ProfileRole.STANDING)))

    @admin.display(description=_("abilities"))
    def abilities(self, kept: Preconfiguration) -> SafeString:
        """List what the station says it can."""
        can = capabilities_of(kept.station, kept)
        lines = [
            gettext("Connectors: %(count)d") % {"count": can.connectors},
            gettext("Limits in %(units)s") % {"units": ", ".join(can.units)},
            gettext("Stack levels up to %(level)d") % {"level": can.top_stack_level},
            gettext("Changes its number of phases: %(answer)s")
            % {"answer": _("yes") if can.switches_phases else _("no")},
        ]
        if can.most_profiles is not None:
            lines.append(gettext("Charging profiles at most: %(count)d") % {"count": can.most_profiles})
        return _each_on_a_line([*lines, *can.feature_profiles])

    @admin.display(description=_("phase rotation it proposes"))
    def proposed_rotation(self, kept: Preconfiguration) -> str:
        """Name the rotation the station proposes; what counts is the one entered above."""
        return capabilities_of(kept.station, kept).rotation or "–"

    @admin.display(description=_("settings written"))
    def settings_written(self, kept: Preconfiguration) -> SafeString:
        """List what the station took."""
        return _each_on_a_line(f"{t.key} = {t.value}" for t in tried_on(kept) if t.outcome in WRITTEN)

    @admin.display(description=_("settings refused"))
    def settings_refused(self, kept: Preconfiguration) -> SafeString:
        """List what the station did not take, with its answer."""
        refused = (t for t in tried_on(kept) if t.outcome not in WRITTEN)
        return _each_on_a_line(f"{t.key} = {t.value}: {t.outcome or '?'}" for t in refused)

    @admin.display(description=_("badges it knows by itself"))
    def badges_known(self, kept: Preconfiguration) -> str:
        """Say what the station's local list holds."""
        row = _local_list(kept)
        if not capabilities_of(kept.station, kept).has_local_list or (row and not row.is_supported):
            return gettext("None: it keeps no list.")
        if row is None or row.held is None or row.held_at is None:
            return gettext("Not known yet.")
        return gettext("Badges on it: %(count)d; version %(version)d, since %(since)s") % {
            "count": row.held.size,
            "version": row.version,
            "since": date_format(timezone.localtime(row.held_at), "DATETIME_FORMAT"),
        }

    @admin.display(description=_("what its list lacks"))
    def badges_trouble(self, kept: Preconfiguration) -> SafeString:
        """Say what the list lacks and what the station refused."""
        row = _local_list(kept)
        return _each_on_a_line(_lacks(row) if row is not None else [])


def _each_on_a_line(entries: Iterable[str]) -> SafeString:
    """Write entries below each other; a dash where there is none."""
    return format_html_join(SafeString("<br>"), "{}", ((entry,) for entry in entries)) or SafeString("–")


def _local_list(kept: Preconfiguration) -> LocalList | None:
    """Return how far the station's list is, without the badges on it."""
    rows = LocalList.objects.select_related("held").defer("held__entries")
    return rows.filter(preconfiguration=kept).first()


def _lacks(row: LocalList) -> list[str]:
    """List what is wrong with a local list."""
    progress = progress_of(row)
    lacks = []
    if row.left_out:
        lacks.append(
            ngettext("%(count)d badge does not fit", "%(count)d badges do not fit", row.left_out)
            % {"count": row.left_out}
        )
    if row.error:
        lacks.append(row.error)
    if progress.is_silent:
        lacks.append(gettext("it does not answer; “Send the list of badges anew” tries again"))
    elif progress.is_behind and row.is_supported:
        lacks.append(gettext("not up to date"))
    return lacks


def _climb(kept: Preconfiguration, role: ProfileRole) -> Climb:
    """Return where a station is on the ladder of a role."""
    return restore(capabilities_of(kept.station, kept), role, kept.ladders.get(role, {}))


def _form(climb: Climb) -> str:
    """Say in which form a station takes a limit."""
    if climb.can.has_smart_charging is False:
        return gettext("Cannot be limited: no SmartCharging.")
    if climb.is_exhausted:
        if climb.role is ProfileRole.STANDING:
            return gettext("Holds none: every form of charging profile was refused.")
        return gettext("Cannot be limited: every form of charging profile was refused.")
    if climb.proven is None:
        return gettext("Not tried yet.")
    purpose, unit, kind, level = climb.proven
    form = f"{purpose}, {unit}, {kind}, stackLevel {level}"
    return gettext("%(form)s: accepted but not obeyed") % {"form": form} if climb.is_disobeyed else form
