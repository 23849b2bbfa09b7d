"""Filters of the pages of the history."""

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def kwh(energy_wh: int | None) -> str:
    """Write energy in kWh with three decimals; a dash where it is not known."""
    return "–" if energy_wh is None else str(number_format(energy_wh / 1000, decimal_pos=3, use_l10n=True))
