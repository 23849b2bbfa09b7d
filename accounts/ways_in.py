"""How a user comes in, on a page of the admin: the second factor and the sessions, to be removed and ended."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.access import has_role
from accounts.admin_page import admin_page
from accounts.models import Role, User
from accounts.second_factor import has_second_factor, remove_second_factor
from accounts.sessions import describe_sessions, sign_out_elsewhere

for model in (TOTPDevice, StaticDevice):
    admin.site.unregister(model)  # django-otp's own pages show what is kept of the keys


class WaysIn(ModelAdmin):  # type: ignore[misc]
    """The part of the user's page that leads there; administrators alone see it."""

    actions_detail = ["ways_in"]

    @action(description=_("Second factor and browsers"), url_path="ways-in", permissions=["ways_in"])  # type: ignore[untyped-decorator]
    def ways_in(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the page, and do what is asked."""
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404
        if request.method == "POST":
            messages.success(request, _do(request, user))
            return redirect(request.path)
        context = {
            "shown_user": user,
            "has_second_factor": has_second_factor(user),
            "sessions": describe_sessions(user),
            "columns": [_("Browser"), _("Address"), _("Since"), _("Last seen")],
        }
        title = gettext("Second factor and browsers of %(user)s") % {"user": user.username}
        return admin_page(request, "accounts/ways_in.html", context, title=title, within=self)

    def has_ways_in_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Only administrators may weaken how somebody signs in."""
        return has_role(request.user, Role.ADMINISTRATOR)


def _do(request: HttpRequest, user: User) -> str:
    """Do what the pressed button stands for; return what was done."""
    if "remove_second_factor" in request.POST:
        remove_second_factor(user=user)
        return gettext("The second factor was removed.")
    if "end_sessions" not in request.POST:
        return gettext("Nothing was chosen.")
    count = sign_out_elsewhere(user=user, but=request.session.session_key)
    return ngettext("%(count)d browser was signed out.", "%(count)d browsers were signed out.", count) % {
        "count": count
    }
