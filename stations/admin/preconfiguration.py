"""What was learned of a station, on its page."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
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
    def abilities(self, kept: Preconfiguration) -> str:
        """List what the station says it can."""
        can = capabilities_of(kept.station, kept)
        profiles = "–" if can.most_profiles is None else can.most_profiles
        return gettext(
            "%(connectors)d connectors; limits in %(units)s; stack levels up to %(level)d; %(profiles)s profiles; "
            "changes its number of phases: %(switches)s; %(features)s"
        ) % {
            "connectors": can.connectors,
            "units": ", ".join(can.units),
            "level": can.top_stack_level,
            "profiles": profiles,
            "switches": _("yes") if can.switches_phases else _("no"),
            "features": ", ".join(can.feature_profiles) or "–",
        }

    @admin.display(description=_("phase rotation it proposes"))
    def proposed_rotation(self, kept: Preconfiguration) -> str:
        """Name the rotation the station proposes; what counts is the one entered above."""
        return capabilities_of(kept.station, kept).rotation or "–"

    @admin.display(description=_("settings written"))
    def settings_written(self, kept: Preconfiguration) -> str:
        """List what the station took."""
        return "; ".join(f"{t.key} = {t.value}" for t in tried_on(kept) if t.outcome in WRITTEN) or "–"

    @admin.display(description=_("settings refused"))
    def settings_refused(self, kept: Preconfiguration) -> str:
        """List what the station did not take, with its answer."""
        refused = (t for t in tried_on(kept) if t.outcome not in WRITTEN)
        return "; ".join(f"{t.key} = {t.value}: {t.outcome or '?'}" for t in refused) or "–"

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
    def badges_trouble(self, kept: Preconfiguration) -> str:
        """Say what the list lacks and what the station refused."""
        row = _local_list(kept)
        return "; ".join(_lacks(row)) if row is not None else "–"


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
    return lacks or ["–"]


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
