"""The one sign-in page, also for the admin site."""

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _


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
