from django.apps import AppConfig


class LlmSiteConfig(AppConfig):
    name = "llm_site"

    def ready(self) -> None:
        """Register the checks."""
        from llm_site import checks  # noqa: F401
