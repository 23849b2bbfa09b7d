"""Every mount of the product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from llm_site.admin import sign_in
from llm_site.api import api
from llm_site.well_known import ocpp

# Django's own sentences for the admin's scripts, and ours where it lacks them.
script_words = admin.site.admin_view(JavaScriptCatalog.as_view(packages=["django.contrib.admin", "llm_site"]), True)

handler500 = "llm_site.errors.server_error"

urlpatterns = [
    path("", include("energy.urls")),
    path("", include("exports.urls")),
    path("", include("accounts.urls")),
    path("", include("llm_site.first_start.urls")),
    path("admin/login/", sign_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="change-password")),
    path("api/", api.urls),
    path(".well-known/", ocpp, name="well-known"),
    path(".well-known/ocpp", ocpp, name="well-known-ocpp"),
    path("admin/system/", include("llm_site.system.page")),
    path("admin/jsi18n/", script_words),
    path("admin/", admin.site.urls),
]
