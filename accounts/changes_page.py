"""The audit trail in the admin: to be read and searched, not changed."""

from collections.abc import Iterable
from typing import Any

from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.changes import lines_of, subject_of
from accounts.models import Change
from accounts.origin import Way
from accounts.read_only import ReadOnlyAdmin

MOST_LINES = 4  # of one entry in the list; its page has all

ACTIONS = {
    LogEntry.Action.CREATE: _("added"),
    LogEntry.Action.UPDATE: _("changed"),
    LogEntry.Action.DELETE: _("deleted"),
}

admin.site.unregister(LogEntry)


class _Filter(admin.SimpleListFilter):
    """One of the values that occur; `lookup` names where they stand."""

    lookup: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:  # noqa: ARG002
        """List them, with what people call them."""
        found = Change.objects.order_by(self.lookup).values_list(self.lookup, flat=True).distinct()
        return [(value, self.label(value)) for value in found if value]

    def label(self, value: Any) -> str:
        """Return what people call a value."""
        return str(value)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:  # noqa: ARG002
        """Keep those with the chosen value."""
        return queryset if self.value() is None else queryset.filter(**{self.lookup: self.value()})


class WhoFilter(_Filter):
    """Users, also those that are gone."""

    title, parameter_name, lookup = _("user"), "who", "additional_data__who"


class WayFilter(_Filter):
    """Page, REST API, site file, …"""

    title, parameter_name, lookup = _("way"), "way", "additional_data__way"

    def label(self, value: Any) -> str:
        """Return the name of a way."""
        return str(Way(value).label)


class SubjectFilter(_Filter):
    """Stations, badges, users, …"""

    title, parameter_name, lookup = _("what"), "what", "content_type_id"

    def label(self, value: Any) -> str:
        """Return the name of a kind of row."""
        return str(capfirst(ContentType.objects.get_for_id(value).name))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        """Find nothing of what is no number."""
        value = self.value()
        if value is not None and not (value.isdecimal() and len(value) <= 9):
            return queryset.none()
        return super().queryset(request, queryset)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """Who changed what, when, from what to what, and from where."""

    list_display = ["moment", "who", "way", "subject", "done", "summary"]
    list_select_related = ["content_type"]
    list_filter = [WhoFilter, SubjectFilter, WayFilter]
    list_per_page = 50
    date_hierarchy = "timestamp"
    search_fields = ["object_repr", "changes", "additional_data__who", "remote_addr"]
    search_help_text = _("Name of what was changed, value, user or address")
    fields = readonly_fields = ["moment", "who", "way", "address", "subject", "done", "all_lines"]
    show_full_result_count = False

    @admin.display(description=_("time"), ordering="timestamp")
    def moment(self, change: Change) -> str:
        """Write when it was, to the second."""
        return str(localize(localtime(change.timestamp).replace(microsecond=0)))

    @admin.display(description=_("user"))
    def who(self, change: Change) -> str:
        """Name the user; also one that is gone."""
        return (change.additional_data or {}).get("who") or "–"

    @admin.display(description=_("way"))
    def way(self, change: Change) -> str:
        """Say by which way it came in."""
        return str(Way((change.additional_data or {}).get("way", Way.ITSELF)).label)

    @admin.display(description=_("address"))
    def address(self, change: Change) -> str:
        """Say from where it came; the load manager's own changes come from nowhere."""
        return change.remote_addr or "–"

    @admin.display(description=_("what"), ordering="object_repr")
    def subject(self, change: Change) -> str:
        """Name what was changed, and lead to it where it still is."""
        kind, text = change.content_type, subject_of(change)
        if change.action == LogEntry.Action.DELETE:
            return text
        try:
            address = reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[change.object_pk])
        except NoReverseMatch:
            return text
        return format_html('<a class="underline" href="{}">{}</a>', address, text)

    @admin.display(description=_("done"), ordering="action")
    def done(self, change: Change) -> str:
        """Say whether it came to be, was changed or went."""
        return str(ACTIONS[change.action])

    @admin.display(description=_("from → to"))
    def summary(self, change: Change) -> str:
        """Give the first lines; what is new or gone is told by its name."""
        if change.action != LogEntry.Action.UPDATE:
            return "–"
        lines = lines_of(change)
        more = len(lines) - MOST_LINES
        if more > 0:
            further = ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}
            lines = [*lines[:MOST_LINES], further]
        return _listed(lines)

    @admin.display(description=_("from → to"))
    def all_lines(self, change: Change) -> str:
        """Give every line."""
        return _listed(lines_of(change)) or gettext("Nothing is kept of it but its name.")


def _listed(lines: list[str]) -> SafeString:
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
