from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("History and export")

    def ready(self) -> None:
        """Keep every change of the tariff and of who is sent e-mails; take what meter values tell before they go."""
        from accounts import audit
        from energy.signals import forgetting_values
        from exports.models import ExportSettings

        forgetting_values.connect(keep_off_peak, dispatch_uid="exports.keep_off_peak")
        audit.track(ExportSettings, fields=["currency", "price", "off_peak_price", "off_peak_times", "mail_to"])


def keep_off_peak(transaction_ids: list[int], **_signal: Any) -> None:
    """Keep how much of their energy was charged off-peak."""
    from exports.off_peak import keep_for_good

    keep_for_good(transaction_ids=transaction_ids)
