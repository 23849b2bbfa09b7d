"""Every mount of the product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from llm_site.admin import sign_in
from llm_site.api import api

urlpatterns = [
    path("", include("energy.urls")),
    path("", include("accounts.urls")),
    path("", include("llm_site.first_start.urls")),
    path("admin/login/", sign_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="change-password")),
    path("api/", api.urls),
    path("admin/system/", include("llm_site.system.page")),
    path("admin/", admin.site.urls),
]
