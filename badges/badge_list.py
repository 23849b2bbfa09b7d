"""The list of badges (SPEC S22): its tabs, columns, filters, and what to do from it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts.admin_page import admin_page
from badges.authorisation import badge_settings
from badges.forms import TogetherForm
from badges.models import Badge, BadgeType, Scan
from badges.services import configure_badges

PERIODS = {"week": timedelta(days=7), "month": timedelta(days=30), "year": timedelta(days=365)}
MOST_TOGETHER = 1000
NAMES_SHOWN = 3


# What is a use of a badge, and when it was; the relations know them, this app does not.
USES = {"transactions": "started_at", "stop_requests": "asked_at"}


def _uses(relation: str) -> QuerySet[Any]:
    model: Any = Badge._meta.get_field(relation).related_model
    found: QuerySet[Any] = model._default_manager.all()
    return found


def _last(relation: str) -> Subquery:
    """Return when a badge was last used in one way."""
    uses = _uses(relation).filter(badge=OuterRef("pk"))
    return Subquery(uses.order_by(f"-{USES[relation]}").values(USES[relation])[:1])


class LastUseFilter(admin.SimpleListFilter):
    """Badges by when they charged last."""

    title = _("last use")
    parameter_name = "used"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002 (Django's)
        """Offer what helps to tidy up."""
        return [
            ("week", _("In the last 7 days")),
            ("month", _("In the last 30 days")),
            ("not-month", _("Not for 30 days")),
            ("not-year", _("Not for a year")),
            ("never", _("Never")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Badge]) -> QuerySet[Badge]:  # noqa: ARG002
        """Keep the chosen ones."""
        value = self.value() or ""
        if value == "never":
            return queryset.filter(transactions=None, stop_requests=None)
        period = PERIODS.get(value.removeprefix("not-"))
        if period is None:
            return queryset
        begin = timezone.now() - period
        used = Q(pk__in=_used_since("transactions", begin)) | Q(pk__in=_used_since("stop_requests", begin))
        return queryset.filter(~used if value.startswith("not-") else used)


def _used_since(relation: str, begin: Any) -> QuerySet[Any]:
    return _uses(relation).filter(**{f"{USES[relation]}__gte": begin}).exclude(badge=None).order_by().values("badge")


class BadgeList(ModelAdmin):  # type: ignore[misc]
    """What the list shows and what can be done from it."""

    list_display = ["id_tag", "comment", "type", "state", "expires_on", "where", "last_used"]
    list_filter = ["is_active", LastUseFilter]
    list_per_page = 50
    list_before_template = "badges/list_before.html"
    search_fields = ["id_tag", "comment", "email"]
    search_help_text = _("Number, comment or e-mail")
    ordering = ["id_tag"]
    actions = ["configure_together"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Badge]:
        """Fetch along the last use, and the stations."""
        found: QuerySet[Badge] = super().get_queryset(request)
        charged, stopped = _last("transactions"), _last("stop_requests")
        newest = Greatest(Coalesce(charged, stopped), Coalesce(stopped, charged))  # of nothing SQLite makes nothing
        return found.annotate(used_at=newest).prefetch_related("stations")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer to delete last of all."""
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            actions["delete_selected"] = actions.pop("delete_selected")
        return actions

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say along with the list the access rule, how many badges each tab has, and what goes on."""
        tabs = (BadgeType.STANDARD, BadgeType.SUPERVISOR, BadgeType.PENDING)
        counts = Badge.objects.aggregate(**{kind: Count("pk", filter=Q(type=kind)) for kind in tabs})
        here = {
            "rule": badge_settings(),
            "may_edit_rule": request.user.has_perm("badges.change_badgesettings"),
            "tabs": [(kind, kind.label, counts[kind]) for kind in tabs],
            "shown_tab": request.GET.get("type__exact", ""),
            "total": sum(counts.values()),
            "scans": Scan.objects.filter(ends_at__gt=timezone.now()).order_by("pk"),
            "are_stops_asked": Badge.objects.filter(stop_requests__open_until__gt=timezone.now()).exists(),
        }
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **here})
        return answer

    @display(  # type: ignore[untyped-decorator]
        description=_("state"),
        label={"active": "success", "inactive": "danger", "expired": "danger", "pending": "warning"},
    )
    def state(self, badge: Badge) -> tuple[str, str]:
        """Say whether it can charge."""
        if badge.type == BadgeType.PENDING:
            return "pending", gettext("Waits for a type")
        if badge.has_expired(timezone.localdate()):
            return "expired", gettext("Expired")
        return ("active", gettext("Active")) if badge.is_active else ("inactive", gettext("Not active"))

    @display(description=_("good for"))  # type: ignore[untyped-decorator]
    def where(self, badge: Badge) -> str:
        """Say where it may charge."""
        if badge.is_good_everywhere:
            return gettext("All stations")
        names = sorted(str(station) for station in badge.stations.all())
        if len(names) > NAMES_SHOWN:
            return ngettext("%(count)d station", "%(count)d stations", len(names)) % {"count": len(names)}
        return ", ".join(names) or gettext("No station")

    @display(description=_("last use"), ordering="used_at")  # type: ignore[untyped-decorator]
    def last_used(self, badge: Any) -> Any:
        """Say when it charged last, or stopped somebody's charging."""
        return badge.used_at or gettext("never")

    @admin.action(description=_("Change settings"), permissions=["change"])
    def configure_together(self, request: HttpRequest, queryset: QuerySet[Badge]) -> HttpResponse:
        """Ask for the settings of the chosen badges, then change them: all or none."""
        count = queryset.count()
        form = TogetherForm(request.POST if "apply" in request.POST else None)
        if form.is_bound and count > MOST_TOGETHER:
            form.add_error(None, gettext("Choose %(most)d badges at most at a time.") % {"most": MOST_TOGETHER})
        elif form.is_bound and form.is_valid() and (changed := _configure(form, queryset)) is not None:
            text = ngettext("%(count)d badge changed.", "%(count)d badges changed.", changed)
            self.message_user(request, text % {"count": changed}, messages.SUCCESS)
            return redirect(request.get_full_path())
        context = {
            "form": form,
            "count": count,
            "chosen": queryset[:20],
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        title = _("Settings of several badges")
        return admin_page(request, "badges/configure_together.html", context, title=title, within=self)


def _configure(form: TogetherForm, badges: QuerySet[Badge]) -> int | None:
    """Change the badges, or say in the form why not."""
    settings = dict(form.cleaned_data)
    chosen = settings.pop("stations", None)
    try:
        return configure_badges(
            badge_ids=badges.values_list("pk", flat=True),
            settings=settings,
            station_ids=None if chosen is None else [station.pk for station in chosen],
        )
    except ValidationError as error:
        form.add_error(None, error)
        return None
