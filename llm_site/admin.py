"""The admin site: who may enter it, and the one sign-in page."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from accounts.access import check_role, has_role
from accounts.models import Role


class Site(UnfoldAdminSite):  # type: ignore[misc]
    """The admin: who is signed in and may not is told which profile is needed, as on our own pages."""

    empty_value_display = "–"
    index_title = _("All pages")

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Guard a view."""
        admit = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **parameters: Any) -> Any:
            if not has_role(request.user, Role.ADVANCED):
                check_role(request.user, _role_needed(request.path))
            try:
                return admit(request, *args, **parameters)
            except PermissionDenied:
                check_role(request.user, _role_needed(request.path))
                raise

        return update_wrapper(guarded, admit)


def _role_needed(path: str) -> Role:
    """Say which profile a page of the admin is for, as settings.ROLE_PERMISSIONS has it."""
    index, rights = reverse("admin:index"), settings.ROLE_PERMISSIONS[Role.ADVANCED]
    shared = {f"{index}{app}/{right.partition('_')[2]}/" for app, right in (name.split(".") for name in rights)}
    is_shared = path == index or path.startswith(tuple(shared))
    return Role.ADVANCED if is_shared else Role.ADMINISTRATOR


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Take the place of the admin's own sign-in page: send to ours, or on where one is signed in."""
    asked = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    target = asked if is_ours else reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(target)
    return redirect(target)
