"""The admin site's frame: its side menu by job, its icon, and the one sign-in page."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """List the side menu (SPEC S8), without what this user may not see; icons are those unfold brings."""
    jobs = [
        ("energy.installation", _("Installation"), "home"),
        ("energy.meter", _("Meter"), "speed"),
        ("stations.circuit", _("Circuits"), "account_tree"),
        ("stations.station", _("Charging stations"), "ev_station"),
        ("stations.transaction", _("Transactions"), "receipt_long"),
        ("stations.securityevent", _("Security events"), "gpp_maybe"),
        ("stations.certificate", _("Certificates"), "verified_user"),
        ("stations.frame", _("Messages"), "forum"),
        ("badges.badge", _("Badges"), "badge"),
        ("badges.badgesettings", _("Access rule"), "key"),
        ("accounts.user", _("Users"), "group"),
        ("accounts.accesssettings", _("Dashboard access"), "visibility"),
    ]
    overview = {"title": _("Overview"), "icon": "monitoring", "link": reverse("overview"), "active": False}
    system = {"title": _("System"), "icon": "dns", "link": reverse("system"), "permission": _is_administrator}
    return [{"items": [overview, *(_item(request, *job) for job in jobs), system]}]


def _is_administrator(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _item(request: HttpRequest, model: str, title: str, icon: str) -> dict[str, Any]:
    app, name = model.split(".")
    may_view = request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{name}_changelist"),
        "permission": lambda _request: may_view,
    }


def icon(_request: HttpRequest) -> str:
    """Give the address of the product's icon."""
    return static("icon.svg")


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Take the place of the admin's own sign-in page: send to ours, or back where this user may not enter the admin."""
    asked = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    target = asked if is_ours else reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(target)
    if request.user.is_staff:
        return redirect(target)
    messages.warning(request, _("You may not change settings. Ask an administrator for the right to."))
    return redirect("overview")
