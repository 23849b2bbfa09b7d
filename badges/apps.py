from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BadgesConfig(AppConfig):
    name = "badges"
    verbose_name = _("Badges")

    def ready(self) -> None:
        """Keep every change of badges and of the access rule."""
        from accounts import audit
        from badges.models import Badge, BadgeSettings

        audit.track(
            Badge,
            fields=["id_tag", "type", "is_active", "comment", "email", "expires_on", "priority", "is_good_everywhere"],
            names={"badges": _("charging stations")},  # the links of a station, seen from the badge
        )
        audit.track(BadgeSettings, fields=["access_rule", "allows_concurrent_use"])
