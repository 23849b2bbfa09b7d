"""What an old device had recorded, in the admin: to be read, not changed."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.read_only import ReadOnlyAdmin
from exports.import_views import FLAGS
from exports.models import ImportedTransaction
from exports.templatetags.exports_words import kwh


@admin.register(ImportedTransaction)
class ImportedTransactionAdmin(ReadOnlyAdmin):
    """Charging operations of an old device."""

    list_display = ["number", "station", "id_tag", "badge_name", "started_at", "stopped_at", "energy", "remarks"]
    list_filter = ["brought_by"]
    fields = [
        "number",
        "station_name",
        "station_mac_address",
        "id_tag",
        "badge_name",
        "started_at",
        "stopped_at",
        "energy",
        "remarks",
        "brought_by",
    ]
    date_hierarchy = "started_at"
    search_fields = ["number", "id_tag", "badge_name", "station_name", "station_mac_address"]
    search_help_text = _("Number, badge or charging station")
    show_full_result_count = False

    @admin.display(description=_("charging station"))
    def station(self, row: ImportedTransaction) -> str:
        """Name the station."""
        return row.station_name or row.station_mac_address or "–"

    @admin.display(description=_("energy (kWh)"), ordering="energy_wh")
    def energy(self, row: ImportedTransaction) -> str:
        """Give what was charged, where it is known."""
        return kwh(row.energy_wh)

    @admin.display(description=_("remarks"))
    def remarks(self, row: ImportedTransaction) -> str:
        """Say what was repaired."""
        return " ".join(str(FLAGS[flag]) for flag in row.flags if flag in FLAGS) or "–"
