"""Badges, those that were refused, and the access rule in the admin."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from solo.admin import SingletonModelAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.read_only import ReadOnlyAdmin
from badges.authorisation import find_badge, is_badge_number
from badges.badge_list import BadgeList
from badges.file_pages import BadgeFiles
from badges.forms import BadgeForm
from badges.models import Badge, BadgeSettings, BadgeType, Reason, Refusal
from badges.readers import badges_like
from badges.scan_pages import ScanPages

RULE_HELP = {
    "access_rule": gettext_lazy(
        "Free access: everybody charges, with any badge or none. Badge required: only badges of the list that are "
        "active, not expired and good for the station. It counts from the next start; cars that charge go on."
    ),
    "allows_concurrent_use": gettext_lazy(
        "Where a badge is required: otherwise a badge that charges a car is refused for another, until that one ends. "
        "Stations that are not connected do not count."
    ),
}


@admin.register(Badge)
class BadgeAdmin(BadgeFiles, BadgeList, ScanPages):
    """RFID cards."""

    form = BadgeForm
    warn_unsaved_form = True
    readonly_fields = ["last_used", "created_at"]
    add_fieldsets = [(None, {"fields": ["id_tag"]})]
    fieldsets = [
        (None, {"fields": ["id_tag", "type", "is_active", "comment", "email", "expires_on", "priority"]}),
        (gettext_lazy("Where it may charge"), {"fields": ["is_good_everywhere", "stations"]}),
        (pgettext_lazy("badge", "Use"), {"fields": ["last_used", "created_at"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Badge | None = None) -> Any:
        """Ask for the number alone of a new badge."""
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_form(self, request: HttpRequest, obj: Badge | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Leave out of the model's fields what is none of them."""
        fields = ["id_tag"] if obj is None else BadgeForm.Meta.fields
        return super().get_form(request, obj, change=change, **{**kwargs, "fields": fields})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Say along with a badge that waits for a type which known one it may be."""
        badge = options.get("obj")
        alike = badges_like(badge.id_tag) if badge and badge.type == BadgeType.PENDING else []
        return super().render_change_form(request, {**context, "alike": alike}, *args, **options)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Link the chosen stations."""
        super().save_related(request, form, formsets, change)
        if "stations" in form.cleaned_data:
            form.instance.stations.set(form.cleaned_data["stations"])

    def response_add(self, request: HttpRequest, obj: Badge, post_url_continue: Any = None) -> HttpResponse:
        """Go back to the list, and say so where the number may be that of another badge."""
        for other in badges_like(obj.id_tag):
            text = _("%(badge)s looks like %(other)s: another reader may give the same badge another number.")
            self.message_user(request, text % {"badge": obj.id_tag, "other": other}, messages.WARNING)
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return response


@admin.register(BadgeSettings)
class BadgeSettingsAdmin(SingletonModelAdmin, ModelAdmin):  # type: ignore[misc]
    """Who may charge at all."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Say beside each setting what follows from it."""
        return super().get_form(request, obj, change=change, **{**kwargs, "help_texts": RULE_HELP})

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:  # noqa: ARG002 (Django's interface)
        """Stay on the page: there is no list to go back to."""
        self.message_user(request, _("Saved."), messages.SUCCESS)
        return redirect(request.path)


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    """Badges that were refused; an unknown one can be added from here."""

    list_display = ["at", "id_tag", "station", "reason", "way_in"]
    list_display_links = None
    list_filter = ["reason"]
    search_fields = ["id_tag", "station"]
    fields = ["at", "id_tag", "station", "reason", "way_in"]
    readonly_fields = ["way_in"]

    @display(description=gettext_lazy("badge"))  # type: ignore[untyped-decorator]
    def way_in(self, refusal: Refusal) -> str:
        """Lead to the badge, or to adding it where it is unknown."""
        known = find_badge(refusal.id_tag)
        if known is not None:
            address = reverse("admin:badges_badge_change", args=[known.pk])
            return format_html('<a class="underline" href="{}">{}</a>', address, _("Open the badge"))
        if refusal.reason != Reason.UNKNOWN or not is_badge_number(refusal.id_tag):
            return "–"
        address = f"{reverse('admin:badges_badge_add')}?{urlencode({'id_tag': refusal.id_tag})}"
        way = format_html('<a class="underline" href="{}">{}</a>', address, _("Add this badge"))
        names = ", ".join(map(str, badges_like(refusal.id_tag)))
        hint = _("Looks like %(other)s, read in another way.") % {"other": names}
        return format_html("{}<br>{}", way, hint) if names else way
