from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class LlmSiteConfig(AppConfig):
    name = "llm_site"
    default = True

    def ready(self) -> None:
        """Register the checks."""
        from llm_site import checks  # noqa: F401


class LlmAdminConfig(admin_apps.AdminConfig):
    """The admin with our site."""

    default = False
    default_site = "llm_site.admin.Site"
