from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("History and export")

    def ready(self) -> None:
        """Keep every change of the tariff and of who is sent e-mails."""
        from accounts import audit
        from exports.models import ExportSettings

        audit.track(ExportSettings, fields=["currency", "price", "off_peak_price", "off_peak_times", "mail_to"])
