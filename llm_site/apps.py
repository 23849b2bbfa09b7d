from django.apps import AppConfig


class LlmSiteConfig(AppConfig):
    name = "llm_site"
